//! Networks that find things, and points on them.

use clawdbot_flow::detection::BoundingBox;
use serde_json::Value;

use super::{Desk, number};
use crate::accuracy::{corners, mean};

const CONVENTION: [&str; 2] = ["--input-convention", "yolox-0.1.1"];

/// Average precision over `coco-open/val` of forms of YOLOX-Nano that come with integers inside; the figures of `models.md` (onnxruntime,
/// LiteRT) are 0.370 for the QDQ form and 0.368 for integer weights alone.
#[test]
fn quantised_forms_of_yolox_keep_their_precision() {
    let Some(desk) = Desk::new() else { return };
    let f16 = [&CONVENTION[..], &["--precision", "f16"]].concat();
    for name in ["yolox_nano_416_qdq_eq.onnx", "yolox_nano_416_dynamic_range_quant.tflite"] {
        let bundle = desk.convert(name, &format!("detect/yolox-nano/{name}"), &f16);
        let [found, recall] = mean(&desk.data, "val", &bundle);
        let wanted = if name.contains("qdq") { 0.370 } else { 0.368 };
        assert!((found - wanted).abs() < 0.0125, "{name}: AP {found}, not {wanted}; recall {recall}");
    }
}

/// The bad example, the full-integer form of TensorFlow's converter: 0.177 by LiteRT. Here its activations are not rounded twice, and it
/// has 0.211.
#[test]
fn a_bad_quantisation_is_not_made_worse() {
    let Some(desk) = Desk::new() else { return };
    let name = "yolox_nano_416_int8_naive.tflite";
    let bundle = desk.convert(name, &format!("detect/yolox-nano/{name}"), &CONVENTION);
    let [found, recall] = mean(&desk.data, "val", &bundle);
    assert!(found > 0.177 - 0.01, "AP {found}, recall {recall}");
}

/// `models.md` has 0.320 for onnxruntime.
#[test]
fn nanodet_keeps_its_precision() {
    let Some(desk) = Desk::new() else { return };
    let bundle = desk.convert("nanodet", "detect/nanodet-m/nanodet_m_320.onnx", &["--precision", "f16"]);
    let [found, recall] = mean(&desk.data, "val", &bundle);
    assert!((found - 0.320).abs() < 0.01, "AP {found}, recall {recall}");
}

/// A detector of integers that remembers: what it hands on to itself lies in between the pictures of a command line.
///
/// LiteRT's scores are bytes of which neighbouring ones are some 5/256 apart (the file's logits are that coarse); ours are not rounded.
/// So of nine objects one has the other one of two classes to which LiteRT gives the same 101/256 (frame 1), and one is seen by a
/// neighbouring anchor, which LiteRT has at 91/256 where the best has 96/256 (frame 2: overlap 0.82); that box suppresses a third
/// one. `crates/convert` finds each of the nine at its very anchor.
#[test]
fn a_detector_with_memory_sees_litert_s_objects_frame_by_frame() {
    let Some(desk) = Desk::new() else { return };
    let labels = desk.lines("labels", &["class 0", "class 1", "class 2"]);
    let bundle = desk.convert("traffic", "detect/ssd-traffic/traffic_model.tflite", &["--labels", &labels]);
    let reference = std::fs::read(desk.file("detect/ssd-traffic/reference.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let frames = reference["results"].as_array().unwrap();
    let pictures: Vec<String> = frames
        .iter()
        .map(|frame| desk.file(&format!("detect/ssd-traffic/{}.bmp", frame["frame"].as_str().unwrap())))
        .collect();
    let answers = Desk::look("detect", &bundle, &pictures, &["--threshold", "0.27"]);
    let mut others = Vec::new();
    for (frame, answer) in frames.iter().zip(&answers) {
        let size = ["width", "height"].map(|side| number(&answer[side]) as f32);
        for wanted in frame["det"].as_array().unwrap() {
            let side = |index: usize, limit: f32| limit * (number(&wanted[2][index]) as f32).clamp(0.0, 1.0);
            let [top, bottom] = [0, 2].map(|index| side(index, size[1]));
            let [left, right] = [1, 3].map(|index| side(index, size[0]));
            let place = BoundingBox { left, top, right, bottom };
            let label = format!("class {}", wanted[0]);
            let near = |found: &&Value| {
                let off = (number(&found["score"]) - number(&wanted[1])).abs();
                let overlap = corners(&found["box"]).intersection_over_union(&place);
                found["label"] == label.as_str() && off < 0.03 && overlap > 0.9
            };
            if !answer["detections"].as_array().unwrap().iter().any(|found| near(&found)) {
                others.push(format!("{} {label} at {:.2}", frame["frame"], number(&wanted[2][1])));
            }
        }
    }
    assert_eq!(
        others,
        ["\"0001\" class 0 at 0.27", "\"0002\" class 0 at 0.24", "\"0002\" class 0 at 0.17"],
        "{answers:?}"
    );
}

/// What LiteRT 2.3.0 found best in astronaut.png, scaled to 128 x 128: score 0.921, box and points in pixels of 512.
#[test]
fn blazeface_finds_the_face_and_its_points() {
    let Some(desk) = Desk::new() else { return };
    let bundle = desk.convert("face", "misc/face_detection_short_range.tflite", &["--precision", "f16"]);
    let pictures = ["astronaut", "chelsea", "camera"].map(|picture| desk.file(&format!("pictures/{picture}.png")));
    let answers = Desk::look("detect", &bundle, &pictures, &["--threshold", "0.5"]);
    assert_eq!(answers[1]["detections"], Value::Array(Vec::new()), "LiteRT gives the cat 0.30");
    assert!((number(&answers[2]["detections"][0]["score"]) - 0.726).abs() < 0.03, "{}", answers[2]);
    let [face] = &answers[0]["detections"].as_array().unwrap()[..] else { panic!("{answers:?}") };
    let wanted = BoundingBox { left: 178.7, top: 82.3, right: 178.7 + 92.5, bottom: 82.3 + 92.5 };
    assert!(face["label"] == "face" && (number(&face["score"]) - 0.921).abs() < 0.03, "{face}");
    assert!(corners(&face["box"]).intersection_over_union(&wanted) > 0.9, "{face}");
    let points = [
        ("right eye", [206.8, 100.5]),
        ("left eye", [251.3, 109.3]),
        ("nose", [226.4, 124.0]),
        ("mouth", [222.1, 145.2]),
        ("right ear", [177.3, 110.0]),
        ("left ear", [270.7, 126.8]),
    ];
    for (point, (name, place)) in face["keypoints"].as_array().unwrap().iter().zip(points) {
        let off = [0, 1].map(|axis| number(&point["point"][axis]) - place[axis]);
        assert!(point["name"] == name && off[0].hypot(off[1]) < 4.0, "{point}, not {name} at {place:?}");
    }
}

/// `MoveNet` over the stored picture, stretched as the reference's runtime does it. Its network is of integers, and of coarse ones: two
/// of LiteRT 2.3.0's own ways to compute it put a point up to 0.024 of the picture apart from each other, and scores by 0.44, over this
/// very picture; the reference lies up to 0.040 from either. So places are compared, not scores.
#[test]
fn movenet_finds_the_points_of_the_reference() {
    let Some(desk) = Desk::new() else { return };
    let path = "misc/movenet_single_pose_lightning_ptq.tflite";
    let reference = std::fs::read_to_string(desk.file("misc/movenet_single_pose_lightning_ptq_reference.csv")).unwrap();
    let picture = [desk.file("misc/squat.bmp")];
    let points = |name: &str, further: &[&str]| -> Vec<Value> {
        let bundle = desk.convert(name, path, further);
        let answer = Desk::look("detect", &bundle, &picture, &[]).remove(0);
        let [person] = &answer["detections"].as_array().unwrap()[..] else { panic!("{answer}") };
        assert!(person["label"] == "person" && number(&person["score"]) > 0.4, "{person}");
        person["keypoints"].as_array().unwrap().clone()
    };
    let forms = [points("stretched", &["--resize", "stretch"]), points("letterboxed", &[])];
    assert!(forms.iter().all(|form| form.len() == 17));
    for (at, line) in reference.lines().skip(1).enumerate() {
        let columns: Vec<f64> = line.split(',').map(|column| column.parse().unwrap()).collect();
        assert_eq!(columns[2], at as f64);
        for form in &forms {
            let place = [number(&form[at]["point"][0]) / 500.0, number(&form[at]["point"][1]) / 610.0];
            let off = (place[0] - columns[4]).hypot(place[1] - columns[5]);
            assert!(off < 0.06, "{} is at {place:?}, not at {:?}", form[at]["name"], &columns[4..]);
        }
    }
}
