use super::*;
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

fn verdict(now: f64, critical: Option<f64>, is_raspberry_pi: bool) -> Verdict {
    let zone = Zone { name: "cpu-thermal".to_owned(), now, critical };
    judge(&Temperatures { zones: vec![zone], is_raspberry_pi }).verdict
}

#[test]
fn a_raspberry_pi_is_measured_by_its_firmware_s_limits() {
    assert_eq!(verdict(79.9, Some(110.0), true), Verdict::Ok);
    assert_eq!(verdict(80.0, Some(110.0), true), Verdict::Warning);
    assert_eq!(verdict(85.0, Some(110.0), true), Verdict::Problem);
}

#[test]
fn others_are_measured_by_their_critical_temperature() {
    assert_eq!(verdict(84.0, Some(105.0), false), Verdict::Ok);
    assert_eq!(verdict(86.0, Some(105.0), false), Verdict::Warning);
    assert_eq!(verdict(98.0, Some(105.0), false), Verdict::Problem);
    assert_eq!(verdict(93.0, None, false), Verdict::Problem);
}

#[test]
fn the_hottest_zone_counts_and_broken_ones_do_not() {
    let tree = Tree::new();
    let put = |zone: &str, kind: &str, temperature: &str| {
        tree.put(&format!("sys/class/thermal/{zone}/type"), kind);
        tree.put(&format!("sys/class/thermal/{zone}/temp"), temperature);
    };
    put("thermal_zone0", "soc-thermal", "36100");
    put("thermal_zone1", "npu-thermal", "41000");
    put("thermal_zone2", "broken-thermal", "-274000");
    put("thermal_zone3", "empty-thermal", "");
    put("cooling_device0", "fan", "99000");
    tree.put("sys/class/thermal/thermal_zone1/trip_point_0_type", "passive");
    tree.put("sys/class/thermal/thermal_zone1/trip_point_0_temp", "70000");
    tree.put("sys/class/thermal/thermal_zone1/trip_point_1_type", "critical");
    tree.put("sys/class/thermal/thermal_zone1/trip_point_1_temp", "115000");
    let found = gather(&tree.machine());
    assert_eq!(found.zones.len(), 2);
    assert_eq!(found.zones[1].critical, Some(115.0));
    assert_eq!(judge(&found).seen, "npu-thermal is at 41.0 °C; from 95 °C on it is slowed down");
    assert_eq!(judge(&Temperatures::default()).verdict, Verdict::Unknown);
}
