use super::*;

fn board(meminfo: &str) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("proc")).unwrap();
    std::fs::write(folder.path().join("proc/meminfo"), meminfo).unwrap();
    let root = Root::new(folder.path());
    (folder, root)
}

#[test]
fn a_refusal_says_the_sum() {
    let (_folder, root) = board("MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    2097152 kB\n");
    assert_eq!(check(&root, 1 << 30, 512 << 20), Ok(()));
    let refused = check(&root, 1800 << 20, 200 << 20).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the language model wants 1800 MiB for its weights and 200 MiB for keys, values and buffers, and 96 MiB stay in \
         reserve, together 2096 MiB; 2048 MiB are available: end something else, take a smaller model, or lower \
         llm.context or llm.slots"
    );
    assert!(check(&root, u64::MAX, u64::MAX).is_err());
}

#[test]
fn a_machine_that_does_not_say_is_believed() {
    for meminfo in ["", "MemAvailable:\n", "MemAvailable: much kB\n"] {
        let (_folder, root) = board(meminfo);
        assert_eq!(check(&root, 1 << 40, 0), Ok(()));
    }
}
