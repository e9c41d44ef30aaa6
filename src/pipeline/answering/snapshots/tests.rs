use proptest::prelude::*;

use super::*;

fn snapshots() -> Vec<Snapshot> {
    vec![Snapshot { tokens: vec![1, 2, 70_000], pages: vec![7; 100] }, Snapshot { tokens: vec![5], pages: Vec::new() }]
}

#[test]
fn what_was_written_is_read_for_the_same_weights_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prefixes");
    assert_eq!(read(&path, "a"), []);
    write(&path, "a", &snapshots()).unwrap();
    assert_eq!(read(&path, "a"), snapshots());
    assert_eq!(read(&path, "b"), []);
    write(&path, "b", &snapshots()[1..]).unwrap();
    assert_eq!(read(&path, "b"), snapshots()[1..]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    assert!(write(Path::new("/proc/none/x"), "a", &[]).is_err());
}

proptest! {
    #[test]
    fn a_broken_file_is_as_good_as_none(at in 0_usize..300, to in any::<u8>(), cut in 0_usize..300) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prefixes");
        write(&path, "a", &snapshots()).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let place = at % bytes.len();
        bytes[place] = to;
        bytes.truncate(bytes.len() - cut % bytes.len());
        fs::write(&path, &bytes).unwrap();
        // Never a panic, never more than was written.
        prop_assert!(read(&path, "a").len() <= 2);
    }
}
