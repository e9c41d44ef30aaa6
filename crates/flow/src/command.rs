//! What the daemon is told from outside.

use crate::question::Question;

/// A command, understood and checked as far as it can be without knowing the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Ask the language model.
    Ask(Box<Question>),
    /// An answer is no longer wanted.
    Cancel {
        /// Who asked for it.
        client: String,
        /// Under which name.
        id: String,
    },
}
