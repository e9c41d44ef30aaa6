use std::fs;

use super::{COMPLAINT, FILE, Found, IMPORTED, IMPORTING, MISNAMED, Partition};

const TEXT: &str = "password = 'hunter2'\n";

fn hidden(text: &str) -> String {
    text.replace("hunter2", "*******")
}

fn partition(file: Option<&str>) -> (tempfile::TempDir, Partition) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(name) = file {
        fs::write(folder.path().join(name), TEXT).unwrap();
    }
    let partition = Partition::new(folder.path().to_owned());
    (folder, partition)
}

#[test]
fn a_file_is_found_under_its_name_only() {
    let (folder, found) = partition(Some(FILE));
    assert_eq!(found.find(), Found::File(folder.path().join(FILE)));
    assert_eq!(partition(None).1.find(), Found::Nothing);
    let (_folder, misnamed) = partition(Some(MISNAMED));
    assert!(matches!(misnamed.find(), Found::Misnamed(text) if text.contains(MISNAMED)));
}

#[test]
fn a_file_that_was_taken_has_another_name_and_no_password() {
    let (folder, partition) = partition(Some(FILE));
    partition.complain("port: too large").unwrap();
    partition.taken(hidden).unwrap();
    assert_eq!(partition.find(), Found::Nothing);
    let text = fs::read_to_string(folder.path().join(IMPORTED)).unwrap();
    assert!(text.starts_with("password = '*******'\n") && text.contains("asterisks"), "{text}");
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "the complaint and the first name are gone");
}

#[test]
fn the_text_is_overwritten_where_it_lies() {
    use std::os::unix::fs::MetadataExt;
    let (folder, partition) = partition(Some(FILE));
    let before = fs::metadata(folder.path().join(FILE)).unwrap().ino();
    partition.taken(hidden).unwrap();
    assert_eq!(fs::metadata(folder.path().join(IMPORTED)).unwrap().ino(), before);
}

#[test]
fn what_a_power_cut_left_undone_is_done_and_only_once() {
    let (folder, partition) = partition(Some(IMPORTING));
    for _ in 0..2 {
        partition.go_on(hidden).unwrap();
        let text = fs::read_to_string(folder.path().join(IMPORTED)).unwrap();
        assert!(!text.contains("hunter2") && text.matches("asterisks").count() == 1, "{text}");
    }
    assert!(!folder.path().join(IMPORTING).exists());
}

#[test]
fn a_complaint_says_what_and_what_to_do() {
    let (folder, partition) = partition(Some(FILE));
    partition.complain("mqtt.port: 0 is not allowed\nnode.name: missing").unwrap();
    let text = fs::read_to_string(folder.path().join(COMPLAINT)).unwrap();
    assert!(text.contains("mqtt.port: 0 is not allowed\r\nnode.name") && text.contains(FILE), "{text}");
    assert_eq!(partition.find(), Found::File(folder.path().join(FILE)), "it is read again at the next boot");
}
