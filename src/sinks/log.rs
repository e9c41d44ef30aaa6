//! The log: the systemd journal when standard error leads there, else lines on standard error.
//!
//! We speak `tracing` everywhere; some dependencies speak `log`. Each takes one road, or a record would go round in
//! circles: in the journal, `tracing` events go through [`JournalLayer`] and `log` records through
//! systemd-journal-logger's own logger; on standard error, `log` records become `tracing` events.
//!
//! Journal priorities: error 3 (err), warn 4 (warning), info 5 (notice), debug 6 (info), trace 7 (debug). So
//! `journalctl -p notice` shows what we call info, and `-p info` shows our debug too.

use std::fmt;
use std::io;

use systemd_journal_logger::{JournalLog, connected_to_journal};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The name in the journal: `journalctl -t clawdbot`.
const IDENTIFIER: &str = "clawdbot";
/// rumqttd tells of each connection and each lost one as of an error; our own client says it better.
const ALWAYS: &str = "rumqttd=warn,rumqttd::server=off,rumqttd::link=off,rumqttd::router::routing=off";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The filter makes no sense.
    #[error(
        "{text:?} is no filter for the log: {source}; write a level (error, warn, info, debug, trace) or target=level, ..."
    )]
    Filter {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else was faster.
    #[error("the log was started twice; this is a bug, report it")]
    StartedTwice,
}

/// Starts the log for the whole process. `filter` is a level or `tracing`'s filter directives (`CLAWDBOT_LOG`).
///
/// # Errors
/// [`LogError`] says what is wrong.
pub(crate) fn start(filter: &str) -> Result<(), LogError> {
    let parse = |text: &str| {
        EnvFilter::builder().parse(text).map_err(|source| LogError::Filter { text: filter.to_owned(), source })
    };
    parse(filter)?;
    // Later directives outrank earlier ones only for the same target, so what the user says about rumqttd holds.
    let filter = parse(&format!("{ALWAYS},{filter}"))?;
    let level_max = to_log_filter(filter.max_level_hint());
    let journal = if connected_to_journal() { journals() } else { Err(io::ErrorKind::NotConnected.into()) };
    match journal {
        Ok((ours, theirs)) => {
            theirs.install().map_err(|_| LogError::StartedTwice)?;
            log::set_max_level(level_max.min(log::LevelFilter::Warn));
            let layer = JournalLayer { send: move |record: &log::Record<'_>| ours.journal_send(record) };
            set_global(tracing_subscriber::registry().with(filter).with(layer))
        }
        Err(_) => {
            tracing_log::LogTracer::builder().with_max_level(level_max).init().map_err(|_| LogError::StartedTwice)?;
            let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
            set_global(tracing_subscriber::registry().with(filter).with(lines))
        }
    }
}

/// Not `init`: that would send `log` records into `tracing` on the journal's road too, wherever some dependency turns
/// on tracing-subscriber's feature for it.
fn set_global(subscriber: impl Subscriber + Send + Sync) -> Result<(), LogError> {
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::StartedTwice)
}

/// Two connections to the journal: for our events, and for the dependencies' records.
fn journals() -> io::Result<(JournalLog, JournalLog)> {
    let connect = || JournalLog::empty().map(|journal| journal.with_syslog_identifier(IDENTIFIER.to_owned()));
    Ok((connect()?, connect()?))
}

fn to_log_filter(level: Option<LevelFilter>) -> log::LevelFilter {
    match level.and_then(LevelFilter::into_level) {
        None => log::LevelFilter::Off,
        Some(level) => to_log_level(level).to_level_filter(),
    }
}

const fn to_log_level(level: Level) -> log::Level {
    match level {
        Level::ERROR => log::Level::Error,
        Level::WARN => log::Level::Warn,
        Level::INFO => log::Level::Info,
        Level::DEBUG => log::Level::Debug,
        Level::TRACE => log::Level::Trace,
    }
}

/// Turns each event into a `log::Record` with its fields as key-values, and sends that.
struct JournalLayer<F> {
    send: F,
}

impl<S, F> Layer<S> for JournalLayer<F>
where
    S: Subscriber,
    F: Fn(&log::Record<'_>) -> io::Result<()> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let outcome = (self.send)(
            &log::Record::builder()
                .args(format_args!("{}", fields.message))
                .level(to_log_level(*metadata.level()))
                .target(metadata.target())
                .module_path(metadata.module_path())
                .file(metadata.file())
                .line(metadata.line())
                .key_values(&fields.others)
                .build(),
        );
        // The journal is where errors go; when it is gone, there is nobody left to tell.
        drop(outcome);
    }
}

/// An event's message and its other fields as text.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.others.push((field.name(), value));
        }
    }
}

#[cfg(test)]
mod tests;
