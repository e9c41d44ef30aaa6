//! What to do with a model that was pulled.

use std::path::Path;

use clawdbot_nn::bundle::{Kind, SUFFIX};

use crate::pull::catalogue::{Becomes, Entry};

/// A running daemon goes on with what it has mapped.
pub(super) const RESTART: &str = "then: systemctl restart clawdbot";

/// The steps, a line each.
pub(super) fn steps(entry: &Entry, path: &Path, kind: Option<Kind>) -> Vec<String> {
    let here = path.display().to_string();
    let section = match (entry.becomes, kind) {
        (Becomes::Bundle, Some(Kind::Classifier)) => {
            return vec![format!("next: clawdbot classify --model {here} PICTURE")];
        }
        (Becomes::Bundle, Some(Kind::Raw) | None) => return vec![format!("next: clawdbot inspect {here}")],
        (Becomes::Bundle, Some(Kind::Detector)) => "detector",
        (Becomes::Bundle, Some(Kind::Llm)) | (Becomes::LanguageModel, _) => "llm",
        (Becomes::Network, _) => "detector",
    };
    let bundle = path.with_file_name(format!("{}{SUFFIX}", entry.name)).display().to_string();
    let mut steps = Vec::new();
    if entry.becomes != Becomes::Bundle {
        steps.push(format!("next: {}", convert_command(entry, &here, &bundle)));
        steps.push(format!("then: clawdbot inspect {bundle}"));
    }
    let model = if entry.becomes == Becomes::Bundle { here } else { bundle };
    let when = if steps.is_empty() { "next" } else { "then" };
    steps.push(format!("{when} in /etc/clawdbot/clawdbot.toml, section [{section}]: model = \"{model}\""));
    steps.push(RESTART.to_owned());
    steps
}

/// How the bundle is made.
fn convert_command(entry: &Entry, source: &str, bundle: &str) -> String {
    let mut command =
        format!("clawdbot convert {source} -o {bundle} --name {} --licence {}", entry.name, entry.licence);
    for word in &entry.convert {
        command.push(' ');
        command.push_str(word);
    }
    command
}

#[cfg(test)]
mod tests;
