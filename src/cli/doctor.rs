//! `clawdbot doctor`: what keeps this board from doing its work, and what to do about it.

use std::path::PathBuf;

use clap::Args;
use clawdbot_flow::clock::SystemClock;
use clawdbot_flow::rooted::Root;
use serde_json::{Value, json};

use super::{Failure, print};
use crate::config::Environment;
use crate::doctor::machine::{Answers, Machine};
use crate::doctor::{Configuration, Finding, Verdict, examine};

/// Of the JSON; a field that goes or changes its meaning makes it another.
const VERSION: u32 = 1;
/// Columns of the report.
const VERDICT_COLUMN: usize = 9;
const CHECK_COLUMN: usize = 15;

/// What may be said to `doctor`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The configuration to go by. Without one: the service's, /etc/clawdbot/clawdbot.toml, where it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Where the tree of the board begins.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let root = Root::new(&arguments.root);
    let answers = if root == Root::default() {
        Answers::of_this_machine(&environment)
    } else {
        Answers::of_a_folder(&environment)
    };
    let configuration = Configuration::load(arguments.config.as_deref(), &environment, &root);
    let clock = SystemClock::new();
    let machine = Machine::new(root, &clock, answers);
    let findings = examine(&machine, &configuration);
    let (board, configuration) = (machine.model(), configuration.name());
    if arguments.json {
        print(&report(board.as_deref(), &configuration, &findings).to_string())?;
    } else {
        print(&text(board.as_deref(), &configuration, &findings))?;
    }
    outcome(&findings)
}

/// A problem is a failure; anything less is not.
fn outcome(findings: &[Finding]) -> Result<(), Failure> {
    let problems: Vec<String> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Problem).map(title).collect();
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::Failed(format!("there is a problem: {one}; what to do stands beside it"))),
        several => Err(Failure::Failed(format!(
            "there are {} problems: {}; what to do stands beside each",
            several.len(),
            several.join(", ")
        ))),
    }
}

fn report(board: Option<&str>, configuration: &str, findings: &[Finding]) -> Value {
    let mut report = json!({
        "version": VERSION,
        "configuration": configuration,
        "verdict": worst(findings).name(),
        "findings": findings.iter().map(Finding::report).collect::<Vec<_>>(),
    });
    if let Some(board) = board {
        report["board"] = json!(board);
    }
    report
}

fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Unknown)
}

fn title(finding: &Finding) -> String {
    let check = finding.check.name();
    finding.subject.as_ref().map_or_else(|| check.to_owned(), |subject| format!("{check} {subject}"))
}

/// The report for people: a line for each finding, and below it what to do.
fn text(board: Option<&str>, configuration: &str, findings: &[Finding]) -> String {
    let mut text = format!("board: {}\nconfiguration: {configuration}\n\n", board.unwrap_or("does not say what it is"));
    for finding in findings {
        let verdict = finding.verdict.name();
        text += &format!("{verdict:<VERDICT_COLUMN$}{:<CHECK_COLUMN$} {}\n", title(finding), finding.seen);
        if let Some(next) = &finding.next {
            text += &format!("{:<VERDICT_COLUMN$}{:>CHECK_COLUMN$} {next}\n", "", "->");
        }
    }
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let counts: Vec<String> =
        Verdict::FROM_BAD.iter().map(|verdict| format!("{} {}", count(*verdict), verdict.name())).collect();
    text + "\n" + &counts.join(", ")
}

#[cfg(test)]
mod tests;
