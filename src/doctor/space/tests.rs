use super::*;
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

fn room(free: u64) -> Room {
    let space = Space { free, total: 32 << 30, files_free: Some(1000) };
    Room { folder: PathBuf::from(STATE_FOLDER), space: Some(space), read_only: false, is_overlay: false }
}

#[test]
fn room_has_two_limits() {
    for (free, verdict) in [(1 << 30, Verdict::Ok), (100 << 20, Verdict::Warning), (10 << 20, Verdict::Problem)] {
        assert_eq!(judge(&room(free)).verdict, verdict);
    }
    assert_eq!(judge(&room(10 << 30)).seen, "10240 of 32768 MiB are free in /var/lib/clawdbot");
}

#[test]
fn room_that_cannot_be_used_is_none() {
    assert_eq!(judge(&Room { read_only: true, ..room(1 << 30) }).verdict, Verdict::Problem);
    assert_eq!(judge(&Room { is_overlay: true, ..room(1 << 30) }).verdict, Verdict::Note);
    assert_eq!(judge(&Room { space: None, ..room(0) }).verdict, Verdict::Unknown);
    let space = Space { free: 1 << 30, total: 1 << 40, files_free: Some(0) };
    assert_eq!(judge(&Room { space: Some(space), ..room(0) }).verdict, Verdict::Problem);
}

#[test]
fn a_folder_that_is_not_there_yet_is_measured_by_its_parent() {
    let tree = Tree::new();
    tree.folder("var/lib");
    tree.put("proc/self/mountinfo", "22 1 179:2 / / ro,noatime - ext4 /dev/mmcblk0p2 rw");
    let machine = tree.machine();
    let found = gather(&machine, &Mounts::gather(&machine));
    assert_eq!(found.folder, Path::new("/var/lib"));
    assert!(found.read_only && found.space.is_none());
}
