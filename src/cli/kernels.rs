//! `clawdbot kernels`: which kernel each operator runs on this processor, or on one that is not here.

use clap::Args;
use clawdbot_kernels::catalogue::OPERATORS;
use clawdbot_kernels::isa::{CORES, Isa};
use serde_json::{Value, json};

use super::{Failure, print};
use crate::config::Environment;

#[cfg(test)]
mod tests;

/// What may be said to `kernels`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Answer for this core (cortex-a72, x86-64-v3, ...) and not for this machine.
    #[arg(long = "as", value_name = "CORE")]
    core: Option<String>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
    /// Print the tables of docs/reference/kernels.md, and do nothing else.
    #[arg(long, exclusive = true)]
    markdown: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.markdown {
        return print(markdown().trim_end());
    }
    let choice = match &arguments.core {
        Some(name) => Choice::for_core(name).ok_or_else(|| Failure::Usage(unknown_core(name)))?,
        None => Choice::here(&Environment::of_process()).map_err(Failure::BadConfiguration)?,
    };
    if arguments.json { print(&choice.json().to_string()) } else { print(choice.text().trim_end()) }
}

fn unknown_core(name: &str) -> String {
    let known: Vec<&str> = CORES.iter().map(|core| core.name).collect();
    format!("'{name}' is no core that we know; use one of {}", known.join(", "))
}

/// An instruction set, and for what it was chosen.
struct Choice {
    isa: Isa,
    place: String,
}

impl Choice {
    fn for_core(name: &str) -> Option<Self> {
        let core = CORES.iter().find(|core| core.name == name)?;
        Some(Self { isa: core.isa, place: format!("{}: {}", core.name, core.boards) })
    }

    fn here(environment: &Environment) -> Result<Self, String> {
        let available: Vec<&str> = Isa::ALL.into_iter().filter(|isa| isa.available()).map(Isa::name).collect();
        let place = format!("this machine has {}", available.join(", "));
        Ok(Self { isa: environment.isa()?, place })
    }

    fn text(&self) -> String {
        let mut text = format!("{} ({})\n", self.isa, self.place);
        for operator in OPERATORS {
            let kernel = operator.choice(self.isa);
            text += &format!("{:<14} {:<38} {}\n", operator.name, kernel.name, operator.purpose);
        }
        text
    }

    fn json(&self) -> Value {
        let operators: Vec<Value> = OPERATORS
            .iter()
            .map(|operator| {
                let kernel = operator.choice(self.isa);
                json!({
                    "operator": operator.name,
                    "purpose": operator.purpose,
                    "kernel": kernel.name,
                    "isa": kernel.isa.name(),
                    "tile": kernel.tile,
                })
            })
            .collect();
        json!({ "isa": self.isa.name(), "place": self.place, "operators": operators })
    }
}

/// All kernels by operator and instruction set, then all cores.
fn markdown() -> String {
    let mut text = String::from("| operator | what | kernels |\n|---|---|---|\n");
    for operator in OPERATORS {
        let kernels: Vec<String> = operator.kernels().iter().map(|kernel| format!("`{}`", kernel.name)).collect();
        text += &format!("| {} | {} | {} |\n", operator.name, operator.purpose, kernels.join("<br>"));
    }
    text += "\n| core | instruction set | met in |\n|---|---|---|\n";
    for core in CORES {
        text += &format!("| {} | {} | {} |\n", core.name, core.isa, core.boards);
    }
    text
}
