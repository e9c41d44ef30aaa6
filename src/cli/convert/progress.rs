//! A progress bar on standard error; where that is no terminal, a line now and then.

use std::io::IsTerminal;

use clawdbot_convert::draft::Progress;
use clawdbot_convert::language::LanguageProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Lines that one stage prints where there is no terminal.
const LINES_A_STAGE: usize = 5;

/// See the module.
pub(super) struct Bar {
    bar: ProgressBar,
    pictures: usize,
    terminal: bool,
}

impl Bar {
    /// A bar for a conversion over so many pictures.
    pub(super) fn new(pictures: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        Self::style(&bar, "{msg:<20} [{bar:40}] {pos}/{len} {eta}");
        Self { bar, pictures, terminal }
    }

    fn style(bar: &ProgressBar, template: &str) {
        // The template is a constant; without it the bar looks plain, which is no reason to fail.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        let (stage, done, total) = match progress {
            Progress::Calibrated(done) => ("pictures seen", done, self.pictures),
            Progress::Probed(done, total) => ("layers probed", done, total),
            Progress::Choosing => ("choosing precisions", 0, 1),
        };
        self.bar.set_message(stage);
        self.bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
        self.bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        let step = total.div_ceil(LINES_A_STAGE).max(1);
        if !self.terminal && (done == total || done.is_multiple_of(step)) {
            line(&format!("{stage}: {done} of {total}"));
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The same over a language model's bytes and weights, of which there are too many to tell each.
pub(super) struct LanguageBar {
    bar: ProgressBar,
    terminal: bool,
    told: u64,
    done: u64,
}

impl LanguageBar {
    pub(super) fn new() -> Self {
        let Bar { bar, terminal, .. } = Bar::new(0);
        Bar::style(&bar, "{msg:<20} [{bar:40}] {percent}% {eta}");
        Self { bar, terminal, told: 0, done: 0 }
    }

    pub(super) fn show(&mut self, progress: LanguageProgress) {
        let (stage, done, total) = match progress {
            LanguageProgress::Hashed(done, total) => ("checksum", done, total),
            LanguageProgress::Read(done, total) => ("tokens read", done, total),
            LanguageProgress::Weighed(done, total) => ("tensors looked at", done, total),
            LanguageProgress::Packed(done, total) => ("weights packed", done, total),
        };
        self.bar.set_message(stage);
        self.bar.set_length(total);
        self.bar.set_position(done);
        if done < self.done {
            self.told = 0; // a stage begins
        }
        self.done = done;
        let fifth = done.saturating_mul(LINES_A_STAGE as u64).checked_div(total).unwrap_or(0);
        if !self.terminal && !matches!(progress, LanguageProgress::Hashed(..)) && fifth > self.told {
            self.told = fifth;
            line(&format!("{stage}: {} %", done.saturating_mul(100) / total.max(1)));
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[expect(clippy::print_stderr, reason = "progress goes beside the results, which are on standard output")]
fn line(text: &str) {
    eprintln!("{text}");
}
