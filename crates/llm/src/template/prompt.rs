//! Prompts that are filled in: a Jinja template of the user's own, over values from cameras and sensors.
//!
//! Unlike a chat template it knows nothing of control tokens: what it writes is the *content* of a message, and foreign text
//! as a whole. A name that the values lack is an error, so that a slip of the pen does not ask about nothing.

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::{Bounded, DEPTH_MAX, FUEL, TEMPLATE_BYTES_MAX, described};

#[cfg(test)]
mod tests;

const NAME: &str = "prompt";

/// What is wrong with a prompt's template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// Too long.
    #[error("the prompt has {0} bytes, but {TEMPLATE_BYTES_MAX} are the most; shorten it")]
    TooLong(usize),
    /// Not Jinja.
    #[error("the prompt is no Jinja template: {0}; correct it")]
    Syntax(String),
    /// It cannot be filled in.
    #[error("the prompt cannot be filled in: {0}; correct it")]
    Failed(String),
}

/// A compiled prompt.
#[derive(Debug, Clone)]
pub struct PromptTemplate {
    environment: Environment<'static>,
}

impl PromptTemplate {
    /// Compiles `source`.
    ///
    /// # Errors
    /// When it is too long or no template.
    pub fn new(source: &str) -> Result<Self, PromptError> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(PromptError::TooLong(source.len()));
        }
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH_MAX);
        let added = environment.add_template_owned(NAME, source.to_owned());
        added.map_err(|error| PromptError::Syntax(described(&error, None)))?;
        Ok(Self { environment })
    }

    /// The prompt over `values`, a map from names.
    ///
    /// # Errors
    /// When it names something that `values` lacks, does not end, or writes too much.
    pub fn fill(&self, values: &impl Serialize) -> Result<String, PromptError> {
        let failed = |error: minijinja::Error| PromptError::Failed(described(&error, None));
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let mut output = Bounded(Vec::new());
        template.render_captured_to(Value::from(Serde(values)), &mut output).map_err(failed)?;
        String::from_utf8(output.0).map_err(|error| PromptError::Failed(error.to_string()))
    }
}
