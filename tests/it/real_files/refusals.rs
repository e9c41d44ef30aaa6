//! What cannot be converted, or not without a word of the user's, says so.

use super::Desk;

/// Converts; answers the exit code and standard error.
fn complaint(desk: &Desk, path: &str, further: &[&str]) -> (Option<i32>, String) {
    let bundle = desk.own("never.claw.safetensors");
    let output = Desk::run(&[&["convert", &desk.file(path), "-o", &bundle], further].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!std::path::Path::new(&bundle).exists(), "{path}: a failed conversion left a file");
    assert!(message.contains(path.rsplit('/').next().unwrap()), "the file is not named: {message}");
    (output.status.code(), message)
}

#[test]
fn an_operator_that_nobody_knows_is_named() {
    let Some(desk) = Desk::new() else { return };
    let (code, message) = complaint(&desk, "misc/invalid_invoke_error.tflite", &[]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("CUSTOM `fake-op-double`") && message.contains("export the model without"), "{message}");
}

#[test]
fn formats_that_are_not_read_yet_are_told_apart_from_damage() {
    let Some(desk) = Desk::new() else { return };
    for path in ["misc/vww_96.h5", "tiny/cnn_state_dict.pt", "tiny/cnn_float32.keras"] {
        let (code, message) = complaint(&desk, path, &[]);
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains("ONNX") && message.contains("TensorFlow Lite"), "{message}");
    }
}

/// Nothing in a YOLOX file says which of two ways to take pixels it was trained with.
#[test]
fn yolox_asks_how_it_takes_pixels() {
    let Some(desk) = Desk::new() else { return };
    for file in ["yolox_nano_416.onnx", "yolox_nano_416_dynamic_range_quant.tflite"] {
        let (code, message) = complaint(&desk, &format!("detect/yolox-nano/{file}"), &["--precision", "f16"]);
        assert_eq!(code, Some(2), "{message}");
        for said in ["--input-convention yolox-0.1.1", "--input-convention yolox-0.1.0", "--calibrate DIR"] {
            assert!(message.contains(said), "{said} is not in: {message}");
        }
    }
    let (code, message) =
        complaint(&desk, "detect/nanodet-m/nanodet_m_320.onnx", &["--input-convention", "yolox-0.1.1"]);
    assert!(code == Some(2) && message.contains("leave it out"), "{message}");
}

/// With pictures it is tried: the official file is of release 0.1.1.
#[test]
fn pictures_tell_how_yolox_takes_pixels() {
    let Some(desk) = Desk::new() else { return };
    let folder = desk.own("pictures");
    std::fs::create_dir(&folder).unwrap();
    for name in ["000000000030", "000000000071", "000000000086", "000000000127"] {
        let picture = desk.data.join("coco-open/train").join(name).with_extension("jpg").canonicalize().unwrap();
        std::os::unix::fs::symlink(picture, std::path::Path::new(&folder).join(name).with_extension("jpg")).unwrap();
    }
    let (file, bundle) = (desk.file("detect/yolox-nano/yolox_nano_416.onnx"), desk.own("yolox.claw.safetensors"));
    let words = ["convert", &file, "-o", &bundle, "--precision", "f16", "--calibrate", &folder];
    let told = Desk::answer(&words);
    assert!(told.contains("input convention: yolox-0.1.1, tried on the pictures"), "{told}");

    // Pictures of nothing tell nothing.
    let folder = desk.own("nothing");
    std::fs::create_dir(&folder).unwrap();
    image::RgbImage::from_pixel(64, 64, image::Rgb([90; 3]))
        .save(std::path::Path::new(&folder).join("grey.png"))
        .unwrap();
    let words = ["--precision", "f16", "--calibrate", &folder];
    let (code, message) = complaint(&desk, "detect/yolox-nano/yolox_nano_416.onnx", &words);
    assert!(code == Some(2) && message.contains("the pictures do not tell"), "{message}");
}
