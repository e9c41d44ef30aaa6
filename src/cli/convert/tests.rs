//! What the flags mean, and what a user gets to read who forgot one.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
    Line::try_parse_from(std::iter::once(&"convert").chain(words)).map(|line| line.arguments)
}

fn data(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CLAWDBOT_REQUIRE_DATA").as_deref() != Ok("1"), "{} is missing", path.display());
    report_skip(&path);
    None
}

/// Written past the test runner's capture, which shows nothing of a test that passes.
fn report_skip(path: &Path) {
    let notice = format!("SKIPPED: {} is missing\n", path.display());
    std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
}

/// What is wrong with a conversion of `input`, and whether it is one of usage.
fn complaint(input: &Path, words: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.claw.safetensors");
    let mut line = vec![input.to_str().unwrap(), "-o", output.to_str().unwrap()];
    line.extend(words);
    let failure = run(&parse(&line).unwrap()).expect_err("a bad conversion succeeded");
    assert!(!output.exists(), "a failed conversion left a file");
    match failure {
        Failure::Usage(message) => (true, message),
        Failure::Failed(message) | Failure::BadConfiguration(message) => (false, message),
    }
}

#[test]
fn numbers_may_be_fractions() {
    assert_eq!(number("0.5"), Ok(0.5));
    assert_eq!(number("1/127.5"), Ok(1.0 / 127.5));
    assert!(number("1/0").unwrap_err().contains("not a finite number"));
    assert!(number("grey").unwrap_err().contains("`grey`"));
}

#[test]
fn mean_and_scale_come_together_for_one_or_three_channels() {
    let arguments = parse(&["in", "-o", "out", "--mean", "-1,0,1", "--scale", "1/255"]).unwrap();
    assert_eq!(arguments.mean, [-1.0, 0.0, 1.0]);
    assert_eq!(arguments.scale, [1.0 / 255.0]);
    assert!(parse(&["in", "-o", "out", "--mean", "0"]).is_err());
    assert!(parse(&["in", "-o", "out", "--precision", "int3"]).is_err());
}

#[test]
fn int8_without_pictures_says_what_to_give() {
    let Some(input) = data("detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite") else { return };
    let (usage, message) = complaint(&input, &["--precision", "int8"]);
    assert!(usage && message.contains("--calibrate DIR"), "{message}");
}

#[test]
fn a_picture_network_of_unknown_kind_asks_for_its_normalisation() {
    let Some(input) = data("tiny/cnn_float32.tflite") else { return };
    let (usage, message) = complaint(&input, &["--precision", "f16"]);
    assert!(usage && message.contains("--mean 127.5 --scale 1/127.5"), "{message}");
}

#[test]
fn files_that_are_no_networks_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note.txt");
    std::fs::write(&path, "not a network").unwrap();
    let (usage, message) = complaint(&path, &[]);
    assert!(!usage && message.contains("note.txt") && message.contains("format is not known"), "{message}");
    let (_, message) = complaint(&folder.path().join("absent"), &[]);
    assert!(message.contains("absent") && message.contains("check the path"), "{message}");
}

#[test]
fn a_calibration_folder_must_hold_pictures() {
    let Some(input) = data("detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let (_, message) = complaint(&input, &["--calibrate", &path]);
    assert!(message.contains("there is no picture in it"), "{message}");
    std::fs::write(folder.path().join("broken.jpg"), "no picture").unwrap();
    let (_, message) = complaint(&input, &["--calibrate", &path]);
    assert!(message.contains("broken.jpg") && message.contains("take it out"), "{message}");
}

#[test]
fn a_network_is_converted_and_reported() {
    let Some(input) = data("tiny/cnn_float32.tflite") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (output, report) = (path("cnn.claw.safetensors"), path("report.json"));
    let words = [input.to_str().unwrap(), "-o", &output, "--precision", "f16", "--mean", "0", "--scale", "1/255"];
    run(&parse(&[&words[..], &["--report", &report, "--name", "cnn", "--licence", "CC0-1.0"]].concat()).unwrap())
        .unwrap();
    let bundle = clawdbot_nn::bundle::Bundle::open(Path::new(&output)).unwrap();
    assert_eq!((bundle.origin().name.as_str(), bundle.origin().licence.as_str()), ("cnn", "CC0-1.0"));
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(report["report"]["precision"], "f16");
    assert_eq!(report["report"]["layers"][0]["operator"], "convolution");
}

#[test]
fn a_quantised_network_needs_no_pictures() {
    let Some(input) = data("misc/vww_96_int8.tflite") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (output, report) = (path("vww.claw.safetensors"), path("report.json"));
    let words = [input.to_str().unwrap(), "-o", &output, "--report", &report];
    run(&parse(&words).unwrap()).unwrap();
    let bundle = clawdbot_nn::bundle::Bundle::open(Path::new(&output)).unwrap();
    let program = bundle.model().program();
    assert_eq!((program.values[0].scale[0], program.values[0].zero_point), (1.0, -128));
    let report = std::fs::read_to_string(&report).unwrap();
    assert!(report.contains("because the input's own steps say so"), "{report}");
}

#[test]
fn every_option_is_documented() {
    let page = include_str!("../../../docs/reference/convert.md");
    let line = <Line as clap::CommandFactory>::command();
    let options: Vec<&clap::Arg> = line.get_arguments().filter(|option| option.get_long().is_some()).collect();
    assert!(options.len() > 15, "{options:?}");
    for option in options {
        let long = option.get_long().unwrap();
        let row = page.lines().find(|row| {
            row.starts_with("| `-") && row.contains(&format!("`--{long}"))
                || row.contains(&format!("--{long} ")) && row.starts_with("| `")
        });
        let row = row.unwrap_or_else(|| panic!("docs/reference/convert.md has no row for --{long}"));
        for value in option.get_possible_values() {
            let flag = !option.get_action().takes_values();
            assert!(flag || row.contains(value.get_name()), "--{long}: {} is not in: {row}", value.get_name());
        }
        if let [default] = option.get_default_values() {
            let default = default.to_str().unwrap();
            assert!(
                row.contains(default) || !option.get_action().takes_values(),
                "--{long}: {default} is not in: {row}"
            );
        }
    }
}

#[test]
fn a_language_model_is_known_and_becomes_a_bundle() {
    let Some(input) = data("tiny/qwen3-qknorm") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (output, told) = (folder.path().join("out.claw.safetensors"), folder.path().join("report.json"));
    let words = [input.to_str().unwrap(), "-o", output.to_str().unwrap(), "--name", "tiny", "--licence", "CC0-1.0"];
    run(&parse(&[&words[..], &["--report", told.to_str().unwrap(), "--json"]].concat()).unwrap()).unwrap();
    let bundle = clawdbot_nn::bundle::language::LanguageBundle::open(&output).unwrap();
    assert_eq!((&bundle.origin().name[..], &bundle.origin().licence[..]), ("tiny", "CC0-1.0"));
    let precision = |name: &str| bundle.matrix(name).unwrap().precision.name();
    assert_eq!((precision("embedding"), precision("layers.1.attention.qkv")), ("int8", "int4"));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    assert_eq!(report["report"]["precision"], "int4");
    assert_eq!(report["origin"]["source_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(report["origin"]["source_sha256"], bundle.origin().source_sha256);
}

#[test]
fn precisions_are_for_one_or_the_other_kind_of_model() {
    if let Some(input) = data("tiny/qwen3-qknorm") {
        let (usage, message) = complaint(&input, &["--calibrate", env!("CARGO_MANIFEST_DIR")]);
        assert!(usage && message.contains("a language model is run on a text"), "{message}");
        let (usage, message) = complaint(&input, &["--calibrate", "/nowhere"]);
        assert!(!usage && message.contains("/nowhere can't be read as text"), "{message}");
        let (usage, message) = complaint(&input, &["--calibrate", concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")]);
        assert!(!usage && message.contains("came without a tokenizer"), "{message}");
    }
    let Some(input) = data("tiny/cnn_float32.tflite") else { return };
    let (usage, message) = complaint(&input, &["--precision", "int4"]);
    assert!(usage && message.contains("--precision int4 is for language models"), "{message}");
}
