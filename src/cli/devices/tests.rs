use std::fs;
use std::path::Path;

use clawdbot_flow::rooted::Root;

use super::{report, text};

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn an_empty_board_is_described_in_whole_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let text = text(&report(&Root::new(folder.path())));
    assert!(
        text.contains("board: does not say") && text.contains("cameras: none") && text.contains("sensors: none"),
        "{text}"
    );
}

#[test]
fn a_fake_board_shows_its_sensors_and_why_a_node_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
    put(folder.path(), "sys/class/hwmon/hwmon1/name", "cpu_thermal\n");
    put(folder.path(), "sys/class/hwmon/hwmon1/temp1_input", "48686\n");
    put(folder.path(), "sys/bus/iio/devices/iio:device0/name", "bme280\n");
    put(folder.path(), "sys/bus/iio/devices/iio:device0/in_pressure_input", "NaN\n");
    put(folder.path(), "dev/video0", "");
    put(folder.path(), "dev/dri/renderD128", "");
    let report = report(&Root::new(folder.path()));
    let text = text(&report);
    for part in [
        "Raspberry Pi 4",
        "hwmon cpu_thermal temp1: 48.686 °C",
        "iio bme280 in_pressure: ",
        "no number",
        "GPU: /dev/dri/renderD128",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    #[cfg(feature = "v4l2")]
    assert!(text.contains("video0  ") && text.contains("no video device"), "{text}");
    assert_eq!(report["sensors"][0]["value"], 48.686);
}
