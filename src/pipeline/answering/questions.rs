//! The way of commands to the thread that answers, from a tokio worker that must not wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clawdbot_flow::answer::{Answer, AnswerCost, AnswerEnd};
use clawdbot_flow::command::Command;
use clawdbot_flow::question::{Asker, Question};
use clawdbot_flow::queue::{Empty, Queue, WhenFull};

#[cfg(test)]
mod tests;

/// Commands that wait for the answering thread: it takes them between two passes, so only a burst waits. Drop rule: the
/// new one is refused and its asker told.
const COMMANDS_MAX: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Questions {
    commands: Queue<Command>,
    /// Something came that need not wait for the end of a long pass.
    urgent: AtomicBool,
}

impl Questions {
    /// Nothing was asked yet.
    pub(crate) fn new() -> Self {
        Self { commands: Queue::new(COMMANDS_MAX, WhenFull::Refuse), urgent: AtomicBool::new(false) }
    }

    /// Hands a command over.
    ///
    /// # Errors
    /// The answer that its asker is to get instead, where it asked for one.
    pub(crate) fn put(&self, command: Command) -> Result<(), Option<Box<Answer>>> {
        let urgent = matches!(command, Command::Cancel { .. });
        self.commands.push(command).map_err(|command| match command {
            Command::Ask(question) => Some(Box::new(unanswered(
                &question,
                AnswerEnd::Busy,
                format!("{COMMANDS_MAX} commands wait already; ask again later"),
            ))),
            Command::Cancel { .. } => None,
        })?;
        // Behind the push: the flag is taken down only by who finds the queue empty, so it never misses a command.
        if urgent {
            self.urgent.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// No more commands: the answering ends.
    pub(crate) fn close(&self) {
        self.urgent.store(true, Ordering::Release);
        self.commands.close();
    }

    /// The next command, waited for.
    pub(super) fn take(&self, patience: Duration) -> Result<Command, Empty> {
        let taken = self.commands.pop(patience);
        if self.commands.is_empty() && !matches!(taken, Err(Empty::Closed)) {
            self.urgent.store(false, Ordering::Release);
        }
        taken
    }

    /// Whether a pass should be broken off for what came.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Acquire)
    }
}

/// The answer to a question that no token was spent on.
pub(crate) fn unanswered(question: &Question, end: AnswerEnd, reason: String) -> Answer {
    without_text(question.asker.clone(), end, reason)
}

/// The same for one that did not even become a question.
pub(crate) fn without_text(asker: Asker, end: AnswerEnd, reason: String) -> Answer {
    let cost = AnswerCost::default();
    Answer { asker, text: String::new(), end, reason: Some(reason), by_schema: false, cost }
}
