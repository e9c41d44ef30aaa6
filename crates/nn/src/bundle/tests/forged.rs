//! Headers that are whole, with checksums that are right, and say what is wrong.

use serde_json::{Value, json};

use super::{encoded, open};
use crate::bundle::format::{KEY_KIND, KEY_ORIGIN, KEY_PROGRAM, KEY_TENSOR_CRC, KEY_VERSION, KEY_VISION, header_crc};
use crate::fixture;

/// A bundle of `header` (text, with eight zeros for its checksum) and the fixture's data, signed.
fn signed(header: &str) -> Vec<u8> {
    let original = encoded(Some(&fixture::vision()));
    let length = 8 + usize::try_from(u64::from_le_bytes(original[..8].try_into().unwrap())).unwrap();
    let mut header = header.as_bytes().to_vec();
    header.resize((8 + header.len()).next_multiple_of(64) - 8, b' ');
    if let Some((crc, at)) = header_crc(&header) {
        header[at..at + 8].copy_from_slice(format!("{crc:08x}").as_bytes());
    }
    [&u64::try_from(header.len()).unwrap().to_le_bytes(), &header[..], &original[length..]].concat()
}

/// The fixture's header, with zeros for its checksum.
fn header() -> Value {
    let bytes = encoded(Some(&fixture::vision()));
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["__metadata__"]["clawdbot.header_crc32"] = "00000000".into();
    header
}

/// Changes the header, signs, opens; the answer must be an error that contains `expected`.
#[track_caller]
fn check(expected: &str, change: impl FnOnce(&mut Value)) {
    let mut header = header();
    change(&mut header);
    match open(&signed(&header.to_string())) {
        Ok(_) => panic!("opened, but should say `{expected}`"),
        Err(message) => assert!(message.contains(expected), "`{message}` does not say `{expected}`"),
    }
}

/// As [`check`], for a part of the metadata that is JSON in a string.
#[track_caller]
fn check_part(key: &str, expected: &str, change: impl FnOnce(&mut Value)) {
    check(expected, |header| {
        let text = header["__metadata__"][key].as_str().unwrap();
        let mut part: Value = serde_json::from_str(text).unwrap();
        change(&mut part);
        header["__metadata__"][key] = part.to_string().into();
    });
}

#[test]
fn signing_an_unchanged_header_changes_nothing() {
    assert!(open(&signed(&header().to_string())).is_ok());
}

#[test]
fn lines_of_the_table() {
    let line = |key: &'static str, value: Value| move |header: &mut Value| header["conv.bias"][key] = value;
    check("`conv.bias`: the data type `F64` has no use here", line("dtype", json!("F64")));
    check("`conv.bias`: the data type `BOOL` has no use here", line("dtype", json!("BOOL")));
    check("tensor `conv.bias`: the shape [9] of I32 does not fill its 32 bytes", line("shape", json!([9])));
    check("tensor `conv.bias`: the shape [0] of I32", line("shape", json!([0])));
    let absurd = json!([1_u64 << 40, 1_u64 << 40]);
    check("tensor `conv.bias`: the shape [1099511627776, 1099511627776]", line("shape", absurd));
    check("`conv.bias`: invalid value", line("shape", json!([-1])));
    check("`conv.bias`: invalid type", line("shape", json!("8")));
    check("`conv.bias`: unknown field `extra`", line("extra", json!(1)));
    check(
        "tensor `conv.bias`: the bytes 0..1099511627776 are empty or beyond",
        line("data_offsets", json!([0, 1_u64 << 40])),
    );
    check("tensor `conv.bias`: the bytes 32..0", |header| {
        header["conv.bias"]["data_offsets"] = json!([32, 0]);
        header.as_object_mut().unwrap().retain(|name, _| ["__metadata__", "conv.bias"].contains(&name.as_str()));
        header["padding"] = json!({"dtype": "I8", "shape": [32], "data_offsets": [0, 32]});
    });
    check("tensor `conv.column_sums`: it begins at 48 and overlaps the tensor before it", |header| {
        header["conv.column_sums"]["data_offsets"] = json!([48, 80]);
    });
    check("`conv.bias`: missing field `shape`", |header| {
        header["conv.bias"].as_object_mut().unwrap().remove("shape");
    });
    check("leaves a hole before it", |header| {
        header.as_object_mut().unwrap().remove("conv.bias");
    });
    check("which is no multiple of 64", |header| {
        header["conv.bias"] = json!({"dtype": "I32", "shape": [7], "data_offsets": [0, 28]});
        header["extra"] = json!({"dtype": "I32", "shape": [1], "data_offsets": [28, 32]});
    });
}

#[test]
fn padding_must_be_padding() {
    check("`__padding__.32`: the data type `I8` has no use here", |header| {
        header["__padding__.32"]["dtype"] = "I8".into()
    });
    check("tensor `__padding__.0`: padding is not 0", |header| {
        header.as_object_mut().unwrap().remove("conv.bias");
        header["__padding__.0"] = json!({"dtype": "U8", "shape": [32], "data_offsets": [0, 32]});
    });
}

#[test]
fn names_that_appear_twice() {
    let text = header().to_string();
    let twice = text.replacen("\"conv.scale\":", "\"conv.bias\":", 1);
    assert!(open(&signed(&twice)).unwrap_err().contains("the tensor `conv.bias` appears twice"));
    let twice = text.replacen("\"__metadata__\":", "\"__metadata__\":{},\"__metadata__\":", 1);
    assert!(open(&signed(&twice)).unwrap_err().contains("`__metadata__` appears twice"));
    let twice = text.replacen("\"clawdbot.kind\":", "\"clawdbot.kind\":\"raw\",\"clawdbot.kind\":", 1);
    assert!(open(&signed(&twice)).unwrap_err().contains("`clawdbot.kind` appears twice"));
}

#[test]
fn metadata() {
    for key in [KEY_VERSION, "clawdbot.header_crc32", KEY_KIND, KEY_PROGRAM, KEY_ORIGIN, KEY_TENSOR_CRC] {
        check(&format!("it has no `{key}`"), |header| {
            header["__metadata__"].as_object_mut().unwrap().remove(key);
        });
        check("invalid type", |header| header["__metadata__"][key] = 1.into());
    }
    let set =
        |key: &'static str, value: &'static str| move |header: &mut Value| header["__metadata__"][key] = value.into();
    check("it has format version `1`, this build reads 2", set(KEY_VERSION, "1"));
    check("it has format version ``", set(KEY_VERSION, ""));
    check("it is a `oracle`, which this build does not run", set(KEY_KIND, "oracle"));
    check("it is a `llm`, but a network over pictures is needed", set(KEY_KIND, "llm"));
    check("it says detector, but its head makes it a classifier", set(KEY_KIND, "detector"));
    check("`clawdbot.program` in its metadata is bad", set(KEY_PROGRAM, "{"));
    check("`clawdbot.vision` in its metadata is bad", set(KEY_VISION, "[]"));
    check("`clawdbot.origin` in its metadata is bad", set(KEY_ORIGIN, "{\"name\":1}"));
    check("tensor `conv.bias` is damaged (checksum none", set(KEY_TENSOR_CRC, "{}"));
    check("it has no `clawdbot.format_version`", |header| {
        header.as_object_mut().unwrap().remove("__metadata__");
    });
}

#[test]
fn programs() {
    let value = |at: usize, key: &'static str, new: Value| move |program: &mut Value| program["values"][at][key] = new;
    check_part(KEY_PROGRAM, "value `conv_out`: the scale 0e0 is not", value(1, "scale", json!([0.0])));
    check_part(KEY_PROGRAM, "value `conv_out`: the scale 1e-40 is not", value(1, "scale", json!([1e-40])));
    check_part(KEY_PROGRAM, "`clawdbot.program` in its metadata is bad", value(1, "scale", json!(["NaN"])));
    check_part(KEY_PROGRAM, "value `conv_out`: the zero point 128 is outside", value(1, "zero_point", json!(128)));
    check_part(KEY_PROGRAM, "value `picture`: the shape", value(0, "shape", json!([1, 1_u64 << 40, 1_u64 << 40, 3])));
    check_part(KEY_PROGRAM, "unknown field `extra`", value(0, "extra", json!(1)));
    check_part(KEY_PROGRAM, "unknown variant `hopscotch`", |program| {
        program["steps"][0]["op"]["op"] = "hopscotch".into()
    });
    check_part(KEY_PROGRAM, "step `conv`: there is no value number 99", |program| {
        program["steps"][0]["inputs"] = json!([99]);
    });
    check_part(KEY_PROGRAM, "step `conv`, tensor `nobody`: it is missing", |program| {
        program["steps"][0]["op"]["tensors"]["bias"] = "nobody".into();
    });
}

#[test]
fn what_it_says_about_pictures() {
    check_part(KEY_VISION, "the program has no output `nobody`", |vision| vision["head"]["scores"] = "nobody".into());
    check_part(KEY_VISION, "`scores` is [1, 5], but the classifier head with 1 labels needs 1 elements", |vision| {
        vision["labels"] = json!(["a"])
    });
    check_part(KEY_VISION, "is not I8 [1, 4, 6, 3]", |vision| vision["input"]["width"] = 6.into());
    let ssd = |maps: Value| json!({"kind": "ssd", "boxes": "scores", "scores": "scores", "maps": maps, "box_scales": [10, 10, 5, 5], "overlap_max": 0.6});
    check("its head makes it a detector", |header| {
        let vision = json!({"head": ssd(json!([])), "labels": []});
        header["__metadata__"][KEY_VISION] = vision.to_string().into();
    });
    check("the state from `scores` to `nobody` names no output, or no input behind the picture", |header| {
        let mut vision: Value = serde_json::from_str(header["__metadata__"][KEY_VISION].as_str().unwrap()).unwrap();
        vision["input"] = Value::Null;
        vision["states"] = json!([{"input": "nobody", "output": "scores"}]);
        header["__metadata__"][KEY_VISION] = vision.to_string().into();
    });
    check_part(KEY_VISION, "has one input beside its 1 states", |vision| {
        vision["states"] = json!([{"input": "picture", "output": "scores"}]);
    });
    for (maps, expected) in [
        (json!([{"rows": 2, "columns": 2, "sizes": [[0.1, 0.1]]}]), "needs the shape [1, 4, 4]"),
        (json!([{"rows": 1, "columns": 1, "sizes": [[0.1, 0.0]]}]), "has a side of 0, which is not above 0"),
        (
            json!([{"rows": 1_u64 << 40, "columns": 1_u64 << 40, "sizes": [[0.1, 0.1]]}]),
            "must have 1 to 262144 anchors together",
        ),
    ] {
        check(expected, |header| {
            let vision = json!({"head": ssd(maps), "labels": ["a"]});
            header["__metadata__"][KEY_VISION] = vision.to_string().into();
            header["__metadata__"][KEY_KIND] = "detector".into();
        });
    }
}
