use super::*;
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

fn verdicts(lines: &str, has_language_model: bool) -> Vec<Verdict> {
    let tree = Tree::new();
    tree.put("proc/self/mountinfo", "22 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw");
    tree.put("proc/swaps", &format!("{HEADING}{lines}"));
    let machine = tree.machine();
    let swaps = gather(&machine, &Mounts::gather(&machine), has_language_model);
    judge(&swaps).into_iter().map(|finding| finding.verdict).collect()
}

#[test]
fn a_file_on_the_card_is_found_by_its_mount() {
    assert_eq!(verdicts("/var/swap file 524288 0 -2\n", false), [Verdict::Note]);
    assert_eq!(verdicts("/var/swap file 524288 0 -2\n", true), [Verdict::Warning]);
    assert_eq!(verdicts("/var/swap file 524288 400000 -2\n", false), [Verdict::Warning]);
}

#[test]
fn compressed_memory_and_disks_are_fine() {
    assert_eq!(
        verdicts("/dev/zram0 partition 2097152 1024 100\n/dev/sda2 partition 1024 0 1\n", true),
        [Verdict::Ok; 2]
    );
    assert_eq!(verdicts("/dev/mmcblk0p3 partition 1024 0 1\n", false), [Verdict::Note]);
    assert_eq!(verdicts("", true), [Verdict::Ok]);
}

#[test]
fn silence_is_unknown() {
    let swaps = gather(&Tree::new().machine(), &Mounts::default(), true);
    assert_eq!(judge(&swaps)[0].verdict, Verdict::Unknown);
}
