//! What comes from outside is taken by its digest or not at all.

use super::*;
use crate::process::repository_root;

#[test]
fn the_committed_pictures_are_those_of_the_package() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let committed = repository_root().join("assets/pictures");
    pictures(Some(&committed), folder.path(), folder.path()).expect("every digest fits");
}

#[test]
fn another_file_under_the_model_s_name_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = folder.path().join("other.tflite");
    write(&other, b"no network").expect("the folder is ours");
    let error = model(Some(&other), folder.path()).expect_err("the digest differs");
    assert!(error.contains("other.tflite has sha256") && error.contains(MODEL_SHA256), "{error}");
}

#[test]
fn a_missing_picture_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = pictures(Some(folder.path()), folder.path(), folder.path()).expect_err("the folder is empty");
    assert!(error.contains("astronaut.png"), "{error}");
}
