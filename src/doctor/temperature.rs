//! How hot the processor is, and how far from where it is slowed down.

use super::finding::{Check, Finding};
use super::machine::Machine;

/// A Raspberry Pi's firmware slows the processor down from 80 °C on, and hard from 85 °C on.
const PI_WARM: f64 = 80.0;
const PI_HOT: f64 = 85.0;
/// Elsewhere: so many degrees below the temperature at which the kernel switches off.
const WARM_BELOW_CRITICAL: f64 = 20.0;
const HOT_BELOW_CRITICAL: f64 = 8.0;
/// What is taken for critical where the board does not say.
const CRITICAL: f64 = 100.0;
/// A sensor that says less or more is broken.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -40.0..=150.0;

/// The zones that gave a temperature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Temperatures {
    pub(super) zones: Vec<Zone>,
    pub(super) is_raspberry_pi: bool,
}

/// One of them, in °C.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) now: f64,
    pub(super) critical: Option<f64>,
}

pub(super) fn gather(machine: &Machine<'_>) -> Temperatures {
    let folder = "/sys/class/thermal";
    let names = machine.names(folder).into_iter().filter(|name| name.starts_with("thermal_zone"));
    Temperatures {
        zones: names.filter_map(|name| zone(machine, &format!("{folder}/{name}"))).collect(),
        is_raspberry_pi: machine.is_raspberry_pi(None),
    }
}

fn zone(machine: &Machine<'_>, folder: &str) -> Option<Zone> {
    let degrees = |file: &str| {
        let thousandths = i32::try_from(machine.number(format!("{folder}/{file}"))?).ok()?;
        Some(f64::from(thousandths) / 1000.0).filter(|degrees| PLAUSIBLE.contains(degrees))
    };
    let mut trips = machine.names(folder).into_iter().filter_map(|name| {
        let trip = name.strip_suffix("_type")?;
        let is_critical = machine.text(format!("{folder}/{name}")).as_deref() == Some("critical");
        is_critical.then(|| format!("{trip}_temp"))
    });
    Some(Zone {
        name: machine.text(format!("{folder}/type"))?,
        now: degrees("temp")?,
        critical: trips.find_map(|file| degrees(&file)),
    })
}

pub(super) fn judge(temperatures: &Temperatures) -> Finding {
    let check = Check::Temperature;
    let hottest = temperatures.zones.iter().max_by(|one, other| one.now.total_cmp(&other.now));
    let Some(zone) = hottest else {
        return Finding::unknown(
            check,
            "the board does not tell its temperature",
            "see whether the kernel has a thermal driver for it, and feel whether it is hot",
        );
    };
    let critical = zone.critical.unwrap_or(CRITICAL);
    let (warm, hot) = if temperatures.is_raspberry_pi {
        (PI_WARM, PI_HOT)
    } else {
        (critical - WARM_BELOW_CRITICAL, critical - HOT_BELOW_CRITICAL)
    };
    let seen = format!("{} is at {:.1} °C; from {warm:.0} °C on it is slowed down", zone.name, zone.now);
    let next = "cool the board: heat sink, fan, air around the case; or lower frames_per_second";
    if zone.now >= hot {
        Finding::problem(check, seen, next)
    } else if zone.now >= warm {
        Finding::warning(check, seen, next)
    } else {
        Finding::ok(check, seen)
    }
}

#[cfg(test)]
mod tests;
