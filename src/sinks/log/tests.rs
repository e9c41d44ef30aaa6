use std::sync::{Arc, Mutex};

use log::kv::{Key, Value, VisitSource};

use super::*;

#[derive(Default)]
struct Pairs(Vec<String>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        self.0.push(format!("{key}={value}"));
        Ok(())
    }
}

/// What the journal would be sent for the events of `speak`.
fn records(speak: impl FnOnce()) -> Vec<String> {
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&records);
    let layer = JournalLayer {
        send: move |record: &log::Record<'_>| {
            let mut pairs = Pairs::default();
            record.key_values().visit(&mut pairs).unwrap();
            let text = format!("{} {}: {} {}", record.level(), record.target(), record.args(), pairs.0.join(" "));
            kept.lock().unwrap().push(text);
            Err(io::ErrorKind::NotConnected.into())
        },
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), speak);
    let records = records.lock().unwrap();
    records.clone()
}

#[test]
fn events_keep_their_fields() {
    let records = records(|| {
        let error = io::Error::other("no such camera");
        tracing::warn!(camera = "front", attempt = 3, late = true, %error, "the camera does not answer");
        tracing::info!("plain {}", 1);
    });
    assert_eq!(
        records,
        [
            "WARN clawdbot::sinks::log::tests: the camera does not answer camera=front attempt=3 late=true \
             error=no such camera",
            "INFO clawdbot::sinks::log::tests: plain 1 ",
        ]
    );
}

#[test]
fn a_bad_filter_is_named() {
    let error = start("info,=").unwrap_err();
    assert!(error.to_string().contains("\"info,=\" is no filter"), "{error}");
}

#[test]
fn levels_map_to_levels() {
    assert_eq!(to_log_filter(Some(LevelFilter::DEBUG)), log::LevelFilter::Debug);
    assert_eq!(to_log_filter(Some(LevelFilter::OFF)), log::LevelFilter::Off);
}

/// The child that the test below starts, so that a whole process logs to a standard error of its own.
#[test]
#[ignore = "run by standard_error_gets_our_events_and_the_dependencies_records"]
fn speaks_on_standard_error() {
    start("info").unwrap();
    tracing::info!(camera = "front", "ours");
    tracing::debug!("ours, unasked for");
    log::warn!("theirs");
    assert!(matches!(start("info"), Err(LogError::StartedTwice)));
}

#[test]
fn standard_error_gets_our_events_and_the_dependencies_records() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sinks::log::tests::speaks_on_standard_error", "--ignored", "--nocapture"])
        .env_remove("JOURNAL_STREAM")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{text}");
    assert!(text.contains("ours camera=\"front\"") && text.contains("theirs"), "{text}");
    assert!(!text.contains("unasked"), "{text}");
    assert_eq!(text.matches("theirs").count(), 1, "{text}");
}
