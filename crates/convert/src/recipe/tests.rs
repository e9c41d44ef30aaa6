//! What is recognised, and what is asked for instead of guessed.

use clawdbot_nn::graph::ValueId;

use super::recognise::recognise;
use super::*;

mod recognised;

/// What is decided of a graph, after looking for a known kind.
fn decide(graph: &Graph, source_sha256: &str, wishes: &Wishes) -> Result<Recipe, RecipeError> {
    let mut graph = graph.clone();
    let size = picture_size(&graph);
    let found = size.and_then(|size| recognise(&mut graph, None, size));
    super::decide(&mut graph, found, source_sha256, wishes)
}

/// A network of nothing but an input and outputs.
fn graph(input: (&str, &[usize]), outputs: &[(&str, &[usize])]) -> Graph {
    let value =
        |&(name, shape): &(&str, &[usize])| clawdbot_nn::graph::Value { name: name.to_owned(), shape: shape.to_vec() };
    Graph {
        values: std::iter::once(&input).chain(outputs).map(value).collect(),
        inputs: vec![ValueId(0)],
        outputs: (1..=outputs.len()).map(ValueId).collect(),
        ..Graph::default()
    }
}

fn detector() -> Graph {
    let outputs: [(&str, &[usize]); 2] =
        [("raw_outputs/box_encodings", &[1, 1917, 4]), ("raw_outputs/class_predictions", &[1, 1917, 24])];
    graph(("normalized_input_image_tensor", &[1, 300, 300, 3]), &outputs)
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("label {index}")).collect()
}

#[test]
fn the_object_detection_api_is_recognised() {
    let wishes = Wishes { labels: Some(labels(23)), ..Wishes::default() };
    let recipe = decide(&detector(), "", &wishes).unwrap();
    let vision = recipe.vision.unwrap();
    let Head::Ssd(head) = vision.head else { panic!("no SSD head") };
    let sides: Vec<_> = head.maps.iter().map(|map| (map.rows, map.sizes.len())).collect();
    assert_eq!(sides, [(19, 3), (10, 6), (5, 6), (3, 6), (2, 6), (1, 6)]);
    // Map 1 has the scale 0.35: twice as wide as high is 0.35 / sqrt(2) by 0.35 x sqrt(2).
    let [height, width] = head.maps[1].sizes[1];
    assert!((height - 0.247_487).abs() < 1e-5 && (width - 0.494_975).abs() < 1e-5, "{height} {width}");
    // The last square anchor of the last map lies between the scale 0.95 and 1.
    assert!((head.maps[5].sizes[5][0] - 0.974_679).abs() < 1e-5);
    let normalisation = recipe.normalisation.unwrap();
    assert_eq!((normalisation.mean, normalisation.scale), (vec![127.5], vec![1.0 / 127.5]));
    assert!(recipe.decisions.iter().any(|decision| decision.contains("because of the input's name")));
}

#[test]
fn labels_are_asked_for_unless_the_file_is_known() {
    assert_eq!(decide(&detector(), "", &Wishes::default()).unwrap_err(), RecipeError::NoLabels { classes: 23 });
    let known = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6";
    let recipe = decide(&detector(), known, &Wishes::default()).unwrap();
    assert_eq!(recipe.vision.unwrap().labels[3], "Person");
    let wishes = Wishes { labels: Some(labels(24)), ..Wishes::default() };
    let message = decide(&detector(), known, &wishes).unwrap_err().to_string();
    assert!(
        message.contains("24 labels were given") && message.contains("23 classes beside the background"),
        "{message}"
    );
}

#[test]
fn another_number_of_anchors_is_no_known_detector() {
    let mut other = detector();
    other.values[1].shape[1] = 1916;
    let message = decide(&other, "", &Wishes::default()).unwrap_err().to_string();
    assert!(message.contains("--mean 127.5 --scale 1/127.5"), "{message}");
}

#[test]
fn a_classifier_is_known_by_its_labels() {
    let classifier = graph(("x", &[1, 32, 32, 3]), &[("y", &[1, 10])]);
    let normalisation = Some(Normalisation { mean: vec![0.0], scale: vec![1.0] });
    let wishes = Wishes { normalisation, labels: Some(labels(10)), ..Wishes::default() };
    let head = decide(&classifier, "", &wishes).unwrap().vision.unwrap().head;
    assert_eq!(head, Head::Classifier { scores: "y".to_owned(), softmax: false });
    let head = decide(&classifier, "", &Wishes { labels: None, ..wishes }).unwrap().vision.unwrap().head;
    assert_eq!(head, Head::Raw);
}

#[test]
fn a_network_without_picture_takes_no_picture_flags() {
    let plain = graph(("x", &[1, 16]), &[("y", &[1, 10])]);
    assert_eq!(decide(&plain, "", &Wishes::default()).unwrap().vision, None);
    let wishes = Wishes { color: Some(ColorOrder::Bgr), ..Wishes::default() };
    assert_eq!(decide(&plain, "", &wishes).unwrap_err(), RecipeError::NoPicture { shape: vec![1, 16] });
}
