use std::fs;
use std::path::Path;

use clawdbot_flow::rooted::Root;

use super::{ChannelError, list, read};
use crate::sources::sensor::Kind;

struct Board(tempfile::TempDir);

impl Board {
    fn new(files: &[(&str, &str)]) -> Self {
        let board = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            board.put(path, content);
        }
        board
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn hwmon(&self, chip: &str, channel: &str) -> Result<f64, ChannelError> {
        read(&Root::new(self.0.path()), &Kind::Hwmon { chip: chip.to_owned(), channel: channel.to_owned() })
    }

    fn iio(&self, device: &str, channel: &str) -> Result<f64, ChannelError> {
        read(&Root::new(self.0.path()), &Kind::Iio { device: device.to_owned(), channel: channel.to_owned() })
    }
}

#[track_caller]
fn assert_near(value: Result<f64, ChannelError>, wanted: f64) {
    let value = value.unwrap();
    assert!((value - wanted).abs() < 1e-9, "{value} is not {wanted}");
}

#[test]
fn hwmon_channels_are_scaled_as_the_abi_says() {
    let board = Board::new(&[
        ("sys/class/hwmon/hwmon3/name", "chip\n"),
        ("sys/class/hwmon/hwmon3/temp1_input", "47236\n"),
        ("sys/class/hwmon/hwmon3/temp2_input", "-5500\n"),
        ("sys/class/hwmon/hwmon3/in0_input", "5012\n"),
        ("sys/class/hwmon/hwmon3/curr1_input", "320\n"),
        ("sys/class/hwmon/hwmon3/power1_input", "2500000\n"),
        ("sys/class/hwmon/hwmon3/fan1_input", "1200\n"),
        ("sys/class/hwmon/hwmon3/humidity1_input", "45500\n"),
        ("sys/class/hwmon/hwmon3/in0_lcrit_alarm", "1\n"),
        ("sys/class/hwmon/hwmon3/temp1_crit", "110000\n"),
        ("sys/class/hwmon/hwmon3/pwm1", "128\n"),
    ]);
    for (channel, wanted) in [
        ("temp1", 47.236),
        ("temp1_input", 47.236),
        ("temp2", -5.5),
        ("in0", 5.012),
        ("curr1", 0.32),
        ("power1", 2.5),
        ("fan1", 1200.0),
        ("humidity1", 45.5),
        ("in0_lcrit_alarm", 1.0),
        ("temp1_crit", 110.0),
        ("pwm1", 128.0),
    ] {
        assert_near(board.hwmon("chip", channel), wanted);
    }
}

#[test]
fn iio_channels_are_raw_plus_offset_times_scale() {
    let board = Board::new(&[
        ("sys/bus/iio/devices/iio:device0/name", "bme280\n"),
        ("sys/bus/iio/devices/iio:device0/in_temp_input", "21560\n"),
        ("sys/bus/iio/devices/iio:device0/in_pressure_input", "101.325\n"),
        ("sys/bus/iio/devices/iio:device1/name", "ads1115\n"),
        ("sys/bus/iio/devices/iio:device1/in_voltage0_raw", "1000\n"),
        ("sys/bus/iio/devices/iio:device1/in_voltage_scale", "3\n"),
        ("sys/bus/iio/devices/iio:device1/in_voltage1_raw", "1000\n"),
        ("sys/bus/iio/devices/iio:device1/in_voltage1_scale", "2\n"),
        ("sys/bus/iio/devices/iio:device1/in_voltage1_offset", "-500\n"),
        ("sys/bus/iio/devices/iio:device2/name", "imu\n"),
        ("sys/bus/iio/devices/iio:device2/in_accel_x_raw", "100\n"),
        ("sys/bus/iio/devices/iio:device2/in_accel_scale", "0.01\n"),
    ]);
    assert_near(board.iio("bme280", "in_temp"), 21.56);
    assert_near(board.iio("bme280", "in_pressure"), 1013.25);
    assert_near(board.iio("ads1115", "in_voltage0"), 3.0);
    assert_near(board.iio("ads1115", "in_voltage0_raw"), 3.0);
    assert_near(board.iio("ads1115", "in_voltage1"), 1.0);
    assert_near(board.iio("imu", "in_accel_x"), 1.0);
}

#[test]
fn a_chip_is_found_by_name_whatever_its_number() {
    let board = Board::new(&[
        ("sys/class/hwmon/hwmon10/name", "cpu_thermal\n"),
        ("sys/class/hwmon/hwmon10/temp1_input", "1000\n"),
        ("sys/class/hwmon/hwmon2/name", "rpi_volt\n"),
        ("sys/class/hwmon/hwmon9/name", "cpu_thermal\n"),
    ]);
    assert_near(board.hwmon("cpu_thermal", "temp1"), 1.0);
    fs::rename(board.path("sys/class/hwmon/hwmon10"), board.path("sys/class/hwmon/hwmon4")).unwrap();
    assert_near(board.hwmon("cpu_thermal", "temp1"), 1.0);
}

/// Every way in which a reading may fail: it is absent with a reason, never zero, and nothing blocks.
#[test]
fn a_reading_that_the_board_does_not_give_is_absent_with_a_reason() {
    const FILE: &str = "sys/class/hwmon/hwmon0/temp1_input";
    let board = Board::new(&[("sys/class/hwmon/hwmon0/name", "chip\n"), (FILE, "1000\n")]);
    let absent = |part: &str| {
        let reason = board.hwmon("chip", "temp1").unwrap_err().to_string();
        assert!(reason.contains(part), "{reason}");
    };
    for (content, part) in [
        ("", "empty"),
        ("\n", "empty"),
        ("-22\n", "-22"),
        ("-5", "-5"),
        ("NaN\n", "`NaN`"),
        ("inf", "`inf`"),
        ("warm", "`warm`"),
        ("1 2", "`1 2`"),
    ] {
        board.put(FILE, content);
        absent(part);
    }
    fs::write(board.path(FILE), [0xff, 0xfe, 0x00]).unwrap();
    absent("is no number");
    fs::remove_file(board.path(FILE)).unwrap();
    absent("no channel");
    // A folder in the file's place: reading it fails, as reading a broken sensor does.
    fs::create_dir(board.path(FILE)).unwrap();
    absent("can't be read");
    fs::remove_dir(board.path(FILE)).unwrap();
    fifo(&board.path(FILE));
    absent("empty");
    fs::remove_dir_all(board.path("sys/class/hwmon/hwmon0")).unwrap();
    absent("no chip named `chip`");
}

/// A FIFO without a writer: a plain `open` of it would wait for ever.
fn fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn a_fifo_whose_writer_says_nothing_does_not_block() {
    use std::os::unix::fs::OpenOptionsExt;
    let board = Board::new(&[("sys/class/hwmon/hwmon0/name", "chip\n")]);
    let path = board.path("sys/class/hwmon/hwmon0/temp1_input");
    fifo(&path);
    let _writer = fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
    assert!(board.hwmon("chip", "temp1").unwrap_err().to_string().contains("can't be read"));
}

#[test]
fn units_follow_the_channel() {
    for (kind, unit) in [
        (Kind::Hwmon { chip: String::new(), channel: "temp12".to_owned() }, Some("°C")),
        (Kind::Hwmon { chip: String::new(), channel: "in0".to_owned() }, Some("V")),
        (Kind::Hwmon { chip: String::new(), channel: "in0_lcrit_alarm".to_owned() }, None),
        (Kind::Hwmon { chip: String::new(), channel: "intrusion0".to_owned() }, None),
        (Kind::Iio { device: String::new(), channel: "in_voltage0-voltage1".to_owned() }, Some("V")),
        (Kind::Iio { device: String::new(), channel: "in_humidityrelative".to_owned() }, Some("%")),
        (Kind::Iio { device: String::new(), channel: "in_count0".to_owned() }, None),
    ] {
        assert_eq!(kind.unit_default(), unit, "{kind:?}");
    }
}

#[test]
fn all_channels_are_listed() {
    let board = Board::new(&[
        ("sys/class/hwmon/hwmon0/name", "chip\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "1\n"),
        ("sys/class/hwmon/hwmon0/temp1_crit", "1\n"),
        ("sys/class/hwmon/hwmon1/temp1_input", "1\n"),
        ("sys/bus/iio/devices/iio:device0/name", "adc\n"),
        ("sys/bus/iio/devices/iio:device0/in_voltage0_raw", "1\n"),
        ("sys/bus/iio/devices/iio:device0/in_voltage0_scale", "1\n"),
    ]);
    let kinds = list(&Root::new(board.0.path()));
    assert_eq!(
        kinds,
        [
            Kind::Hwmon { chip: "chip".to_owned(), channel: "temp1".to_owned() },
            Kind::Iio { device: "adc".to_owned(), channel: "in_voltage0".to_owned() },
        ]
    );
}
