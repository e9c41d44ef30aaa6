use std::path::Path;

use super::{Mounts, disk, mount};

const MOUNTS: &str = "\
22 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw
23 22 179:1 / /boot/firmware rw,relatime shared:2 - vfat /dev/mmcblk0p1 rw,fmask=0022
24 22 0:30 / /run rw,nosuid - tmpfs tmpfs rw,size=790000k
25 22 8:1 / /mnt/my\\040disk ro,relatime - ext4 /dev/sda1 rw
no line of mountinfo
26 22 8:17 / /mnt/failed rw,relatime - ext4 /dev/sdb1 ro";

fn mounts() -> Mounts {
    let disk_of = |number: &str, source: &str| match number {
        "179:2" => Some("mmcblk0".to_owned()),
        _ => disk(source.trim_start_matches("/dev/")),
    };
    Mounts(MOUNTS.lines().filter_map(|line| mount(line, disk_of)).collect())
}

#[test]
fn the_deepest_mount_holds_a_path() {
    let mounts = mounts();
    let disk_of = |path: &str| mounts.holding(Path::new(path)).unwrap().disk.clone();
    assert_eq!(disk_of("/var/lib/clawdbot").as_deref(), Some("mmcblk0"));
    assert_eq!(disk_of("/boot/firmware/cmdline.txt").as_deref(), Some("mmcblk0"));
    assert_eq!(disk_of("/mnt/my disk/x").as_deref(), Some("sda"));
    assert_eq!(disk_of("/run/clawdbot"), None);
    assert!(Mounts::default().holding(Path::new("/")).is_none());
}

#[test]
fn read_only_is_said_by_the_mount_or_by_the_file_system() {
    let mounts = mounts();
    let is_read_only = |path: &str| mounts.holding(Path::new(path)).unwrap().read_only;
    assert!(!is_read_only("/var") && is_read_only("/mnt/my disk") && is_read_only("/mnt/failed"));
}

#[test]
fn disks_are_known_by_their_names() {
    for (partition, expected) in [
        ("mmcblk0p2", Some("mmcblk0")),
        ("mmcblk0", Some("mmcblk0")),
        ("nvme0n1p3", Some("nvme0n1")),
        ("nvme0n1", Some("nvme0n1")),
        ("sda1", Some("sda")),
        ("vda", Some("vda")),
        ("root", None),
        ("mapper/root", None),
        ("zram0", None),
        ("sd1", None),
    ] {
        assert_eq!(disk(partition).as_deref(), expected, "{partition}");
    }
}
