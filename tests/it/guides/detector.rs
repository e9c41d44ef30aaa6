//! `docs/guide/own-detector.md` with a public NanoDet.

use std::path::Path;

use serde_json::Value;

use super::{Guide, run, succeed};
use crate::accuracy::data;

/// Pictures to calibrate with, and to measure on: few, since a test need not be accurate.
const PICTURES: usize = 2;

/// Lays out what the guide supposes: a network, its labels, pictures, and some with annotations.
fn lay_out(data: &Path, folder: &Path) {
    let copy = |from: &Path, to: &str| assert!(std::fs::copy(from, folder.join(to)).is_ok(), "{}", from.display());
    for name in ["pictures", "annotated"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    copy(&data.join("detect/nanodet-m/nanodet_m_320.onnx"), "detector.onnx");
    copy(&data.join("coco-open/coco80.names"), "labels.txt");
    for name in ["astronaut", "camera", "chelsea", "coffee"] {
        copy(&data.join(format!("pictures/{name}.png")), &format!("pictures/{name}.png"));
    }
    let text = std::fs::read(data.join("coco-open/instances_val.json")).unwrap();
    let mut annotations: Value = serde_json::from_slice(&text).unwrap();
    let images = annotations["images"].as_array_mut().unwrap();
    images.truncate(PICTURES);
    let ids: Vec<Value> = images.iter().map(|image| image["id"].clone()).collect();
    for image in images {
        let name = image["file_name"].as_str().unwrap();
        copy(&data.join("coco-open/val").join(name), &format!("annotated/{name}"));
    }
    annotations["annotations"].as_array_mut().unwrap().retain(|one| ids.contains(&one["image_id"]));
    std::fs::write(folder.join("annotations.json"), annotations.to_string()).unwrap();
}

#[test]
fn a_detector_of_one_s_own() {
    let Some(data) = data() else { return };
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    lay_out(&data, folder);
    let here = folder.to_str().unwrap();
    let mut guide = Guide::read(
        "docs/guide/own-detector.md",
        &[
            ("/var/lib/clawdbot", here),
            ("/etc/clawdbot", here),
            // Probing each of 138 layers takes longer than everything else here; what it gives is tested elsewhere.
            ("--report report.json", "--report report.json --precision int8"),
            ("bench vision", "bench vision --runs 1"),
            // A test's machine may have a problem; the finding on the model is looked at below.
            ("clawdbot doctor --config", "true"),
            ("systemctl restart clawdbot\n", ""),
        ],
    );

    let converted = succeed(&guide.next("sh"), folder);
    assert!(converted.contains("100.0 %") && converted.contains("wrote detector.claw.safetensors"), "{converted}");
    let report: Value = serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["origin"]["source_file"], "detector.onnx");

    let looked_at = succeed(&guide.next("sh"), folder);
    assert!(looked_at.contains("head      NanoDet") && looked_at.contains("80: person, bicycle"), "{looked_at}");
    assert!(looked_at.contains("  cat "), "{looked_at}");
    assert_eq!(std::fs::read_dir(folder.join("seen")).unwrap().count(), 4);

    let measured = succeed(&guide.next("sh"), folder);
    assert!(measured.contains("mean"), "{measured}");
    succeed(&guide.next("sh"), folder);

    std::fs::write(folder.join("clawdbot.toml"), guide.next("toml")).unwrap();
    let checked = succeed(&guide.next("sh"), folder);
    assert!(checked.contains("detector.labels = [\"person\",\"cat\"]"), "{checked}");
    guide.finish();
    let doctor = run("clawdbot doctor --json --config clawdbot.toml", folder);
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let model = findings["findings"].as_array().unwrap().iter().find(|found| found["check"] == "model").unwrap();
    assert_eq!(model["verdict"], "ok", "{model}");
}
