//! Our figures against those that pycocotools 2.0.11 gave; `data/make.py` records them.
#![expect(clippy::unwrap_used, reason = "a test says what it skips and stops where its data is wrong")]

use std::collections::BTreeMap;
use std::path::Path;

use clawdbot_eval::average_precision::{Figures, Scored, evaluate};
use clawdbot_eval::coco::Annotations;
use serde::Deserialize;

/// Sums in another order differ in the last bits.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Expected {
    mean: ExpectedFigures,
    categories: BTreeMap<u64, ExpectedFigures>,
}

#[derive(Deserialize)]
struct ExpectedFigures {
    average_precision: Option<f64>,
    average_precision_50: Option<f64>,
    average_precision_75: Option<f64>,
    recall: Option<f64>,
    recall_50: Option<f64>,
}

#[derive(Deserialize)]
struct Found {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    score: f64,
}

fn check(annotations: &Annotations, found: &[Found], expected: &Expected) {
    let image = |id| annotations.images.iter().position(|image| image.id == id).unwrap();
    let category = |id| annotations.categories.iter().position(|category| category.id == id).unwrap();
    let detections: Vec<_> = found
        .iter()
        .map(|&Found { image_id, category_id, bbox, score }| Scored {
            image: image(image_id),
            category: category(category_id),
            bounding_box: bbox,
            score,
        })
        .collect();
    let categories: Vec<_> = expected.categories.keys().map(|&id| category(id)).collect();
    let report = evaluate(annotations, &detections, &categories);
    assert_eq!(report.categories.len(), expected.categories.len());
    for (report, (id, expected)) in report.categories.iter().zip(&expected.categories) {
        check_figures(&format!("category {id}"), report.figures, expected);
    }
    check_figures("mean", report.mean, &expected.mean);
}

fn check_figures(of: &str, given: Option<Figures>, expected: &ExpectedFigures) {
    let pairs = [
        (given.map(|given| given.average_precision), expected.average_precision),
        (given.map(|given| given.average_precision_50), expected.average_precision_50),
        (given.map(|given| given.average_precision_75), expected.average_precision_75),
        (given.map(|given| given.recall), expected.recall),
        (given.map(|given| given.recall_50), expected.recall_50),
    ];
    for (number, pair) in pairs.into_iter().enumerate() {
        match pair {
            (None, None) => {}
            (Some(given), Some(expected)) if (given - expected).abs() < TOLERANCE => {}
            (given, expected) => panic!("{of}, figure {number}: {given:?}, but pycocotools says {expected:?}"),
        }
    }
}

#[test]
fn synthetic_pictures() {
    #[derive(Deserialize)]
    struct Fixture {
        annotations: serde_json::Value,
        detections: Vec<Found>,
        expected: Expected,
    }
    let fixture: Fixture = serde_json::from_str(include_str!("data/synthetic.json")).unwrap();
    let annotations = Annotations::parse(&fixture.annotations.to_string()).unwrap();
    assert!(annotations.objects.iter().any(|object| object.crowd) && fixture.expected.categories.len() == 5);
    check(&annotations, &fixture.detections, &fixture.expected);
}

/// YOLOX-Nano's reference detections on the open part of COCO; needs `../shared/data` beside the repository.
#[test]
fn yolox_on_open_coco() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.is_dir() {
        assert!(std::env::var("CLAWDBOT_REQUIRE_DATA").as_deref() != Ok("1"), "there is no {}", data.display());
        // Written past the test runner's capture, which shows nothing of a test that passes.
        let notice = format!("SKIPPED: yolox_on_open_coco needs {}\n", data.display());
        std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
        return;
    }
    let read = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
    let reference: serde_json::Value =
        serde_json::from_str(&read("detect/yolox-nano/reference-detections.json")).unwrap();
    let results: BTreeMap<String, Vec<(usize, f64, [f64; 4])>> =
        serde_json::from_value(reference["results"].clone()).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_str(include_str!("data/coco-open-yolox.json")).unwrap();
    for (split, expected) in expected {
        let annotations = Annotations::parse(&read(&format!("coco-open/instances_{split}.json"))).unwrap();
        let mut found = Vec::new();
        for image in &annotations.images {
            for &(kind, score, [left, top, right, bottom]) in &results[&format!("{split}/{}", image.file_name)] {
                found.push(Found {
                    image_id: image.id,
                    category_id: annotations.categories[kind].id,
                    bbox: [left, top, right - left, bottom - top],
                    score,
                });
            }
        }
        check(&annotations, &found, &expected);
    }
}
