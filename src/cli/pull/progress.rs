//! How far a pull is, on standard error: a bar on a terminal, elsewhere a line for each tenth.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pull::Told;
use crate::pull::catalogue::Entry;

/// Lines that one file gets where there is no terminal.
const LINES_A_FILE: u64 = 10;

/// See the module.
pub(super) struct Bar {
    bar: ProgressBar,
    terminal: bool,
    told: u64,
}

impl Bar {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant; without it the bar looks plain, which is no reason to fail.
        if let Ok(style) = ProgressStyle::with_template("[{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, terminal, told: 0 }
    }

    /// Says what is about to be pulled, before anybody is asked for it.
    pub(super) fn begin(&self, entry: &Entry) {
        let size = entry.bytes().map_or_else(|| "size unknown".to_owned(), |bytes| format!("{bytes} bytes"));
        self.line(&format!("{}: {size}, licence {} ({})", entry.name, entry.licence, entry.licence_url));
    }

    pub(super) fn show(&mut self, told: &Told<'_>) {
        match told {
            Told::Asking { file, host, done: 0 } => self.file(&format!("{file}: asking {host}")),
            Told::Asking { file, host, done } => {
                self.file(&format!("{file}: {done} bytes are here; asking {host} for the rest"));
                // What was here before says nothing of how fast the rest comes.
                self.bar.set_position(*done);
                self.bar.reset_eta();
            }
            Told::SentOn(host) => self.line(&format!("sent on to {host}")),
            Told::Bytes(done, total) => self.bytes(*done, *total),
            Told::Again(reason, wait) => self.line(&format!("{reason}; again in {} s", wait.as_secs())),
            Told::Checking(file) => self.line(&format!("{file}: reading what is here")),
        }
    }

    fn file(&mut self, text: &str) {
        self.told = 0;
        self.line(text);
    }

    fn bytes(&mut self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        let tenth = total.and_then(|total| done.saturating_mul(LINES_A_FILE).checked_div(total)).unwrap_or(0);
        if !self.terminal && tenth > self.told {
            self.told = tenth;
            self.line(&format!("{} %", tenth * 100 / LINES_A_FILE));
        }
    }

    #[expect(clippy::print_stderr, reason = "progress goes beside the results, which are on standard output")]
    fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
