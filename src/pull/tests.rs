//! From a file or a folder, without a network.

use super::*;

/// The bundled detector's file: the smallest bundle at hand.
const BUNDLE: &[u8] = include_bytes!("../../assets/ssd-mobilenet-v2-oid.claw.safetensors");

pub(super) fn file(name: &str, bytes: &[u8]) -> File {
    let mut sum = sha256::Summing::default();
    sum.add(bytes);
    // An address that nobody answers, should it be asked.
    let url = format!("http://127.0.0.1:9/{name}");
    File { name: name.to_owned(), url, bytes: Some(bytes.len() as u64), sha256: sum.finish() }
}

pub(super) fn entry(becomes: Becomes, files: Vec<File>) -> Entry {
    let text = String::new;
    Entry {
        name: "m".to_owned(),
        about: text(),
        licence: text(),
        licence_url: text(),
        becomes,
        convert: Vec::new(),
        files,
    }
}

/// A place of models, and a stick with `files`.
fn places(files: &[(&str, &[u8])]) -> (tempfile::TempDir, tempfile::TempDir) {
    let (models, stick) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, bytes) in files {
        std::fs::write(stick.path().join(name), bytes).unwrap();
    }
    (models, stick)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn take(entry: &Entry, from: &Path, models: &Path) -> Result<Pulled, Error> {
    pull(entry, &Source::Local(from.to_owned()), &Folder::open(models)?, &mut |_| ())
}

#[test]
fn a_bundle_from_a_stick_is_checked_and_stays_when_it_is_there() {
    let (models, stick) = places(&[("yard.claw.safetensors", BUNDLE)]);
    let entry = entry(Becomes::Bundle, vec![file("yard.claw.safetensors", BUNDLE)]);
    let pulled = take(&entry, &stick.path().join("yard.claw.safetensors"), models.path()).unwrap();
    assert!(pulled.changed && pulled.previous.is_none() && pulled.kind == Some(Kind::Detector));
    assert_eq!(names(models.path()), [".pull.lock", "m.claw.safetensors"]);
    let again = take(&entry, stick.path(), models.path()).unwrap();
    assert!(!again.changed && again.kind == Some(Kind::Detector));
}

#[test]
fn what_is_no_bundle_is_not_put_in_place() {
    let mut damaged = BUNDLE.to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    for bytes in [&b"no bundle"[..], &damaged] {
        let (models, stick) = places(&[("x.claw.safetensors", bytes)]);
        let entry = entry(Becomes::Bundle, vec![file("x.claw.safetensors", bytes)]);
        let error = take(&entry, stick.path(), models.path()).unwrap_err();
        assert!(matches!(error, Error::NoBundle(_)), "{error}");
        assert_eq!(names(models.path()), [".pull.lock"]);
    }
}

#[test]
fn a_wrong_file_names_both_sums_and_leaves_what_is_there() {
    let (models, stick) = places(&[("a.onnx", b"three")]);
    let right = entry(Becomes::Network, vec![file("a.onnx", b"three")]);
    take(&right, stick.path(), models.path()).unwrap();
    let other = entry(Becomes::Network, vec![file("a.onnx", b"seven")]);
    let error = take(&other, stick.path(), models.path()).unwrap_err().to_string();
    let sums = [&right, &other].map(|entry| entry.files[0].sha256.to_string());
    assert!(sums.iter().all(|sum| error.contains(sum)), "{error}");
    let longer = entry(Becomes::Network, vec![file("a.onnx", b"longer")]);
    let error = take(&longer, stick.path(), models.path()).unwrap_err().to_string();
    assert!(error.contains("there are 5 bytes of it, but must be 6"), "{error}");
    assert_eq!(std::fs::read(models.path().join("m.onnx")).unwrap(), b"three");
}

#[test]
fn a_folder_of_files_comes_as_one_and_goes_back_as_one() {
    let (models, stick) = places(&[("config.json", b"{}"), ("model.safetensors", b"weights")]);
    let files = || vec![file("config.json", b"{}"), file("model.safetensors", b"weights")];
    let pulled = take(&entry(Becomes::LanguageModel, files()), stick.path(), models.path()).unwrap();
    assert_eq!(names(&pulled.path), ["config.json", "model.safetensors"]);
    std::fs::write(stick.path().join("model.safetensors"), b"lighter").unwrap();
    let update = entry(Becomes::LanguageModel, vec![file("config.json", b"{}"), file("model.safetensors", b"lighter")]);
    let pulled = take(&update, stick.path(), models.path()).unwrap();
    assert_eq!(std::fs::read(pulled.path.join("model.safetensors")).unwrap(), b"lighter");
    let back = roll_back("m", &Folder::open(models.path()).unwrap()).unwrap();
    assert_eq!(std::fs::read(back.path.join("model.safetensors")).unwrap(), b"weights");
    assert_eq!(names(models.path()), [".pull.lock", "m", "m.previous"]);
}

#[test]
fn there_is_no_way_back_to_a_bundle_that_is_none() {
    let (models, _stick) = places(&[]);
    std::fs::write(models.path().join("m.claw.safetensors"), BUNDLE).unwrap();
    std::fs::write(models.path().join("m.claw.safetensors.previous"), b"cut").unwrap();
    let error = roll_back("m", &Folder::open(models.path()).unwrap()).unwrap_err();
    assert!(matches!(error, Error::NoBundle(_)), "{error}");
    assert_eq!(std::fs::read(models.path().join("m.claw.safetensors")).unwrap(), BUNDLE);
}
