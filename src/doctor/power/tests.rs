use super::{Power, bits, gather, judge_supply, judge_throttle};
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

fn pi(throttled: u32) -> Power {
    Power { alarm: Some(false), throttled: Some(throttled), is_raspberry_pi: true, ..Power::default() }
}

#[track_caller]
fn check(power: Power, supply: Verdict, throttle: Verdict) {
    assert_eq!(judge_supply(&power).verdict, supply, "{}", judge_supply(&power).seen);
    assert_eq!(judge_throttle(&power).verdict, throttle, "{}", judge_throttle(&power).seen);
}

#[test]
fn each_bit_has_its_verdict() {
    check(pi(0), Verdict::Ok, Verdict::Ok);
    check(pi(0x1), Verdict::Problem, Verdict::Ok);
    check(pi(0x5_0005), Verdict::Problem, Verdict::Warning);
    check(pi(0x2), Verdict::Ok, Verdict::Warning);
    check(pi(0x8_0008), Verdict::Ok, Verdict::Warning);
    check(pi(0x1_0000), Verdict::Warning, Verdict::Ok);
    check(pi(0xe_0000), Verdict::Ok, Verdict::Note);
}

#[test]
fn the_bits_are_named_now_and_since_the_start() {
    let seen = judge_throttle(&pi(0x8_0005)).seen;
    assert_eq!(seen, "now: under-voltage, throttled; since the start: soft temperature limit (0x80005)");
    assert!(judge_throttle(&pi(0x5)).next.unwrap().contains("supply"));
    assert!(judge_throttle(&pi(0x4)).next.unwrap().contains("cool"));
}

#[test]
fn what_is_not_told_is_unknown() {
    check(Power::default(), Verdict::Unknown, Verdict::Unknown);
    let alarm = Power { alarm: Some(false), is_raspberry_pi: true, ..Power::default() };
    check(alarm, Verdict::Ok, Verdict::Unknown);
}

#[test]
fn the_alarm_alone_is_enough() {
    check(Power { alarm: Some(true), ..Power::default() }, Verdict::Problem, Verdict::Unknown);
}

#[test]
fn a_raspberry_pi_5_tells_volts_and_what_its_supply_promised() {
    let with = |volts, milliamperes| Power { input_v: Some(volts), promised_ma: Some(milliamperes), ..pi(0) };
    check(with(5.15, 5000), Verdict::Ok, Verdict::Ok);
    check(with(4.5, 5000), Verdict::Problem, Verdict::Ok);
    check(with(4.7, 5000), Verdict::Warning, Verdict::Ok);
    check(with(5.1, 3000), Verdict::Warning, Verdict::Ok);
    assert!(judge_supply(&with(5.1, 3000)).seen.contains("3000 mA"));
}

#[test]
fn digits_come_with_and_without_their_prefix() {
    assert_eq!(bits("80008\n"), Some(0x8_0008));
    assert_eq!(bits("0x50000"), Some(0x5_0000));
    assert_eq!(bits("-22"), None);
    assert_eq!(bits(""), None);
}

#[test]
fn readings_are_found_by_name_wherever_they_lie() {
    let tree = Tree::new();
    tree.put("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0");
    tree.put("sys/class/hwmon/hwmon0/name", "cpu_thermal");
    tree.put("sys/class/hwmon/hwmon4/name", "rpi_volt");
    tree.put("sys/class/hwmon/hwmon4/in0_lcrit_alarm", "1");
    tree.put("sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "50000");
    tree.put_bytes("proc/device-tree/chosen/power/max_current", &[0, 0, 0x13, 0x88]);
    tree.program("usr/bin/vcgencmd", "[ \"$1\" = pmic_read_adc ] && echo ' EXT5V_V volt(24)=5.10V'");
    assert_eq!(
        gather(&tree.machine()),
        Power {
            alarm: Some(true),
            throttled: Some(0x5_0000),
            input_v: Some(5.1),
            promised_ma: Some(5000),
            is_raspberry_pi: true
        }
    );
}

#[test]
fn readings_that_make_no_sense_are_none() {
    let tree = Tree::new();
    tree.put("sys/class/hwmon/hwmon1/name", "rpi_volt");
    tree.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "NaN");
    tree.folder("sys/devices/platform/soc/soc:firmware/get_throttled");
    tree.put_bytes("proc/device-tree/chosen/power/max_current", &[1]);
    assert_eq!(gather(&tree.machine()), Power::default());
}
