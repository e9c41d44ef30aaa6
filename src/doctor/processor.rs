//! The processor: how its clock is chosen, and which instruction set the kernels run on.

use clawdbot_kernels::isa::Isa;

use super::finding::{Check, Finding};
use super::machine::Machine;
use crate::sources::board;

/// How the clock of the cores is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Governor {
    /// The name of each cluster's governor.
    pub(super) names: Vec<String>,
    /// The driver below: some have a `powersave` that is none.
    pub(super) driver: Option<String>,
    /// Ceiling and most of the fastest cluster, in kHz.
    pub(super) ceiling: Option<i64>,
    pub(super) most: Option<i64>,
}

pub(super) fn gather_governor(machine: &Machine<'_>) -> Governor {
    let folder = "/sys/devices/system/cpu/cpufreq";
    let policies: Vec<String> = machine
        .names(folder)
        .into_iter()
        .filter(|name| name.starts_with("policy"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    let mut names: Vec<String> =
        policies.iter().filter_map(|policy| machine.text(format!("{policy}/scaling_governor"))).collect();
    names.sort();
    names.dedup();
    let highest = |file: &str| policies.iter().filter_map(|policy| machine.number(format!("{policy}/{file}"))).max();
    Governor {
        names,
        driver: policies.iter().find_map(|policy| machine.text(format!("{policy}/scaling_driver"))),
        ceiling: highest("scaling_max_freq"),
        most: highest("cpuinfo_max_freq"),
    }
}

pub(super) fn judge_governor(governor: &Governor) -> Finding {
    let check = Check::Governor;
    if governor.names.is_empty() {
        return Finding::unknown(
            check,
            "the kernel does not tell how it chooses the clock",
            "nothing, if this is a virtual machine; else see whether the kernel has a cpufreq driver for the board",
        );
    }
    let clock = governor.ceiling.map_or_else(String::new, |ceiling| format!(", up to {} MHz", ceiling / 1000));
    let seen = format!("{}{clock}", governor.names.join(", "));
    let adapts = governor.driver.as_deref().is_some_and(|driver| driver.contains("pstate"));
    if governor.names.iter().any(|name| name == "powersave") && !adapts {
        return Finding::warning(
            check,
            format!("{seen}: powersave keeps the lowest clock"),
            "`echo schedutil | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor`, and see who set it",
        );
    }
    match (governor.ceiling, governor.most) {
        (Some(ceiling), Some(most)) if ceiling < most => Finding::note(
            check,
            format!("{seen}, though {} MHz are possible", most / 1000),
            "if that is not meant, see who lowered scaling_max_freq; heat and a weak supply do not",
        ),
        _ => Finding::ok(check, seen),
    }
}

/// What the kernels run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kernels {
    /// The instruction set, or why there is none; `None`: the board is a folder.
    pub(super) isa: Option<Result<Isa, String>>,
    pub(super) is_forced: bool,
    /// What the processor says that it can do.
    pub(super) features: Vec<String>,
}

pub(super) fn gather_kernels(machine: &Machine<'_>) -> Kernels {
    Kernels {
        isa: machine.answers.isa.clone(),
        is_forced: machine.answers.isa_is_forced,
        features: board::cpu_features(&machine.root),
    }
}

pub(super) fn judge_kernels(kernels: &Kernels) -> Finding {
    let check = Check::Kernels;
    match &kernels.isa {
        None => Finding::unknown(
            check,
            format!("nothing runs there; the processor says: {}", or_nothing(&kernels.features)),
            "run `clawdbot kernels` on the board",
        ),
        Some(Err(reason)) => Finding::problem(check, reason, "unset CLAWDBOT_ISA"),
        Some(Ok(isa)) if kernels.is_forced => Finding::note(
            check,
            format!("{isa}, forced by CLAWDBOT_ISA"),
            "unset it, unless that is meant: the best is chosen by itself",
        ),
        Some(Ok(Isa::Scalar)) => Finding::warning(
            check,
            "scalar: the slow kernels, which know no vectors",
            "take a 64-bit Arm or an x86-64 board, and the 64-bit program for it",
        ),
        Some(Ok(isa)) => Finding::ok(check, isa.to_string()),
    }
}

fn or_nothing(features: &[String]) -> String {
    if features.is_empty() { "nothing".to_owned() } else { features.join(" ") }
}

#[cfg(test)]
mod tests;
