//! The root made ours: settings, user, our package, what starts; and nothing in it that two boards must not share.

use std::fs;
use std::path::Path;

use super::card::DISK_ID;
use super::options::Options;
use super::{Tree, create_folder};
use crate::Outcome;
use crate::process::{self, repository_root};

/// Units that a board starts, beside those that packages enable.
const ENABLED: &[&str] = &[
    "avahi-daemon.service",
    "clawdbot-first-boot.service",
    "clawdbot-grow.service",
    "ssh.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
];
/// Units that an appliance does without: nothing here installs what they fetch, and they wear the card.
const DISABLED: &[&str] = &[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "wpa_supplicant.service",
];
/// What two boards must not share, and what is only in the way.
const REMOVED: &[&str] = &[
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log/apt",
    "var/log/alternatives.log",
    "var/log/bootstrap.log",
    "var/log/dpkg.log",
];
/// The daemon's unit that the board starts before everything that has a name or a network.
const FIRST_BOOT: &str = "clawdbot-first-boot.service";
/// Where the FAT partition is mounted.
const BOOT: &str = "boot/firmware";

/// Makes the system of the packages ours.
pub(super) fn settle(root: &Tree, deb: &Path, options: &Options, epoch: u64) -> Outcome {
    root.lay_over(&repository_root().join("deploy/image/root"))?;
    root.write("etc/hostname", "clawdbot\n", 0o644)?;
    root.write(
        "etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tclawdbot\n",
        0o644,
    )?;
    root.write("etc/fstab", &fstab(options.is_read_only), 0o644)?;
    root.write("etc/default/raspi-firmware", &firmware_settings(), 0o644)?;
    // A board without a clock starts no earlier than this.
    root.write("usr/lib/clock-epoch", "", 0o644)?;
    process::run(process::command("touch", &[&format!("--date=@{epoch}")]).arg(root.path("usr/lib/clock-epoch")))?;
    if let Some(keyring) = &options.keyring {
        let place = root.path(&keyring.to_string_lossy());
        create_folder(place.parent().unwrap_or(Path::new("/")))?;
        fs::copy(keyring, place).map_err(|error| format!("cannot copy {}: {error}", keyring.display()))?;
    }
    add_user(root)?;
    install(root, deb)?;
    enable(root)?;
    if options.is_read_only {
        make_read_only(root)?;
    }
    let keys = fs::read_dir(root.path("etc/ssh")).into_iter().flatten().flatten();
    for key in keys.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with("ssh_host_")) {
        root.remove(&format!("etc/ssh/{}", key.to_string_lossy()))?;
    }
    REMOVED.iter().try_for_each(|path| root.remove(path))?;
    // Empty: systemd makes one at the first boot, and keeps it.
    root.write("etc/machine-id", "", 0o444)?;
    root.link("/run/systemd/resolve/stub-resolv.conf", "etc/resolv.conf")
}

/// Copies kernel, firmware and settings to where the root's own tools put them, then takes them out of the root.
pub(super) fn take_boot_files(root: &Tree, to: &Path) -> Outcome {
    create_folder(to)?;
    // Debian's hook writes cmdline.txt and config.txt by our settings; the Raspberry Pi's own kernel has another.
    let hook = "etc/kernel/postinst.d/z50-raspi-firmware";
    if root.path(hook).is_file() {
        root.run(&["env", "DEB_MAINT_PARAMS=configure", &format!("/{hook}")])?;
    }
    let example = root.output(&["clawdbot", "first-boot", "--example"])?;
    root.write(&format!("{BOOT}/clawdbot.example.toml"), &example.replace('\n', "\r\n"), 0o644)?;
    let command_line = root.path(&format!("{BOOT}/cmdline.txt"));
    if !command_line.is_file() {
        root.write(&format!("{BOOT}/cmdline.txt"), &format!("{}\n", own_command_line()), 0o644)?;
        root.write(&format!("{BOOT}/config.txt"), "arm_64bit=1\nauto_initramfs=1\nenable_uart=1\n", 0o644)?;
    }
    check_command_line(&fs::read_to_string(&command_line).unwrap_or_default())?;
    let mut command = process::command("cp", &["--recursive", "--no-target-directory"]);
    process::run(command.arg(root.path(BOOT)).arg(to))?;
    root.remove(BOOT)?;
    create_folder(&root.path(BOOT))
}

fn add_user(root: &Tree) -> Outcome {
    // `*`: no password opens it, but a key does.
    root.run(&[
        "useradd",
        "--create-home",
        "--shell",
        "/bin/bash",
        "--groups",
        "adm,sudo,systemd-journal,video",
        "pi",
    ])?;
    root.run(&["usermod", "--password", "*", "pi"])
}

/// Our package with its maintainer scripts, as on a board.
fn install(root: &Tree, deb: &Path) -> Outcome {
    let inside = root.path("tmp/clawdbot.deb");
    fs::copy(deb, &inside).map_err(|error| format!("cannot copy {}: {error}", deb.display()))?;
    root.run(&["dpkg", "--install", "/tmp/clawdbot.deb"])
        .map_err(|error| format!("{error}; is {} for arm64?", deb.display()))?;
    root.remove("tmp/clawdbot.deb")?;
    let unit = format!("systemd/{FIRST_BOOT}");
    let text =
        fs::read_to_string(repository_root().join(&unit)).map_err(|error| format!("cannot read {unit}: {error}"))?;
    root.write(&format!("usr/lib/systemd/system/{FIRST_BOOT}"), &text, 0o644)
}

fn enable(root: &Tree) -> Outcome {
    root.run(&[&["systemctl", "enable"], ENABLED].concat())?;
    root.run(&[&["systemctl", "disable"], DISABLED].concat())?;
    // Joined when the device appears: a board without Wi-Fi must not wait for one.
    let wants = "etc/systemd/system/sys-subsystem-net-devices-wlan0.device.wants/wpa_supplicant@wlan0.service";
    root.link("/lib/systemd/system/wpa_supplicant@.service", wants)
}

/// What is mounted. The data partition is made by the board when it is empty, and grows with its card; a card that is too
/// small for it still boots.
fn fstab(is_read_only: bool) -> String {
    let root_options = if is_read_only { "ro,noatime" } else { "defaults,noatime" };
    let mut text = format!(
        "PARTUUID={DISK_ID}-02 / ext4 {root_options} 0 1\n\
         PARTUUID={DISK_ID}-01 /{BOOT} vfat defaults,flush,umask=0027,gid=clawdbot 0 2\n\
         PARTUUID={DISK_ID}-04 /var/lib/clawdbot ext4 \
         defaults,noatime,nofail,x-systemd.makefs,x-systemd.growfs,x-systemd.device-timeout=90s 0 2\n"
    );
    if is_read_only {
        for (folder, mode) in
            [("/tmp", "1777"), ("/var/tmp", "1777"), ("/var/log", "0755"), ("/var/lib/systemd", "0755")]
        {
            text += &format!("tmpfs {folder} tmpfs defaults,nosuid,nodev,mode={mode} 0 0\n");
        }
    }
    text
}

/// For Debian's hook. No memory for a screen's camera pipeline, the serial port, the screen; the root by its id.
fn firmware_settings() -> String {
    format!(
        "# Written by `cargo xtask image`.\nCMA=0\nCONSOLES=\"ttyS1,115200 tty0\"\nROOTPART=PARTUUID={DISK_ID}-02\n"
    )
}

fn own_command_line() -> String {
    format!(
        "console=serial0,115200 console=tty1 root=PARTUUID={DISK_ID}-02 rootfstype=ext4 fsck.repair=yes rootwait cgroup_enable=memory"
    )
}

/// Later words win: the firmware turns the memory controller off, and without it the unit's limits are void.
fn check_command_line(text: &str) -> Outcome {
    let lines: Vec<&str> = text.lines().collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let root = format!("root=PARTUUID={DISK_ID}-02");
    if lines.len() == 1 && words.contains(&root.as_str()) && words.contains(&"cgroup_enable=memory") {
        return Ok(());
    }
    Err(format!("cmdline.txt is not one line with {root} and cgroup_enable=memory: {text:?}"))
}

fn make_read_only(root: &Tree) -> Outcome {
    root.lay_over(&repository_root().join("deploy/image/read-only"))?;
    // Mounted read-only from the start, so that nothing writes before fstab is read.
    let settings = "etc/default/raspi-extra-cmdline";
    let text = fs::read_to_string(root.path(settings)).map_err(|error| format!("cannot read {settings}: {error}"))?;
    root.write(settings, &format!("{} ro\n", text.trim()), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_without_the_memory_controller_is_refused() {
        assert_eq!(check_command_line(&format!("{}\n", own_command_line())), Ok(()));
        assert!(check_command_line("root=PARTUUID=c1a3db07-02 rw\n").is_err());
        assert!(check_command_line("root=/dev/mmcblk0p2 cgroup_enable=memory\n").is_err());
        assert!(check_command_line(&format!("{}\n\nquiet\n", own_command_line())).is_err());
    }

    #[test]
    fn the_table_of_mounts_follows_the_option() {
        let plain = fstab(false);
        assert!(plain.contains("PARTUUID=c1a3db07-02 / ext4 defaults,noatime 0 1\n") && !plain.contains("tmpfs"));
        assert!(plain.contains("x-systemd.makefs") && plain.lines().count() == 3);
        let read_only = fstab(true);
        assert!(read_only.contains("-02 / ext4 ro,noatime 0 1\n") && read_only.contains("tmpfs /var/tmp tmpfs"));
    }

    #[test]
    fn a_read_only_root_is_mounted_anew_for_the_whole_machine() {
        let unit = "deploy/image/read-only/etc/systemd/system/clawdbot-first-boot.service.d/read-only.conf";
        let text = fs::read_to_string(repository_root().join(unit)).unwrap();
        let anew: Vec<&str> = text.lines().filter(|line| line.contains("remount,")).collect();
        // Without nsenter it is changed in the unit's own copy of the mounts.
        assert!(anew.len() == 2 && anew.iter().all(|line| line.contains("nsenter --mount=/proc/1/ns/mnt")), "{text}");
    }

    #[test]
    fn the_grown_partition_is_the_table_s() {
        let unit = repository_root().join("deploy/image/root/etc/systemd/system/clawdbot-grow.service");
        let text = fs::read_to_string(unit).unwrap();
        assert!(text.contains(&format!("/dev/disk/by-partuuid/{DISK_ID}-04")));
        assert!(text.contains(&format!("by\\x2dpartuuid-{DISK_ID}\\x2d04.device")));
    }
}
