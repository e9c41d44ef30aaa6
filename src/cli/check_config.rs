//! `clawdbot check-config`: all errors of a configuration file, or the settings that come of it.

use std::path::PathBuf;

use clap::Args;
use clawdbot_flow::rooted::Root;
use serde_json::{Value, json};

use super::{Failure, print};
use crate::config::{Config, Environment, Problems, Secrets, reference};

/// What may be said to `check-config`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The file to check; the environment's overrides count as they would for the daemon.
    #[arg(required_unless_present_any = ["default", "reference"])]
    file: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Print a commented configuration file to start from, and do nothing else.
    #[arg(long, exclusive = true)]
    default: bool,
    /// Print the reference page of all keys and variables, and do nothing else.
    #[arg(long, exclusive = true)]
    reference: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.default {
        return print(reference::default_file().trim_end());
    }
    if arguments.reference {
        return print(reference::page().trim_end());
    }
    let loaded = Config::load(arguments.file.as_deref(), &Environment::of_process(), &Root::default(), Secrets::Probe);
    match loaded {
        Ok(config) if arguments.json => {
            print(&json!({ "ok": true, "notes": config.notes, "settings": config.report() }).to_string())
        }
        Ok(config) => print(text(&config).trim_end()),
        Err(problems) => {
            if arguments.json {
                print(&report(&problems).to_string())?;
            }
            Err(Failure::BadConfiguration(problems.to_string()))
        }
    }
}

fn report(problems: &Problems) -> Value {
    let errors: Vec<Value> = problems
        .0
        .iter()
        .map(|problem| json!({ "place": problem.place, "key": problem.key, "message": problem.message }))
        .collect();
    json!({ "ok": false, "errors": errors })
}

/// `ok`, notes, then one line a setting: `mqtt.host = "broker.lan"`.
fn text(config: &Config) -> String {
    let mut lines = vec!["ok".to_owned()];
    lines.extend(config.notes.iter().map(|note| format!("note: {note}")));
    flatten("", &config.report(), &mut lines);
    lines.join("\n")
}

fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, lines);
            }
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            for (index, entry) in entries.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), entry, lines);
            }
        }
        Value::Null => {}
        value => lines.push(format!("{path} = {value}")),
    }
}

#[cfg(test)]
mod tests;
