//! What the detector is worth on real pictures, held against LiteRT's float results on the same ones. The pictures may not
//! be part of the repository: they lie in `../shared/data`, and without it these tests are skipped, said aloud.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clawdbot_flow::detection::BoundingBox;
use serde_json::Value;

/// The pictures and models, or `None` where they are missing and may be.
pub(crate) fn data() -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if data.is_dir() {
        return Some(data);
    }
    assert!(std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_none(), "{} is missing", data.display());
    // Written past the test runner's capture, which shows nothing of a test that passes.
    let notice = format!("SKIPPED: accuracy needs {}\n", data.display());
    std::io::stderr().write_all(notice.as_bytes()).unwrap();
    None
}

pub(crate) fn clawdbot(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The bundled detector's source in FP16: what float is to us.
fn float_bundle(data: &Path, folder: &Path) -> String {
    let source = data.join("detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite");
    let bundle = folder.join("f16.claw.safetensors").to_str().unwrap().to_owned();
    let told = clawdbot(&["convert", source.to_str().unwrap(), "-o", &bundle, "--precision", "f16"]);
    assert!(told.contains("0 of 72 layers in INT8 (0.0 % of"), "{told}");
    bundle
}

/// AP@[.5:.95] and AP@.5 of persons.
fn person(data: &Path, split: &str, model: &[&str]) -> [f64; 2] {
    let annotations = data.join(format!("coco-open/instances_{split}.json"));
    let images = data.join(format!("coco-open/{split}"));
    let mut arguments = vec!["eval", "detect", "--json", "--threads", "2"];
    arguments.extend(["--annotations", annotations.to_str().unwrap(), "--images", images.to_str().unwrap()]);
    arguments.extend(model);
    let answer: Value = serde_json::from_str(&clawdbot(&arguments)).unwrap();
    let categories = answer["categories"].as_array().unwrap();
    let person = categories.iter().find(|category| category["name"] == "person").unwrap();
    ["average_precision", "average_precision_50"].map(|figure| person["figures"][figure].as_f64().unwrap())
}

/// LiteRT's float figures (`models.md`: val 0.180 / 0.344, train 0.220 / 0.452) stand: FP16 gives them to 0.003, the bundled
/// INT8 detector loses at most 0.01 of any.
#[test]
fn int8_loses_at_most_a_hundredth_of_float() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let float = float_bundle(&data, folder.path());
    for (split, litert) in [("val", [0.180, 0.344]), ("train", [0.220, 0.452])] {
        let f16 = person(&data, split, &["--model", &float]);
        let bundled = person(&data, split, &[]);
        for figure in 0..2 {
            assert!((f16[figure] - litert[figure]).abs() < 0.003, "{split}: FP16 {f16:?}, LiteRT {litert:?}");
            assert!(bundled[figure] > f16[figure] - 0.01, "{split}: INT8 {bundled:?}, FP16 {f16:?}");
        }
    }
}

/// AP@[.5:.95] and recall, means over the categories that the pictures show.
pub(crate) fn mean(data: &Path, split: &str, bundle: &str) -> [f64; 2] {
    let annotations = data.join(format!("coco-open/instances_{split}.json"));
    let images = data.join(format!("coco-open/{split}"));
    let arguments = ["eval", "detect", "--json", "--threads", "2", "--model", bundle];
    let files = ["--annotations", annotations.to_str().unwrap(), "--images", images.to_str().unwrap()];
    let answer: Value = serde_json::from_str(&clawdbot(&[&arguments[..], &files[..]].concat())).unwrap();
    ["average_precision", "recall"].map(|figure| answer["mean"][figure].as_f64().unwrap())
}

/// The network in F16 and wholly in INT8, calibrated on the train pictures.
fn both_bundles(data: &Path, folder: &Path, source: &str, further: &[&str]) -> [String; 2] {
    let (source, train) = (data.join(source), data.join("coco-open/train"));
    ["f16", "int8"].map(|precision| {
        let bundle = folder.join(format!("{precision}.claw.safetensors")).to_str().unwrap().to_owned();
        let mut arguments = vec!["convert", source.to_str().unwrap(), "-o", &bundle, "--precision", precision];
        arguments.extend(further);
        if precision == "int8" {
            arguments.extend(["--calibrate", train.to_str().unwrap()]);
        }
        clawdbot(&arguments);
        bundle
    })
}

/// INT8 loses at most 0.02 of AP and of recall. The pictures are few: their figures alone move by 0.015. The network must be
/// worth `least` of AP in F16, or it would prove nothing.
fn survives(data: &Path, [f16, int8]: &[String; 2], least: f64) {
    for split in ["val", "train"] {
        let (f16, int8) = (mean(data, split, f16), mean(data, split, int8));
        assert!(f16[0] > least, "{split}: F16 {f16:?} (AP, recall) finds too little to prove anything");
        for figure in 0..2 {
            assert!(int8[figure] >= f16[figure] - 0.02, "{split}: INT8 {int8:?}, F16 {f16:?} (AP, recall)");
        }
    }
}

/// One layer of YOLOX-Nano takes plain INT8 from AP 0.366 to 0.039 (`models.md`, section 0): the case to hold. In F16 it
/// finds what onnxruntime finds.
#[test]
fn yolox_nano_survives_int8() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let convention = ["--input-convention", "yolox-0.1.1"];
    let bundles = both_bundles(&data, folder.path(), "detect/yolox-nano/yolox_nano_416.onnx", &convention);
    finds_the_reference(&data, &onnxruntime_reference(&data), &bundles[0], 275, 2);
    survives(&data, &bundles, 0.3);
}

/// Without all that the converter does for accuracy nearly nothing is left of YOLOX-Nano: so the tests beside this one can
/// fail.
#[test]
fn naive_int8_ruins_yolox_nano() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("naive.claw.safetensors").to_str().unwrap().to_owned();
    let source = data.join("detect/yolox-nano/yolox_nano_416.onnx");
    let (source, train) = (source.to_str().unwrap(), data.join("coco-open/train"));
    let convention = ["--input-convention", "yolox-0.1.1", "--precision", "int8", "--without", "all"];
    let files = ["convert", source, "-o", &bundle, "--calibrate", train.to_str().unwrap()];
    clawdbot(&[&files[..], &convention[..]].concat());
    let [precision, recall] = mean(&data, "val", &bundle);
    assert!(precision < 0.1 && recall < 0.2, "AP {precision}, recall {recall}, though nothing was done for them");
}

/// The bundled detector's network as today's converter makes it, wholly in INT8: residual sums of which a few channels are
/// ten times as loud as the rest.
#[test]
fn the_default_network_survives_int8() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = "detect/ssd-mobilenet-v2-oid/ssd_mobilenetv2_oidv4_fp16.tflite";
    survives(&data, &both_bundles(&data, folder.path(), source, &[]), 0.15);
}

/// LeakyReLU, shuffled channels, distributions over distances.
#[test]
fn nanodet_survives_int8() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    survives(&data, &both_bundles(&data, folder.path(), "detect/nanodet-m/nanodet_m_320.onnx", &[]), 0.3);
}

/// Every detection of LiteRT's with a score of 0.3 or more is ours too, in FP16: IoU above 0.9, score within 0.03.
#[test]
fn float_finds_what_litert_finds() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let float = float_bundle(&data, folder.path());
    finds_the_reference(&data, &litert_reference(&data), &float, 223, 0);
}

/// What a runtime found in each picture, by its path below `coco-open`: label, score, box in pixels.
type Reference = Vec<(String, Vec<(String, f64, BoundingBox)>)>;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// LiteRT's, of the bundled detector.
fn litert_reference(data: &Path) -> Reference {
    let file = read(&data.join("detect/ssd-mobilenet-v2-oid/reference-detections.json"));
    let one = |found: &Value| (found["label"].as_str().unwrap().to_owned(), score(found), corners(&found["box_xywh"]));
    let all = |found: &Value| found.as_array().unwrap().iter().map(one).collect();
    file["detections"].as_object().unwrap().iter().map(|(name, found)| (name.clone(), all(found))).collect()
}

/// onnxruntime's, of YOLOX-Nano. Its boxes may reach outside of the picture, which ours do not.
fn onnxruntime_reference(data: &Path) -> Reference {
    let file = read(&data.join("detect/yolox-nano/reference-detections.json"));
    let names = std::fs::read_to_string(data.join("coco-open/coco80.names")).unwrap();
    let names: Vec<&str> = names.lines().collect();
    let of = |name: &String, found: &Value| {
        let (width, height) = image::image_dimensions(data.join("coco-open").join(name)).unwrap();
        let side = |found: &Value, index: usize, limit: u32| {
            (found[2][index].as_f64().unwrap() as f32).clamp(0.0, limit as f32)
        };
        let one = |found: &Value| {
            let [left, right] = [0, 2].map(|index| side(found, index, width));
            let [top, bottom] = [1, 3].map(|index| side(found, index, height));
            let label = usize::try_from(found[0].as_u64().unwrap()).unwrap();
            (names[label].to_owned(), found[1].as_f64().unwrap(), BoundingBox { left, top, right, bottom })
        };
        found.as_array().unwrap().iter().map(one).filter(|(_, score, _)| *score >= 0.3).collect()
    };
    file["results"].as_object().unwrap().iter().map(|(name, found)| (name.clone(), of(name, found))).collect()
}

/// Each of the `count` detections in `reference`, all with a score of 0.3 or more, is found by `bundle`: IoU above 0.9, score
/// within 0.03. Where two boxes of one object score alike to a few thousandths, rounding decides which survives: of
/// `ties` detections the box may be the other one, with an IoU above 0.85.
fn finds_the_reference(data: &Path, reference: &Reference, bundle: &str, count: usize, ties: usize) {
    let paths: Vec<String> =
        reference.iter().map(|(name, _)| data.join("coco-open").join(name).to_str().unwrap().to_owned()).collect();
    // A little below 0.3, so that a score that differs by less than 0.03 is still there.
    let mut arguments = vec!["detect", "--json", "--threshold", "0.27", "--threads", "2", "--model", bundle];
    arguments.extend(paths.iter().map(String::as_str));
    let output = clawdbot(&arguments);
    assert_eq!(output.lines().count(), reference.len());
    let mut others = Vec::new();
    for (line, (name, expected)) in output.lines().zip(reference) {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert!(answer["image"].as_str().unwrap().ends_with(name), "{line} is not about {name}");
        let ours = answer["detections"].as_array().unwrap();
        for expected in expected {
            let (label, wanted, place) = expected;
            let same = |ours: &&Value| ours["label"] == label.as_str() && (score(ours) - wanted).abs() < 0.03;
            let overlap = |ours: &Value| corners(&ours["box"]).intersection_over_union(place);
            let best = ours.iter().filter(same).map(overlap).fold(0.0, f32::max);
            assert!(best > 0.85, "{name}: {expected:?} is not among {ours:?}");
            if best <= 0.9 {
                others.push((name, expected, best));
            }
        }
    }
    assert_eq!(reference.iter().map(|(_, found)| found.len()).sum::<usize>(), count, "the reference's detections");
    assert!(others.len() <= ties, "other boxes than the reference's: {others:?}");
}

fn score(detection: &Value) -> f64 {
    detection["score"].as_f64().unwrap()
}

/// `[x, y, width, height]` in pixels as a box.
pub(crate) fn corners(sides: &Value) -> BoundingBox {
    let side = |index: usize| sides[index].as_f64().unwrap() as f32;
    BoundingBox { left: side(0), top: side(1), right: side(0) + side(2), bottom: side(1) + side(3) }
}
