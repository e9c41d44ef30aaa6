//! Constants in files beside the model: those in its folder are read, nothing else is.

use std::path::Path;

use super::writer::{Message, Model, tensor};
use crate::importers::Source;
use crate::importers::onnx::import;

/// A model whose weights lie where `entries` say.
fn model(entries: &[(&str, &str)]) -> Model {
    let entry = |message: Message, (key, value): &(&str, &str)| {
        message.message(13, &Message::default().text(1, key).text(2, value))
    };
    let weights = entries.iter().fold(tensor("w", &[2, 3, 1, 1], 1), entry).integer(14, 1);
    let model = Model::new(13).input("x", &[1, 3, 4, 5]).output("y").constant(&weights);
    model.node("Conv", &["x", "w"], &["y"], &[])
}

fn read(folder: &Path, entries: &[(&str, &str)]) -> Result<Vec<f32>, String> {
    let bytes = model(entries).bytes();
    let (graph, _) = import(Source { bytes: &bytes, folder: Some(folder) }).map_err(|error| error.to_string())?;
    Ok(graph.constant_f32(graph.nodes[0].inputs[1]).unwrap().to_vec())
}

#[track_caller]
fn check_refusal(folder: &Path, entries: &[(&str, &str)], wanted: &str) {
    let message = read(folder, entries).expect_err("it was read");
    assert!(message.starts_with("the constant `w`") && message.contains(wanted), "{message:?} does not say {wanted:?}");
}

#[test]
fn only_regular_files_inside_of_the_folder_are_read() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    std::fs::create_dir_all(folder.join("part")).unwrap();
    let content: Vec<u8> = (0..8_u8).flat_map(|x| f32::from(x).to_le_bytes()).collect();
    std::fs::write(folder.join("part/w.data"), &content).unwrap();
    std::fs::write(outer.path().join("secret"), &content).unwrap();

    assert_eq!(read(&folder, &[("location", "part/w.data")]).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let whole = [("location", "./part/w.data"), ("offset", "8"), ("length", "24"), ("checksum", "?")];
    assert_eq!(read(&folder, &whole).unwrap(), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);

    for outside in ["../secret", "part/../../secret", "/etc/passwd", "", "part\\w.data", "a\0b"] {
        check_refusal(&folder, &[("location", outside)], "only a relative path inside of the model's own folder");
    }
    check_refusal(&folder, &[], "only a relative path");
    check_refusal(&folder, &[("location", "part")], "not a regular file");
    check_refusal(&folder, &[("location", "missing")], "keep the file beside the model");
    check_refusal(&folder, &[("location", "part/w.data"), ("offset", "12")], "wants bytes 12 to 36 of");
    check_refusal(&folder, &[("location", "part/w.data"), ("offset", "18446744073709551615")], "which has 32");
    check_refusal(&folder, &[("location", "part/w.data"), ("offset", "-4")], "has the external offset \"-4\"");
    check_refusal(&folder, &[("location", "part/w.data"), ("length", "20")], "length \"20\", where 24 is expected");
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_of_the_folder_only() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("w.data"), [0; 24]).unwrap();
    std::fs::write(outer.path().join("secret"), [0; 24]).unwrap();
    std::os::unix::fs::symlink("w.data", folder.join("inside")).unwrap();
    std::os::unix::fs::symlink(outer.path().join("secret"), folder.join("outside")).unwrap();
    std::os::unix::fs::symlink(outer.path(), folder.join("up")).unwrap();
    assert_eq!(read(&folder, &[("location", "inside")]).unwrap(), [0.0; 6]);
    check_refusal(&folder, &[("location", "outside")], "a link out of the model's folder");
    check_refusal(&folder, &[("location", "up/secret")], "a link out of the model's folder");
}
