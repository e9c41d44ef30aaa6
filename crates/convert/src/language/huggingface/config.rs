//! The fields of a JSON object, each with its own error.

use serde_json::{Map, Value};

use crate::language::LanguageError;

/// See the module. A field that is `null` is absent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config<'a>(&'a Map<String, Value>);

impl<'a> Config<'a> {
    pub(super) const fn new(object: &'a Map<String, Value>) -> Self {
        Self(object)
    }

    pub(super) fn value(&self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn count(&self, field: &str) -> Result<usize, LanguageError> {
        self.optional_count(field)?.ok_or_else(|| self.error(field, "it is missing"))
    }

    pub(super) fn optional_count(&self, field: &str) -> Result<Option<usize>, LanguageError> {
        self.typed(field, "a whole number, 0 or more", |value| {
            // Some exporters write whole numbers with a point.
            let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
            usize::try_from(value.as_u64().or_else(|| whole.map(|number| number as u64))?).ok()
        })
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<f32>, LanguageError> {
        self.typed(field, "a number", |value| value.as_f64().map(|number| number as f32))
    }

    pub(super) fn number_or(&self, field: &str, default: f32) -> Result<f32, LanguageError> {
        Ok(self.number(field)?.unwrap_or(default))
    }

    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>, LanguageError> {
        self.typed(field, "true or false", Value::as_bool)
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, LanguageError> {
        self.typed(field, "a text", Value::as_str)
    }

    pub(super) fn object(&self, field: &str) -> Result<Option<Self>, LanguageError> {
        self.typed(field, "an object", |value| value.as_object().map(Self))
    }

    pub(super) fn list(&self, field: &str) -> Result<Option<&'a [Value]>, LanguageError> {
        self.typed(field, "a list", |value| value.as_array().map(Vec::as_slice))
    }

    pub(super) fn numbers(&self, field: &str) -> Result<Vec<f32>, LanguageError> {
        let list = self.list(field)?.ok_or_else(|| self.error(field, "it is missing"))?;
        let numbers: Option<Vec<f32>> = list.iter().map(|value| value.as_f64().map(|number| number as f32)).collect();
        numbers.ok_or_else(|| self.error(field, "it is no list of numbers"))
    }

    #[expect(clippy::unused_self, reason = "reads as what it is: an error of this object")]
    pub(super) fn error(&self, field: &str, reason: &str) -> LanguageError {
        LanguageError::Field { what: "config.json", field: field.to_owned(), reason: reason.to_owned() }
    }

    fn typed<T>(
        &self,
        field: &str,
        wanted: &str,
        take: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, LanguageError> {
        let Some(value) = self.value(field) else { return Ok(None) };
        take(value).map(Some).ok_or_else(|| self.error(field, &format!("it should be {wanted}")))
    }
}
