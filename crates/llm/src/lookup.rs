//! Prompt lookup: guesses at the next tokens, copied from where the last ones stood before.
//!
//! Answers that copy (summaries of events, JSON with known keys) repeat their prompt. The longest run of tokens that ends
//! the context and stood in it before tells what may come next; the model then computes all guesses in one pass over its
//! weights and keeps those it would have chosen itself, so a wrong guess costs compute and never changes the answer.
//! Source: Saxena, "Prompt Lookup Decoding", 2023.
//!
//! | setting | meaning, range |
//! |---|---|
//! | `run_min` | a run must match so many tokens at least, 1.. |
//! | `run_max` | and is not compared beyond so many, `run_min`.. |
//! | `drafts_max` | guesses at most |
//!
//! Time: tokens of the context x `run_max` at worst, near one comparison a token in practice. No allocation once `drafts`
//! has room.

#[cfg(test)]
mod tests;

/// How to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    run_min: usize,
    run_max: usize,
    drafts_max: usize,
}

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("prompt lookup: run_min is {run_min} and run_max {run_max}, but 1 <= run_min <= run_max must hold")]
pub struct LookupError {
    run_min: usize,
    run_max: usize,
}

impl Lookup {
    /// Checks the settings; see the module's table.
    ///
    /// # Errors
    /// Unless 1 <= `run_min` <= `run_max`.
    pub fn new(run_min: usize, run_max: usize, drafts_max: usize) -> Result<Self, LookupError> {
        if run_min == 0 || run_min > run_max {
            return Err(LookupError { run_min, run_max });
        }
        Ok(Self { run_min, run_max, drafts_max })
    }

    /// Replaces `drafts` by guesses at what follows `context` (prompt and answer so far). Of the longest runs the latest
    /// counts. A run that overlaps the end is a repetition, and the guesses go on with it.
    pub fn draft(&self, context: &[u32], drafts: &mut Vec<u32>) {
        drafts.clear();
        let Some(from) = self.continuation(context) else {
            return;
        };
        for step in 0..self.drafts_max {
            let at = from + step;
            // Behind the end of the context stand the guesses themselves.
            let guess = context.get(at).copied().unwrap_or_else(|| drafts[at - context.len()]);
            drafts.push(guess);
        }
    }

    /// Where the token stands that followed the best run.
    fn continuation(&self, context: &[u32]) -> Option<usize> {
        let mut best = (self.run_min - 1, None);
        for end in (1..context.len()).rev() {
            let run = self.common_run(&context[..end], context);
            if run > best.0 {
                best = (run, Some(end));
            }
            if run == self.run_max {
                break;
            }
        }
        best.1
    }

    /// Tokens at the ends of both that are equal, `run_max` at most.
    fn common_run(&self, earlier: &[u32], context: &[u32]) -> usize {
        let pairs = earlier.iter().rev().zip(context.iter().rev());
        pairs.take(self.run_max).take_while(|(a, b)| a == b).count()
    }
}
