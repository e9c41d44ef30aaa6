//! Names change places; files stay what they are.

use std::os::unix::fs::MetadataExt;

use super::*;

fn write(path: &Path, text: &str) -> u64 {
    fs::write(path, text).unwrap();
    inode(path)
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn an_update_leaves_the_old_file_as_it_was() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let (target, new) = (temporary.path().join("yard.onnx"), temporary.path().join("new"));
    write(&new, "one");
    assert_eq!(folder.put(&new, &target).unwrap(), None);
    let first = inode(&target);
    let second = write(&new, "two");
    let previous = folder.put(&new, &target).unwrap().unwrap();
    assert_eq!((text(&target).as_str(), text(&previous).as_str()), ("two", "one"));
    assert_eq!((inode(&target), inode(&previous)), (second, first));
    assert!(previous.ends_with("yard.onnx.previous") && !new.exists());
    write(&new, "three");
    folder.put(&new, &target).unwrap();
    assert_eq!((text(&target).as_str(), text(&previous).as_str()), ("three", "two"));
}

#[test]
fn folders_change_places_too() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let (target, new) = (temporary.path().join("talk"), temporary.path().join("new"));
    for generation in ["one", "two", "three"] {
        fs::create_dir(&new).unwrap();
        write(&new.join("config.json"), generation);
        folder.put(&new, &target).unwrap();
    }
    assert_eq!(text(&target.join("config.json")), "three");
    assert_eq!(text(&temporary.path().join("talk.previous/config.json")), "two");
}

#[test]
fn back_and_forth() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    let at = |name: &str| temporary.path().join(name);
    let error = folder.earlier("yard").unwrap_err().to_string();
    assert!(error.contains("no earlier yard") && error.contains("yard.onnx.previous"), "{error}");
    write(&at("yard.gguf"), "new");
    write(&at("yard.gguf.previous"), "old");
    write(&at("yard-2.gguf.previous"), "another's");
    let (target, previous) = folder.earlier("yard").unwrap();
    folder.exchange(&target, &previous).unwrap();
    assert_eq!((text(&at("yard.gguf")).as_str(), text(&at("yard.gguf.previous")).as_str()), ("old", "new"));
    folder.exchange(&target, &previous).unwrap();
    assert_eq!(text(&at("yard.gguf")), "new");
    fs::remove_file(&target).unwrap();
    folder.exchange(&target, &previous).unwrap();
    assert!(text(&target) == "old" && !previous.exists());
}

#[test]
fn one_at_a_time() {
    let temporary = tempfile::tempdir().unwrap();
    let first = Folder::open(temporary.path()).unwrap();
    assert!(matches!(Folder::open(temporary.path()), Err(Error::Busy(_))));
    drop(first);
    Folder::open(temporary.path()).unwrap();
    assert!(matches!(Folder::open(&temporary.path().join("no")), Err(Error::NoFolder(_))));
    assert!(matches!(Folder::open(&temporary.path().join(".pull.lock")), Err(Error::NoFolder(_))));
}

#[test]
fn what_does_not_fit_is_told_with_its_sum() {
    let mib = 1 << 20;
    let folder = Path::new("/models");
    check_room(folder, 0, 0).unwrap();
    check_room(folder, 10 * mib, 74 * mib).unwrap();
    let error = check_room(folder, 10 * mib, 74 * mib - 1).unwrap_err().to_string();
    assert!(error.contains("/models has 73 MiB left, but 74 are needed: 10 of the model"), "{error}");
    assert!(error.contains("64 stay free"), "{error}");
    assert!(check_room(folder, u64::MAX, u64::MAX - 1).is_err());
}
