//! Networks that name whole pictures.

use std::collections::BTreeMap;

use image::RgbImage;
use serde_json::Value;

use super::{Desk, number};

/// `classify`'s scores by label.
fn scores(answer: &Value) -> BTreeMap<String, f64> {
    let pair = |ranked: &Value| (ranked["label"].as_str().unwrap().to_owned(), number(&ranked["score"]));
    answer["labels"].as_array().unwrap().iter().map(pair).collect()
}

/// Names that nobody else has: those of the real list stand for several classes each.
fn numbered(desk: &Desk, count: usize) -> String {
    desk.lines(&format!("{count} labels"), &(0..count).map(|index| format!("class {index}")).collect::<Vec<_>>())
}

/// The file's results are bytes of 1/256; ours are not rounded so. Beside that rounding, the differences are those of some fifty
/// layers that each may be a step off: LiteRT's own three ways to compute these networks (its kernels, XNNPACK, the reference
/// kernels) differ by up to 8, 10 and 14 of 256 over these pictures. The third network's unsigned weights reach so far beyond 7 bits
/// and a sign that many of its channels get coarser steps here.
const CLASSIFIERS: [(&str, u32, f64); 3] = [
    ("mobilenet_v2_1.0_224_quant", 224, 6.5),
    ("tf2_mobilenet_v2_1.0_224_ptq", 224, 14.5),
    ("mobilenet_v1_0.25_128_quant", 128, 26.5),
];

#[test]
fn imagenet_classifiers_name_what_litert_names() {
    let Some(desk) = Desk::new() else { return };
    let reference = std::fs::read(desk.file("classify/reference-top5.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let labels = numbered(&desk, 1001);
    let names = ["cat", "bird", "sunflower", "dragonfly"];
    for (network, side, limit) in CLASSIFIERS {
        let bundle = desk.convert(network, &format!("classify/{network}.tflite"), &["--labels", &labels]);
        let files = names.map(|name| format!("classify/{name}.bmp"));
        let pictures = files.each_ref().map(|file| desk.at_size(file, [side; 2]));
        let whole = files.each_ref().map(|file| desk.file(file));
        let answers = Desk::look("classify", &bundle, &[pictures, whole].concat(), &["--top", "1001"]);
        for (at, answer) in answers.iter().enumerate() {
            let wanted = reference["results"][network][names[at % 4]].as_array().unwrap();
            // The pictures as they are: see Desk::at_size.
            let limit = if at < 4 { limit } else { limit + 15.0 };
            check_best(&format!("{network}, {}", answer["image"]), answer, wanted, limit);
        }
    }
}

/// The first is the first, each score is within `steps` of 256, and what the reference counts to the best five is one of them here, or
/// so near the fifth that these steps may part them.
fn check_best(name: &str, answer: &Value, wanted: &[Value], steps: f64) {
    let found = scores(answer);
    let best = answer["labels"].as_array().unwrap();
    assert_eq!(best[0]["label"], format!("class {}", wanted[0][0]), "{name}");
    for entry in wanted {
        let (label, score) = (format!("class {}", entry[0]), number(&entry[2]));
        let ours = 256.0 * found[&label];
        assert!((ours - score).abs() < steps, "{name}: {label} has {ours} of 256, not {score}");
        assert!(ours + steps > 256.0 * number(&best[4]["score"]), "{name}: {label} is not among the best: {ours}");
    }
}

/// With the list of names that comes with the classifiers: what a user sees.
#[test]
fn a_cat_is_called_a_cat() {
    let Some(desk) = Desk::new() else { return };
    let labels = desk.file("classify/imagenet_labels.txt");
    let bundle = desk.convert("v2", "classify/mobilenet_v2_1.0_224_quant.tflite", &["--labels", &labels]);
    let told = Desk::answer(&["classify", "--model", &bundle, "--top", "2", &desk.file("classify/cat.bmp")]);
    assert!(told.lines().nth(1).unwrap().contains("Egyptian cat") && told.contains("tabby"), "{told}");
}

/// The stored pair: a picture of the network's own size, and all 1001 bytes that LiteRT made of it.
#[test]
fn all_scores_of_one_picture_are_litert_s() {
    let Some(desk) = Desk::new() else { return };
    let archive = std::fs::read(desk.file("classify/mobilenet_v2_quant_cat.npz")).unwrap();
    let (input, wanted) = (crate::npz::bytes(&archive, "input"), crate::npz::bytes(&archive, "output"));
    let picture = desk.own("cat.png");
    RgbImage::from_raw(224, 224, input).unwrap().save(&picture).unwrap();
    let labels = numbered(&desk, 1001);
    let bundle = desk.convert("v2", "classify/mobilenet_v2_1.0_224_quant.tflite", &["--labels", &labels]);
    let found = scores(&Desk::look("classify", &bundle, &[picture], &["--top", "1001"])[0]);
    assert_eq!((found.len(), wanted.len()), (1001, 1001));
    for (class, wanted) in wanted.iter().enumerate() {
        let off = (256.0 * found[&format!("class {class}")] - f64::from(*wanted)).abs();
        assert!(off < 6.5, "class {class}: {} of 256, not {wanted}", 256.0 * found[&format!("class {class}")]);
    }
}

/// Share of "person" by LiteRT 2.3.0, picture by picture: the full-integer file, the float file.
const PERSONS: [(&str, f64, f64); 6] = [
    ("misc/squat.bmp", 0.9570, 0.9553),
    ("pictures/astronaut.png", 0.4844, 0.4828),
    ("pictures/chelsea.png", 0.0703, 0.0609),
    ("pictures/coffee.png", 0.0898, 0.0643),
    ("pictures/camera.png", 0.4727, 0.4695),
    ("classify/cat.bmp", 0.0352, 0.0246),
];

#[test]
fn visual_wake_words_in_integers_and_in_floats() {
    let Some(desk) = Desk::new() else { return };
    let labels = desk.lines("labels", &["nobody", "person"]);
    let pictures = PERSONS.map(|(picture, ..)| desk.at_size(picture, [96; 2]));
    let int8 = desk.convert("int8", "misc/vww_96_int8.tflite", &["--labels", &labels]);
    let said = ["--labels", &labels, "--mean", "0", "--scale", "1/255", "--precision", "f16"];
    let f16 = desk.convert("f16", "misc/vww_96_float.tflite", &said);
    let answers = [int8, f16].map(|bundle| Desk::look("classify", &bundle, &pictures, &[]));
    for (at, (picture, int8, float)) in PERSONS.iter().enumerate() {
        let [by_int8, by_f16] = [0, 1].map(|form| scores(&answers[form][at])["person"]);
        assert!((by_f16 - float).abs() < 0.002, "{picture}, floats: {by_f16}, not {float}");
        assert!((by_int8 - int8).abs() < 0.02, "{picture}, integers: {by_int8}, not {int8}");
    }
}

/// Scores of LiteRT 2.3.0 in 256ths, by its default kernels and by those that it has without a delegate; the classes in the order of
/// CIFAR-10. The two are up to 18 apart.
const CIFAR: [(&str, [[f64; 10]; 2]); 5] = [
    (
        "classify/bird.bmp",
        [[3.0, 0.0, 251.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [6.0, 0.0, 247.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0]],
    ),
    (
        "classify/cat.bmp",
        [
            [0.0, 0.0, 55.0, 184.0, 2.0, 0.0, 14.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 64.0, 179.0, 3.0, 0.0, 10.0, 0.0, 0.0, 0.0],
        ],
    ),
    (
        "misc/squat.bmp",
        [[11.0, 0.0, 37.0, 2.0, 0.0, 1.0, 0.0, 205.0, 0.0, 0.0], [7.0, 0.0, 24.0, 1.0, 0.0, 1.0, 0.0, 223.0, 0.0, 0.0]],
    ),
    ("pictures/chelsea.png", [[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 255.0, 0.0, 0.0, 0.0]; 2]),
    (
        "pictures/astronaut.png",
        [
            [0.0, 1.0, 33.0, 156.0, 0.0, 0.0, 66.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 40.0, 158.0, 0.0, 0.0, 56.0, 0.0, 0.0, 0.0],
        ],
    ),
];
const CIFAR_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

#[test]
fn residual_sums_of_integers() {
    let Some(desk) = Desk::new() else { return };
    let labels = desk.lines("labels", &CIFAR_NAMES);
    let bundle = desk.convert("resnet8", "misc/resnet8_cifar_int8.tflite", &["--labels", &labels]);
    let pictures = CIFAR.map(|(picture, _)| desk.at_size(picture, [32; 2]));
    let answers = Desk::look("classify", &bundle, &pictures, &["--top", "10"]);
    for ((picture, [one, other]), answer) in CIFAR.iter().zip(&answers) {
        let found = scores(answer);
        for (at, name) in CIFAR_NAMES.iter().enumerate() {
            let (low, high) = (one[at].min(other[at]), one[at].max(other[at]));
            let ours = 256.0 * found[*name];
            // As far from either as the layers' roundings take it.
            assert!(
                (low - 8.0..high + 8.0).contains(&ours),
                "{picture}: {name} has {ours} of 256, not {low} to {high}"
            );
        }
    }
}

/// One small network in three formats: PyTorch's own results of it are held in `crates/convert`, where floats can be put in; a
/// picture must give the same scores whatever file it came from.
#[test]
fn three_files_of_one_network_give_the_same_scores() {
    let Some(desk) = Desk::new() else { return };
    let labels = numbered(&desk, 10);
    let said = ["--labels", &labels, "--mean", "127.5", "--scale", "1/50", "--precision", "f16"];
    let pictures = ["classify/cat.bmp", "classify/bird.bmp"].map(|picture| desk.file(picture));
    let files = ["tiny/cnn.onnx", "tiny/cnn_float32.tflite", "tiny/cnn_float16.tflite"];
    let answers = files.map(|file| {
        let bundle = desk.convert(&file.replace('/', " "), file, &said);
        Desk::look("classify", &bundle, &pictures, &["--top", "10"]).iter().map(scores).collect::<Vec<_>>()
    });
    let spread = |at: usize| answers[0][at].values().copied().fold(0.0, |most: f64, score| most.max(score.abs()));
    for at in 0..pictures.len() {
        assert_eq!(answers[0][at].len(), 10);
        for (label, wanted) in &answers[0][at] {
            for other in &answers[1..] {
                let off = (other[at][label] - wanted).abs();
                assert!(off < 2e-3 * spread(at), "{label}: {} and {wanted}", other[at][label]);
            }
        }
    }
}

/// Two first guesses are right, and the other two pictures' labels are second guesses.
#[test]
fn a_classifier_is_worth_what_it_names() {
    let Some(desk) = Desk::new() else { return };
    let labels = desk.file("classify/imagenet_labels.txt");
    let bundle = desk.convert("v2", "classify/mobilenet_v2_1.0_224_quant.tflite", &["--labels", &labels]);
    let truth =
        [("cat", "tabby, tabby cat"), ("bird", "chickadee"), ("sunflower", "Daisy"), ("dragonfly", "damselfly")];
    let lines = truth.map(|(picture, label)| format!("{picture}.bmp\t{label}"));
    let said = desk.lines("truth", &lines);
    let folder = desk.file("classify");
    let words = ["eval", "classify", "--json", "--model", &bundle, "--images", &folder, "--labels", &said];
    let answer: Value = serde_json::from_str(&Desk::answer(&words)).unwrap();
    assert_eq!(answer["counts"], serde_json::json!({ "pictures": 4, "first": 2, "wide": 4 }), "{answer}");
    assert_eq!((number(&answer["top_1"]), number(&answer["top_5"])), (0.5, 1.0));
    // The same pictures, a folder for each label.
    let images = desk.folder.path().join("sorted");
    for (picture, label) in truth {
        let place = images.join(label);
        std::fs::create_dir_all(&place).unwrap();
        let file = desk.data.join("classify").join(picture).with_extension("bmp").canonicalize().unwrap();
        std::os::unix::fs::symlink(file, place.join("picture.bmp")).unwrap();
    }
    let told = Desk::answer(&["eval", "classify", "--model", &bundle, "--images", images.to_str().unwrap()]);
    assert!(
        told.contains("on 4 pictures") && told.contains("top-1  0.5000") && told.contains("top-5  1.0000"),
        "{told}"
    );
    for (line, complaint) in [
        ("cat.bmp\tfelix", "which is no label of the model"),
        ("cat.bmp Egyptian cat", "each line must be"),
        ("../cat.bmp\tEgyptian cat", "leads out of the folder"),
        ("absent.bmp\tEgyptian cat", "absent.bmp"),
    ] {
        let said = desk.lines("bad", &[line]);
        let output = Desk::run(&["eval", "classify", "--model", &bundle, "--images", &folder, "--labels", &said]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && message.contains(complaint), "{line}: {message}");
    }
}
