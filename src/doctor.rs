//! What may keep the daemon from doing its work on this board, and what to do about it: the logic of `clawdbot doctor`.
//!
//! Each check is a pair: a `gather` that reads values off the board, and a `judge` that makes findings of them and touches
//! nothing. So a test needs values only, and the boards in `tests/` are folders. What no file under /sys, /proc or /dev
//! tells (a connection to the broker, free space, the clock) is asked through [`machine::Answers`].
//!
//! What the board does not tell is [`Verdict::Unknown`], never fine.

mod broker;
mod camera;
mod card;
mod certificate;
mod cgroup;
mod clock;
mod configuration;
mod finding;
mod firmware;
pub(crate) mod machine;
mod model;
mod mounts;
#[cfg_attr(not(feature = "v4l2"), expect(dead_code, reason = "only V4L2 finds nodes"))]
mod permission;
mod power;
#[cfg_attr(not(feature = "v4l2"), expect(dead_code, reason = "only V4L2 finds nodes"))]
mod processes;
mod processor;
mod space;
mod swap;
mod temperature;
mod usb;
mod userland;
mod watchdog;

use clawdbot_flow::clock::Wall;

pub(crate) use self::configuration::Configuration;
#[cfg(test)]
pub(crate) use self::finding::Check;
pub(crate) use self::finding::{Finding, Verdict};
use self::machine::Machine;
use self::mounts::Mounts;
use self::processes::Processes;

/// Looks at everything; the findings stand in the order of [`finding::Check`], at least one for each check.
pub(crate) fn examine(machine: &Machine<'_>, configuration: &Configuration) -> Vec<Finding> {
    let processes = Processes::gather(machine);
    let mounts = Mounts::gather(machine);
    let power = power::gather(machine);
    let has_language_model = configuration.config().is_some_and(|config| config.llm.is_some());
    let cameras = camera::gather(machine, configuration, &processes);
    let mut findings = vec![configuration.finding()];
    findings.extend(camera::judge(&cameras));
    findings.extend(usb::judge(&usb::gather(machine, configuration, &cameras)));
    findings.push(power::judge_supply(&power));
    findings.push(power::judge_throttle(&power));
    findings.push(temperature::judge(&temperature::gather(machine)));
    findings.push(clock::judge(&clock::gather(machine)));
    findings.push(cgroup::judge(&cgroup::gather(machine, has_language_model)));
    findings.extend(swap::judge(&swap::gather(machine, &mounts, has_language_model)));
    findings.extend(card::judge(&card::gather(machine, &mounts)));
    findings.push(space::judge(&space::gather(machine, &mounts)));
    findings.push(broker::judge(&broker::gather(machine, configuration)));
    findings.extend(certificate::judge(&certificate::gather(machine, configuration)));
    findings.push(model::judge(&model::gather(machine, configuration, &processes)));
    findings.push(userland::judge_page_size(&userland::gather_page_size(machine)));
    findings.push(userland::judge(&userland::gather(machine)));
    findings.push(watchdog::judge(&watchdog::gather(machine)));
    findings.push(processor::judge_governor(&processor::gather_governor(machine)));
    findings.push(processor::judge_kernels(&processor::gather_kernels(machine)));
    findings
}

/// Whole mebibytes, rounded up.
const fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

/// The day of `wall`: `2026-11-25`.
fn day(wall: Wall) -> String {
    let text = crate::mqtt::payload::timestamp::rfc3339(wall);
    text.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
