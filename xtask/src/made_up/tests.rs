use clawdbot_nn::bundle::language::LanguageBundle;

use super::*;

fn parsed(words: &str) -> Result<(Shape, Precision, Files), String> {
    parse(&words.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn options_are_understood_or_refused() {
    let (shape, precision, files) = parsed("3b --precision int8 --bundle a --gguf b").unwrap();
    assert_eq!((shape.name, precision), ("3b", Precision::Int8));
    assert_eq!(files, [(PathBuf::from("a"), false), (PathBuf::from("b"), true)]);
    for bad in ["", "4b --bundle a", "3b", "3b --bundle", "3b --precision f16 --bundle a", "3b --gguf"] {
        assert!(parsed(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_made_up_bundle_is_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.claw.safetensors");
    let small = shape("small", 2, 64, [4, 2, 16], [96, 104], false);
    for precision in [Precision::Int4, Precision::Int8] {
        let bytes = bundle(&path, &small, precision).unwrap();
        let bundle = LanguageBundle::open(&path).unwrap();
        bundle.verify().unwrap();
        assert_eq!(bundle.file_bytes() as u64, bytes);
        assert_eq!(bundle.matrix("layers.1.feed_forward.down").unwrap().precision, precision);
        assert_eq!(bundle.matrix("head").unwrap().precision, Precision::Int8);
    }
}

/// Read back by our own parser.
#[test]
fn a_made_up_gguf_file_has_every_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gguf");
    let small = shape("small", 2, 64, [4, 2, 16], [96, 104], false);
    let bytes = gguf::write(&path, &small, Precision::Int4).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
    let file = clawdbot_nn::gguf::Gguf::open(&path).unwrap();
    assert_eq!(file.tensors().count(), 2 + 2 * 9 + 1);
}
