use super::*;
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

#[test]
fn a_raspberry_pi_s_own_command_line_is_found_and_the_file_to_change_named() {
    let tree = Tree::new();
    tree.put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids");
    tree.put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t90\t0");
    tree.put("proc/cmdline", "cgroup_disable=memory console=tty1");
    tree.put("boot/firmware/cmdline.txt", "console=tty1");
    let finding = judge(&gather(&tree.machine(), false));
    assert_eq!(finding.verdict, Verdict::Note);
    assert!(finding.seen.contains("cgroup_disable=memory") && finding.next.unwrap().contains("/boot/firmware/"));
    assert_eq!(judge(&gather(&tree.machine(), true)).verdict, Verdict::Warning);
}

#[test]
fn a_container_that_shows_no_controller_believes_the_kernel() {
    let tree = Tree::new();
    tree.put("sys/fs/cgroup/cgroup.controllers", "");
    tree.put("proc/cgroups", "memory\t0\t90\t1");
    assert_eq!(gather(&tree.machine(), false).memory, Some(true));
}

#[test]
fn silence_is_unknown() {
    assert_eq!(judge(&gather(&Tree::new().machine(), false)).verdict, Verdict::Unknown);
    assert_eq!(memory_is_enabled("memory\t0\n"), None);
    assert!(judge(&Cgroup { memory: Some(false), ..Cgroup::default() }).next.unwrap().contains("boot loader"));
}
