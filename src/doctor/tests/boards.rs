use clawdbot_kernels::isa::Isa;

use super::load;
use super::tree::Tree;
use crate::doctor::machine::{Machine, Space};
use crate::doctor::{Finding, examine};
use crate::mqtt::probe::Reach;

/// Everything that was found, a line each, with the board's folder called BOARD.
fn summary(tree: &Tree, machine: &Machine<'_>) -> String {
    let line = |finding: &Finding| {
        let subject = finding.subject.as_ref().map_or_else(String::new, |subject| format!(" {subject}"));
        format!("{} {}{subject}: {}\n", finding.verdict.name(), finding.check.name(), finding.seen)
    };
    let lines: String = examine(machine, &load(tree, None)).iter().map(line).collect();
    lines.replace(&tree.path("").display().to_string(), "BOARD/")
}

#[track_caller]
fn check(tree: &Tree, machine: &Machine<'_>, expected: &str) {
    let found = summary(tree, machine);
    // The detector's own size is the model's test.
    let without_sizes = |text: &str| {
        let lines = text.lines().map(|line| match line.split_once(" model: ") {
            Some((verdict, _)) => format!("{verdict} model\n"),
            None => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    let (found, expected) = (without_sizes(&found), without_sizes(expected.trim_start()));
    assert_eq!(found, expected, "\n--- found:\n{found}");
}

fn model(tree: &Tree, model: &str) {
    tree.put_bytes("proc/device-tree/model", format!("{model}\0").as_bytes());
}

fn memory(tree: &Tree, kibibytes: u64) {
    tree.put("proc/meminfo", &format!("MemTotal: {kibibytes} kB\nMemAvailable: {} kB", kibibytes * 3 / 4));
}

fn zone(tree: &Tree, number: u8, kind: &str, temperature: u32, critical: Option<u32>) {
    let folder = format!("sys/class/thermal/thermal_zone{number}");
    tree.put(&format!("{folder}/type"), kind);
    tree.put(&format!("{folder}/temp"), &temperature.to_string());
    if let Some(critical) = critical {
        tree.put(&format!("{folder}/trip_point_0_type"), "critical");
        tree.put(&format!("{folder}/trip_point_0_temp"), &critical.to_string());
    }
}

fn governor(tree: &Tree, name: &str, driver: &str, kilohertz: u32) {
    let folder = "sys/devices/system/cpu/cpufreq/policy0";
    tree.put(&format!("{folder}/scaling_governor"), name);
    tree.put(&format!("{folder}/scaling_driver"), driver);
    for file in ["scaling_max_freq", "cpuinfo_max_freq"] {
        tree.put(&format!("{folder}/{file}"), &kilohertz.to_string());
    }
}

fn pages(tree: &Tree, bytes: usize) {
    let words: Vec<u8> = [6, bytes, 0, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
    tree.put_bytes("proc/self/auxv", &words);
}

/// What Raspberry Pi OS looks like on any of its boards.
fn raspberry_pi_os(tree: &Tree, alarm: &str, throttled: &str) {
    tree.put("sys/class/hwmon/hwmon1/name", "rpi_volt");
    tree.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm);
    tree.put("sys/devices/platform/soc/soc:firmware/get_throttled", throttled);
    tree.put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids");
    tree.put("proc/cgroups", "memory\t0\t90\t0");
    tree.put("proc/cmdline", "cgroup_disable=memory console=tty1 root=PARTUUID=x");
    tree.put("boot/firmware/cmdline.txt", "console=tty1 root=PARTUUID=x");
    tree.put(
        "proc/self/mountinfo",
        "22 1 179:2 / / rw,noatime - ext4 /dev/root rw\n23 22 0:5 / /dev rw - devtmpfs udev rw",
    );
    tree.link("sys/dev/block/179:2", "../../block/mmcblk0/mmcblk0p2");
    tree.put("sys/block/mmcblk0/device/name", "SC32G");
    tree.put("sys/class/watchdog/watchdog0/identity", "Broadcom BCM2835 Watchdog timer");
    tree.put("sys/class/watchdog/watchdog0/timeout", "15");
    tree.put("proc/sys/kernel/arch", "aarch64");
    tree.put_bytes("bin/sh", b"\x7fELF\x02\x01");
    tree.put("etc/group", "root:x:0:\nvideo:x:44:pi");
    tree.put("proc/1/comm", "systemd");
    tree.folder("proc/1/fd");
    tree.folder("var/lib");
}

fn answers(tree: &Tree, isa: Isa) -> Machine<'_> {
    let mut machine = tree.machine();
    machine.answers.synchronised = Some(true);
    machine.answers.program = Some(if matches!(isa, Isa::Avx2 | Isa::AvxVnni) { "x86_64" } else { "aarch64" });
    machine.answers.isa = Some(Ok(isa));
    machine.answers.space = |_| Ok(Space { free: 20 << 30, total: 29 << 30, files_free: Some(1_000_000) });
    machine.answers.read_speed = |_, _| Ok(22_500_000);
    machine
}

#[test]
fn a_raspberry_pi_3_with_a_weak_supply_on_bookworm() {
    let tree = Tree::new();
    model(&tree, "Raspberry Pi 3 Model B Plus Rev 1.3");
    raspberry_pi_os(&tree, "1", "50005");
    memory(&tree, 930_000);
    zone(&tree, 0, "cpu-thermal", 47_236, Some(90_000));
    governor(&tree, "ondemand", "raspberrypi-cpufreq", 1_400_000);
    pages(&tree, 4096);
    tree.put("proc/swaps", "Filename Type Size Used Priority\n/var/swap file 524284 210000 -2");
    tree.put("sys/class/watchdog/watchdog0/state", "inactive");
    let mut machine = answers(&tree, Isa::Neon);
    machine.answers.synchronised = Some(false);
    check(&tree, &machine, include_str!("boards/pi3.txt"));
}

#[test]
fn a_raspberry_pi_4_with_a_configuration_whose_camera_is_gone() {
    let tree = Tree::new();
    model(&tree, "Raspberry Pi 4 Model B Rev 1.5");
    raspberry_pi_os(&tree, "0", "80000");
    memory(&tree, 3_880_000);
    zone(&tree, 0, "cpu-thermal", 81_300, Some(110_000));
    governor(&tree, "ondemand", "cpufreq-dt", 1_800_000);
    pages(&tree, 4096);
    tree.put("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 1940000 0 100");
    tree.put("sys/class/watchdog/watchdog0/state", "active");
    tree.put("dev/video10", "");
    tree.put(
        "etc/clawdbot/clawdbot.toml",
        "[node]\nname = \"porch\"\n[mqtt]\nhost = \"broker.lan\"\nusername = \"porch\"\npassword = \"secret\"\n\
         [[camera]]\nid = \"front\"\nsource = \"v4l2\"\ndevice = \"/dev/v4l/by-id/usb-front-index0\"",
    );
    let mut machine = answers(&tree, Isa::Neon);
    machine.answers.broker = |options, _, _| {
        assert_eq!(options.client_id(), "porch-doctor0");
        Reach::WrongLogin
    };
    check(&tree, &machine, include_str!("boards/pi4.txt"));
}

#[test]
fn a_raspberry_pi_5_in_order() {
    let tree = Tree::new();
    model(&tree, "Raspberry Pi 5 Model B Rev 1.0");
    raspberry_pi_os(&tree, "0", "0");
    memory(&tree, 8_258_000);
    zone(&tree, 0, "cpu-thermal", 51_800, Some(110_000));
    governor(&tree, "ondemand", "cpufreq-dt", 2_400_000);
    pages(&tree, 16_384);
    tree.put("proc/cgroups", "memory\t0\t90\t1");
    tree.put("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 2097136 0 100");
    tree.put("sys/class/watchdog/watchdog0/state", "active");
    tree.put("sys/class/rtc/rtc0/date", "2026-12-01");
    tree.put("sys/class/rtc/rtc0/hctosys", "1");
    tree.put_bytes("proc/device-tree/chosen/power/max_current", &[0, 0, 0x13, 0x88]);
    tree.program("usr/bin/vcgencmd", "echo ' EXT5V_V volt(24)=5.13000000V'");
    check(&tree, &answers(&tree, Isa::NeonDotprod), include_str!("boards/pi5.txt"));
}

#[test]
fn an_x86_box() {
    let tree = Tree::new();
    memory(&tree, 16_200_000);
    zone(&tree, 0, "x86_pkg_temp", 45_000, None);
    governor(&tree, "powersave", "intel_pstate", 3_600_000);
    pages(&tree, 4096);
    tree.put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids");
    tree.put("proc/self/mountinfo", "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw");
    tree.put("proc/swaps", "Filename Type Size Used Priority");
    tree.put("proc/sys/kernel/arch", "x86_64");
    tree.put_bytes("bin/sh", b"\x7fELF\x02\x01");
    tree.put("sys/class/rtc/rtc0/date", "2026-12-01");
    tree.put("sys/class/rtc/rtc0/hctosys", "1");
    let mut machine = answers(&tree, Isa::AvxVnni);
    machine.answers.broker = |_, _, _| Reach::Accepted { certificate: None };
    check(&tree, &machine, include_str!("boards/x86.txt"));
}
