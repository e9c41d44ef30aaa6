//! One key of the configuration: its name, type, range and sentence. Everything that is said about keys comes from here:
//! the check of each value, the commented default file and the reference page.

use toml::Value;

/// A section of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    /// Its name, as in `[mqtt]`, `[[camera]]` or `[[llm.task]]`; one with a dot stands inside another section.
    pub(crate) name: &'static str,
    /// Whether there may be several: `[[camera]]`.
    pub(crate) is_list: bool,
    /// What it is for.
    pub(crate) about: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its name in its section.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) kind: Kind,
    /// What holds without it, in words or as a value.
    pub(crate) default: &'static str,
    /// What the commented default file shows, as TOML.
    pub(crate) example: &'static str,
    /// What it is for, in one or two sentences.
    pub(crate) about: &'static str,
}

/// What a key may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text that is not empty.
    Text,
    /// Text that is never shown.
    Secret,
    /// A whole number.
    Integer { min: i64, max: i64 },
    /// A number.
    Number { min: f64, max: f64 },
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
}

impl Kind {
    /// What is allowed, in words: `a whole number from 1 to 65535`.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Text | Self::Secret => "text in quotes".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Flag => "true or false".to_owned(),
            Self::Choice(words) => words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or "),
            Self::Texts => "a list of texts in quotes".to_owned(),
        }
    }

    /// The value as the typed structs want it, or a sentence that says what is wrong with it.
    pub(super) fn check(&self, value: Value) -> Result<Value, String> {
        let shown = self.shown(&value);
        let wrong = || Err(format!("{shown} is not allowed; give {}", self.allowed()));
        match (self, value) {
            (Self::Text | Self::Secret, Value::String(text)) if text.trim().is_empty() => {
                Err("it is empty; give some text, or leave the key out".to_owned())
            }
            (Self::Text | Self::Secret, value @ Value::String(_)) | (Self::Flag, value @ Value::Boolean(_)) => {
                Ok(value)
            }
            (Self::Integer { min, max }, Value::Integer(number)) if (*min..=*max).contains(&number) => {
                Ok(Value::Integer(number))
            }
            (Self::Number { min, max }, value @ (Value::Integer(_) | Value::Float(_))) => {
                // A whole number in a configuration is far below 2^53.
                #[expect(clippy::cast_precision_loss, reason = "the range check sorts out what is too large")]
                let number = value.as_float().unwrap_or_else(|| value.as_integer().unwrap_or_default() as f64);
                if (*min..=*max).contains(&number) { Ok(Value::Float(number)) } else { wrong() }
            }
            (Self::Choice(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(Value::String(text)),
            (Self::Texts, Value::Array(items))
                if items.iter().all(|item| item.as_str().is_some_and(|text| !text.trim().is_empty())) =>
            {
                Ok(Value::Array(items))
            }
            _ => wrong(),
        }
    }

    /// The value that the text of an environment variable stands for; checked by [`Kind::check`] afterwards.
    pub(super) fn read(&self, text: &str) -> Value {
        let as_text = || Value::String(text.to_owned());
        match self {
            Self::Text | Self::Secret | Self::Choice(_) => as_text(),
            Self::Integer { .. } => text.trim().parse().map_or_else(|_| as_text(), Value::Integer),
            Self::Number { .. } => text.trim().parse().map_or_else(|_| as_text(), Value::Float),
            Self::Flag => text.trim().parse().map_or_else(|_| as_text(), Value::Boolean),
            Self::Texts => Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| Value::String(item.to_owned()))
                    .collect(),
            ),
        }
    }

    fn shown(&self, value: &Value) -> String {
        if matches!(self, Self::Secret) {
            return "the value (not shown)".to_owned();
        }
        let text = value.to_string();
        if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
    }
}
