use super::{Userland, gather, gather_page_size, judge, judge_page_size};
use crate::doctor::Verdict;
use crate::doctor::tests::tree::Tree;

#[test]
fn the_page_size_stands_in_the_auxiliary_vector() {
    let tree = Tree::new();
    assert_eq!(gather_page_size(&tree.machine()), None);
    let words: Vec<u8> = [33, 7, 6, 16_384, 0, 0_usize].iter().flat_map(|word| word.to_ne_bytes()).collect();
    tree.put_bytes("proc/self/auxv", &words);
    assert_eq!(gather_page_size(&tree.machine()), Some(16_384));
    for (bytes, verdict) in [
        (Some(4096), Verdict::Ok),
        (Some(16_384), Verdict::Note),
        (Some(65_536), Verdict::Note),
        (None, Verdict::Unknown),
    ] {
        assert_eq!(judge_page_size(&bytes).verdict, verdict);
    }
    assert_eq!(judge_page_size(&Some(16_384)).seen, "16 KiB, which suits clawdbot");
}

fn userland(kernel: &str, bits: u8, program: &'static str) -> Userland {
    Userland { kernel: Some(kernel.to_owned()), bits: Some(bits), program: Some(program), can_64: Some(true) }
}

#[test]
fn widths_that_do_not_belong_together_are_a_warning() {
    for (userland, verdict) in [
        (userland("aarch64", 64, "aarch64"), Verdict::Ok),
        (userland("x86_64", 64, "x86_64"), Verdict::Ok),
        (userland("aarch64", 32, "aarch64"), Verdict::Warning),
        (userland("aarch64", 32, "arm"), Verdict::Warning),
        (userland("armv7l", 32, "arm"), Verdict::Warning),
        (Userland { can_64: Some(false), ..userland("armv7l", 32, "arm") }, Verdict::Warning),
        (Userland { kernel: None, ..userland("", 64, "aarch64") }, Verdict::Ok),
        (Userland { bits: None, ..userland("aarch64", 64, "aarch64") }, Verdict::Unknown),
        (Userland::default(), Verdict::Unknown),
    ] {
        assert_eq!(judge(&userland).verdict, verdict, "{userland:?}");
    }
    let mixed = judge(&userland("aarch64", 32, "aarch64"));
    assert_eq!(mixed.seen, "kernel 64 bits, userland 32 bits, this program 64 bits; they do not belong together");
}

#[test]
fn widths_are_read_from_the_shell_and_the_processor() {
    let tree = Tree::new();
    tree.put_bytes("bin/sh", b"\x7fELF\x01\x01");
    tree.put("proc/cpuinfo", "processor\t: 0\nCPU architecture: 8\n");
    tree.put("proc/sys/kernel/arch", "aarch64");
    let found = gather(&tree.machine());
    assert_eq!((found.bits, found.can_64, found.kernel.as_deref()), (Some(32), Some(true), Some("aarch64")));
}
