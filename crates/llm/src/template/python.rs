//! What chat templates expect beyond Jinja: Python's methods, and the functions that `transformers` adds.

use std::io;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::Date;

/// The template called `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub(super) String);

pub(super) fn install(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.add_filter("tojson", tojson);
}

/// The function `strftime_now` for one date.
pub(super) fn strftime_now(date: Date) -> Value {
    Value::from_function(move |format: String| {
        date.format(&format).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, format!("strftime_now does not know the format {format:?}"))
        })
    })
}

/// `{% generation %}` marks answers for training and does nothing else: a block that is always there, with the same
/// dashes.
pub(super) fn without_generation(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        // Behind the opening mark: `{%}` opens a tag and does not close it with the same percent sign.
        let inside = start + "{%".len();
        let Some(length) = rest[inside..].find("%}") else {
            break;
        };
        let (before, tag) = (&rest[..inside], &rest[inside..inside + length]);
        text.push_str(before);
        match tag.trim_matches(|letter: char| letter.is_whitespace() || letter == '-' || letter == '+') {
            "generation" => text.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => text.push_str(&tag.replace("endgeneration", "endif")),
            _ => text.push_str(tag),
        }
        rest = &rest[inside + length..];
    }
    text.push_str(rest);
    text
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(message)))
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn tojson(state: &State<'_, '_>, value: Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted for Python's sake; there is one way here.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut output = Paid { state, bytes: Vec::new() };
    let written = match indent {
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut output, OneLine)),
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut output, formatter))
        }
    };
    let invalid = |reason: String| Error::new(ErrorKind::BadSerialization, reason);
    written.map_err(|error| invalid(error.to_string()))?;
    String::from_utf8(output.bytes).map_err(|error| invalid(error.to_string()))
}

/// Pays fuel for what it writes, before it does.
struct Paid<'a, 'b, 'c> {
    state: &'a State<'b, 'c>,
    bytes: Vec<u8>,
}

impl io::Write for Paid<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let cost = u64::try_from(bytes.len()).unwrap_or(u64::MAX).div_ceil(64);
        self.state.consume_fuel(cost).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Python's separators: a space behind commas and colons.
struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
