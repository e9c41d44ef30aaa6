//! The supply, and what the firmware does about a weak one or about heat.

use super::finding::{Check, Finding};
use super::firmware;
use super::machine::Machine;

/// Where a Raspberry Pi 5's firmware begins to complain, in volts.
const EXT5V_MIN: f64 = 4.63;
/// Below this there is little left for a load that jumps.
const EXT5V_LOW: f64 = 4.8;
/// What a Raspberry Pi 5 wants of its supply, in milliamperes.
const SUPPLY_MA_PI5: u32 = 5000;

/// The bits of `get_throttled`, now; the same 16 higher stand for "since the start".
const UNDER_VOLTAGE: u32 = 1 << 0;
const CAPPED: u32 = 1 << 1;
const THROTTLED: u32 = 1 << 2;
const SOFT_LIMIT: u32 = 1 << 3;
const SINCE_START: u32 = 16;
const NAMES: [(u32, &str); 4] = [
    (UNDER_VOLTAGE, "under-voltage"),
    (CAPPED, "clock capped"),
    (THROTTLED, "throttled"),
    (SOFT_LIMIT, "soft temperature limit"),
];

/// What supply and firmware say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Power {
    /// Whether the kernel's alarm for under-voltage is up.
    pub(super) alarm: Option<bool>,
    /// The firmware's bits.
    pub(super) throttled: Option<u32>,
    /// Volts at the input of a Raspberry Pi 5.
    pub(super) input_v: Option<f64>,
    /// What the supply of a Raspberry Pi 5 has promised, in milliamperes.
    pub(super) promised_ma: Option<u32>,
    /// Whether the board has such a firmware at all.
    pub(super) is_raspberry_pi: bool,
}

pub(super) fn gather(machine: &Machine<'_>) -> Power {
    let is_raspberry_pi = machine.is_raspberry_pi(None);
    let alarm = machine.hwmon("rpi_volt").and_then(|chip| machine.number(chip.join("in0_lcrit_alarm")));
    let asked = |words: &[&str]| is_raspberry_pi.then(|| firmware::ask(machine, words)).flatten();
    let throttled =
        node(machine).and_then(|text| bits(&text)).or_else(|| bits(asked(&["get_throttled"])?.split_once('=')?.1));
    let input = machine.is_raspberry_pi(Some(5)).then(|| asked(&["pmic_read_adc", "EXT5V_V"])).flatten();
    let promised = machine.bytes("/proc/device-tree/chosen/power/max_current");
    Power {
        alarm: alarm.map(|alarm| alarm != 0),
        throttled,
        input_v: input.and_then(|answer| firmware::value(&answer, "EXT5V_V")),
        promised_ma: promised.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?))),
        is_raspberry_pi,
    }
}

/// The firmware's bits as the kernel shows them, below `soc` or, on a Raspberry Pi 5, `soc@107c000000`.
fn node(machine: &Machine<'_>) -> Option<String> {
    let platform = "/sys/devices/platform";
    let mut chips = machine.names(platform).into_iter().filter(|name| name == "soc" || name.starts_with("soc@"));
    chips.find_map(|chip| {
        let folder = format!("{platform}/{chip}");
        let firmware = machine.names(&folder).into_iter().find(|name| name.ends_with(":firmware"))?;
        machine.text(format!("{folder}/{firmware}/get_throttled"))
    })
}

/// Hexadecimal digits, with or without `0x`.
fn bits(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// The names of the bits that are set.
fn named(bits: u32) -> String {
    let set: Vec<&str> = NAMES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "nothing".to_owned() } else { set.join(", ") }
}

const STRONGER: &str =
    "use the board's official supply and a short thick cable, and give USB devices that draw much a powered hub";

pub(super) fn judge_supply(power: &Power) -> Finding {
    let check = Check::Supply;
    let is_low = power.alarm == Some(true) || power.throttled.is_some_and(|bits| bits & UNDER_VOLTAGE != 0);
    let was_low = power.throttled.is_some_and(|bits| bits >> SINCE_START & UNDER_VOLTAGE != 0);
    let figures = figures(power);
    if is_low {
        return Finding::problem(check, format!("under-voltage now{figures}"), STRONGER);
    }
    if let Some(volts) = power.input_v.filter(|volts| *volts < EXT5V_MIN) {
        return Finding::problem(check, format!("the input has {volts:.2} V, {EXT5V_MIN} V is the least"), STRONGER);
    }
    if was_low {
        return Finding::warning(check, format!("there was under-voltage since the start{figures}"), STRONGER);
    }
    if let Some(volts) = power.input_v.filter(|volts| *volts < EXT5V_LOW) {
        return Finding::warning(check, format!("the input has {volts:.2} V, which is little"), STRONGER);
    }
    if let Some(milliamperes) = power.promised_ma.filter(|milliamperes| *milliamperes < SUPPLY_MA_PI5) {
        return Finding::warning(
            check,
            format!("the supply promises {milliamperes} mA, so all USB ports share 600 mA{figures}"),
            "use a 5 V supply for 5 A; one that only does not say so is believed with `usb_max_current_enable=1` in config.txt",
        );
    }
    match (power.alarm, power.throttled, power.input_v) {
        (None, None, None) => Finding::unknown(
            check,
            "the board does not tell of under-voltage",
            if power.is_raspberry_pi {
                "run Raspberry Pi OS, whose kernel tells; or measure at the board if it restarts by itself"
            } else {
                "measure at the board if it restarts by itself"
            },
        ),
        _ => Finding::ok(check, format!("no under-voltage{figures}")),
    }
}

fn figures(power: &Power) -> String {
    let volts = power.input_v.map(|volts| format!("{volts:.2} V at the input"));
    let promised = power.promised_ma.map(|milliamperes| format!("the supply promises {milliamperes} mA"));
    let all: Vec<String> = volts.into_iter().chain(promised).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}

pub(super) fn judge_throttle(power: &Power) -> Finding {
    let check = Check::Throttle;
    let Some(bits) = power.throttled else {
        return Finding::unknown(
            check,
            "the board does not tell whether it slows itself down",
            if power.is_raspberry_pi {
                "run Raspberry Pi OS, or install `raspi-utils` and try `vcgencmd get_throttled`"
            } else {
                "compare the clock under load with its maximum, under /sys/devices/system/cpu/cpufreq"
            },
        );
    };
    // Under-voltage is the supply's finding; here it only explains.
    let (now, since) = (bits & 0xf, bits >> SINCE_START & 0xf);
    let seen = format!("now: {}; since the start: {} (0x{bits:x})", named(now), named(since));
    let slow = CAPPED | THROTTLED | SOFT_LIMIT;
    if now & slow != 0 {
        let next = if now & UNDER_VOLTAGE != 0 {
            "cure the supply first: the firmware slows the processor down because of it"
        } else {
            "cool the board (heat sink, fan, air), or lower frames_per_second"
        };
        Finding::warning(check, seen, next)
    } else if since & slow != 0 {
        Finding::note(check, seen, "look again under load; if it comes back, cool the board or cure its supply")
    } else {
        Finding::ok(check, seen)
    }
}

#[cfg(test)]
mod tests;
