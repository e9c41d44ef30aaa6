//! A conversation as the text that the model was trained on, by the model's own Jinja template.
//!
//! The template is the model maker's and comes out of a file; contents come from users, events and the model. Neither is
//! trusted with more than it needs:
//!
//! - *Contents cannot speak for the template.* They are [marked](crate::marking) character by character before they go in,
//!   so nothing of them can become (part of) a control token, whatever the template does with them. Roles are a closed
//!   set, never a string from outside.
//! - *The template cannot run away.* Fuel bounds its steps and the memory of its values (64 bytes a unit), a bounded
//!   writer its output; it reaches no file and no clock, the date is handed in.
//!
//! A template that looks into a content (`'</think>' in content`, `content.startswith(..)`, `| upper`) may decide otherwise
//! over marked characters than the reference over plain ones. Every conversation is therefore rendered twice, marked and
//! plain. The marked text is the result; [`Rendered::faithful`] tells whether the plain one reads the same. Trimming,
//! joining, splitting at white space, and tests for emptiness are faithful.
//!
//! Jinja as `transformers` sets it up: `trim_blocks`, `lstrip_blocks`, loop controls, Python's methods of strings and
//! dictionaries, `raise_exception`, `strftime_now`, `tojson` with Python's separators, `{% generation %}` without effect.

mod date;
pub mod prompt;
mod python;

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value, context};

pub use date::Date;
use python::Raised;

use crate::marking::{MarkedText, Marking};

#[cfg(test)]
mod tests;

/// Text of a template at most, in bytes: the longest known ones have 20 thousand.
pub const TEMPLATE_BYTES_MAX: usize = 1 << 20;
/// Contents of a conversation at most, in bytes.
pub const CONTENTS_BYTES_MAX: usize = crate::tokenizer::TEXT_BYTES_MAX;
/// Rendered text at most, in bytes; a marked character has four.
const RENDERED_BYTES_MAX: usize = 4 * CONTENTS_BYTES_MAX;
/// Steps, and 64 bytes of values each: enough for the largest contents several times over.
const FUEL: u64 = 2_000_000;
/// Nested blocks and macros; known templates need a dozen.
const DEPTH_MAX: usize = 100;
const NAME: &str = "chat template";

/// Who speaks. Closed, so that no string from outside can name a speaker that the model trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sets the scene.
    System,
    /// Asks.
    User,
    /// The model itself.
    Assistant,
    /// Reports what a tool returned.
    Tool,
}

impl Role {
    /// As templates call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A role that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {0:?}; use system, user, assistant or tool")]
pub struct RoleError(String);

impl std::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let roles = [Self::System, Self::User, Self::Assistant, Self::Tool];
        roles.into_iter().find(|role| role.name() == name).ok_or_else(|| RoleError(name.to_owned()))
    }
}

/// One message of a conversation; its texts are foreign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// What a reasoning model thought before it; templates know it as `reasoning_content`.
    pub reasoning: Option<String>,
}

/// What a template is rendered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversation<'a> {
    /// From the first to the last.
    pub messages: &'a [Message],
    /// Ends with the beginning of an answer.
    pub add_generation_prompt: bool,
    /// What `strftime_now` tells; without it the template finds no such function.
    pub date: Option<Date>,
    /// What templates of reasoning models know as `enable_thinking`; `None` leaves it undefined.
    pub thinking: Option<bool>,
}

/// A rendered conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// For the tokenizer whose marking was given.
    pub text: MarkedText,
    /// Whether the reference would render the same text, that is, whether no decision of the template hung on marked
    /// characters.
    pub faithful: bool,
}

/// What is wrong with a template or a conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not Jinja, or not of the kind that templates are written in.
    #[error("the model's chat template cannot be read: {0}; give another template or none")]
    Syntax(String),
    /// More than [`TEMPLATE_BYTES_MAX`].
    #[error("the model's chat template has {0} bytes, but {TEMPLATE_BYTES_MAX} are the most; give another template")]
    TemplateTooLong(usize),
    /// More than [`CONTENTS_BYTES_MAX`].
    #[error("the conversation has {0} bytes, but {CONTENTS_BYTES_MAX} are the most; leave out its oldest messages")]
    ContentsTooLong(usize),
    /// The template itself refuses this conversation.
    #[error("the model's chat template refuses the conversation: {0}; change its messages accordingly")]
    Refused(String),
    /// Out of fuel.
    #[error(
        "the model's chat template does not end within its {FUEL} steps; shorten the conversation or give another template"
    )]
    Endless,
    /// It writes more than any prompt can have.
    #[error("the model's chat template writes more than {RENDERED_BYTES_MAX} bytes; give another template")]
    OutputTooLong,
    /// Another failure while it ran.
    #[error("the model's chat template fails: {0}; give another template")]
    Failed(String),
}

/// A compiled template.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    start: String,
    end: String,
}

impl ChatTemplate {
    /// Compiles `source`; `start` and `end` are the spellings of the model's first and last token (`bos_token` and
    /// `eos_token`; empty if it has none).
    ///
    /// # Errors
    /// When it is too long or no template.
    pub fn new(source: &str, start: &str, end: &str) -> Result<Self, TemplateError> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TemplateTooLong(source.len()));
        }
        let syntax = |error: Error| TemplateError::Syntax(described(&error, None));
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(syntax)?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH_MAX);
        python::install(&mut environment);
        environment.add_template_owned(NAME, python::without_generation(source)).map_err(syntax)?;
        Ok(Self { environment, start: start.to_owned(), end: end.to_owned() })
    }

    /// Renders a conversation for the tokenizer that `marking` belongs to.
    ///
    /// # Errors
    /// When the template refuses, fails, does not end or writes too much, or the contents are too long.
    pub fn render(&self, marking: &Marking, conversation: &Conversation<'_>) -> Result<Rendered, TemplateError> {
        let bytes = |message: &Message| message.content.len() + message.reasoning.as_ref().map_or(0, String::len);
        let bytes = conversation.messages.iter().map(bytes).sum();
        if bytes > CONTENTS_BYTES_MAX {
            return Err(TemplateError::ContentsTooLong(bytes));
        }
        let marked = self.run(conversation, |text| marking.foreign(text), marking)?;
        let text = MarkedText::rendered(marked);
        let plain = self.run(conversation, |text| marking.trusted(text), marking);
        let faithful = plain.is_ok_and(|plain| plain == marking.plain(&text));
        Ok(Rendered { text, faithful })
    }

    fn run(
        &self,
        conversation: &Conversation<'_>,
        form: impl Fn(&str) -> String,
        marking: &Marking,
    ) -> Result<String, TemplateError> {
        let message = |message: &Message| match &message.reasoning {
            None => context! { role => message.role.name(), content => form(&message.content) },
            Some(reasoning) => {
                let reasoning_content = form(reasoning);
                context! { role => message.role.name(), content => form(&message.content), reasoning_content }
            }
        };
        let messages: Vec<Value> = conversation.messages.iter().map(message).collect();
        let mut values = vec![
            ("messages", Value::from(messages)),
            ("add_generation_prompt", Value::from(conversation.add_generation_prompt)),
            ("bos_token", Value::from(self.start.as_str())),
            ("eos_token", Value::from(self.end.as_str())),
        ];
        values.extend(conversation.thinking.map(|thinking| ("enable_thinking", Value::from(thinking))));
        values.extend(conversation.date.map(|date| ("strftime_now", python::strftime_now(date))));
        let values: Value = values.into_iter().collect::<std::collections::BTreeMap<_, _>>().into();

        let failed = |error: Error| failure(&error, marking);
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let mut output = Bounded(Vec::new());
        template.render_captured_to(values, &mut output).map_err(failed)?;
        // The engine writes strings only, so this cannot fail; if it does it is no prompt.
        String::from_utf8(output.0).map_err(|error| TemplateError::Failed(error.to_string()))
    }
}

/// Output that refuses to grow beyond [`RENDERED_BYTES_MAX`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > RENDERED_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(error: &Error, marking: &Marking) -> TemplateError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = cause {
        if let Some(Raised(reason)) = current.downcast_ref() {
            return TemplateError::Refused(shown(reason, Some(marking)));
        }
        match current.downcast_ref::<Error>().map(Error::kind) {
            Some(ErrorKind::OutOfFuel) => return TemplateError::Endless,
            Some(ErrorKind::WriteFailure) => return TemplateError::OutputTooLong,
            _ => cause = current.source(),
        }
    }
    TemplateError::Failed(described(error, Some(marking)))
}

fn described(error: &Error, marking: Option<&Marking>) -> String {
    let place = error.line().map_or_else(String::new, |line| format!(" in line {line}"));
    shown(&format!("{}{place}: {}", error.kind(), error.detail().unwrap_or("no more is known")), marking)
}

/// A message as a person may read it: without marks and control characters, and short.
fn shown(message: &str, marking: Option<&Marking>) -> String {
    let original = |letter| marking.map_or(letter, |marking| marking.original(letter));
    let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
    message.chars().take(300).map(original).map(printable).collect()
}
