//! Bits that changed on the way, files that end early, and headers that are whole and lie.

use serde_json::{Value, json};

use super::{encoded, open};
use crate::bundle::format::KEY_LANGUAGE;
use crate::bundle::write::sealed;
use crate::metadata::language::tests::small;

fn header_length(bytes: &[u8]) -> usize {
    8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

/// Where the tensor called `name` lies in the file.
fn range(bytes: &[u8], name: &str) -> std::ops::Range<usize> {
    let start = header_length(bytes);
    let header: Value = serde_json::from_slice(&bytes[8..start]).unwrap();
    let offset = |at: usize| usize::try_from(header[name]["data_offsets"][at].as_u64().unwrap()).unwrap();
    start + offset(0)..start + offset(1)
}

#[test]
fn a_flipped_bit_anywhere_in_the_header_is_found() {
    let bytes = encoded(&small());
    let mut damaged = bytes.clone();
    for at in 0..header_length(&bytes) {
        damaged[at] = bytes[at] ^ (1 << (at % 8));
        let message = open(&damaged).expect_err("a flipped bit of the header was not noticed");
        assert!(message.contains("`test`"), "{message}");
        damaged[at] = bytes[at];
    }
    assert!(open(&damaged).is_ok());
}

#[test]
fn a_changed_byte_of_the_weights_is_found_when_one_asks_and_its_tensor_named() {
    let bytes = encoded(&small());
    let matrix = range(&bytes, "layers.1.feed_forward.down");
    let mut damaged = bytes.clone();
    for at in matrix.step_by(97) {
        damaged[at] ^= 0x10;
        let bundle = open(&damaged).expect("opening reads no weights");
        let message = bundle.verify().unwrap_err().to_string();
        assert!(message.contains("tensor `layers.1.feed_forward.down` is damaged"), "{message}");
        damaged[at] ^= 0x10;
    }
}

#[test]
fn a_changed_byte_of_a_norm_or_the_tokenizer_is_found_at_once() {
    let bytes = encoded(&small());
    for name in ["tokenizer.json", "layers.0.attention.qkv_bias", "norm"] {
        let mut damaged = bytes.clone();
        damaged[range(&bytes, name).end - 1] ^= 1;
        let message = open(&damaged).unwrap_err();
        assert!(message.contains(&format!("tensor `{name}` is damaged")), "{message}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = encoded(&small());
    let header = header_length(&bytes);
    for length in (0..header).step_by(7).chain((header..bytes.len()).step_by(61)).chain([bytes.len() - 1]) {
        assert!(open(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
    assert!(open(&[&bytes[..], &[0]].concat()).unwrap_err().contains("belong to none"));
}

/// Changes the header, signs it, opens; the answer must be an error that says `expected`.
#[track_caller]
fn check(expected: &str, change: impl FnOnce(&mut Value)) {
    let bytes = encoded(&small());
    let length = header_length(&bytes);
    let mut header: Value = serde_json::from_slice(&bytes[8..length]).unwrap();
    header["__metadata__"]["clawdbot.header_crc32"] = "00000000".into();
    change(&mut header);
    let mut forged = sealed(header.to_string().into_bytes()).unwrap();
    forged.extend_from_slice(&bytes[length..]);
    let message = open(&forged).expect_err(expected);
    assert!(message.contains(expected), "`{message}` does not say `{expected}`");
}

/// The same for the description of the model.
#[track_caller]
fn check_language(expected: &str, change: impl FnOnce(&mut Value)) {
    check(expected, |header| {
        let text = header["__metadata__"][KEY_LANGUAGE].as_str().unwrap();
        let mut language: Value = serde_json::from_str(text).unwrap();
        change(&mut language);
        header["__metadata__"][KEY_LANGUAGE] = language.to_string().into();
    });
}

#[test]
fn the_description_must_fit_the_tensors() {
    check_language("`layers.0.feed_forward.gate_up`: U8 [24, 2, 144] is no packing of 256 rows of 64", |language| {
        language["architecture"]["feed_forward"] = json!(128);
    });
    check_language("`layers.1.attention.after_norm`: the architecture has no such tensor", |language| {
        language["architecture"]["layers"].as_array_mut().unwrap().pop();
    });
    check_language("`layers.2.attention.norm`: it is missing", |language| {
        let layers = language["architecture"]["layers"].as_array_mut().unwrap();
        layers.push(layers[1].clone());
    });
    check_language("`layers.0.attention.query_norm`: it is F32 [16] instead of F32 [64]", |language| {
        language["architecture"]["query_key_norm"] = json!("whole");
    });
    check_language("invalid type: string \"x\"", |language| language["architecture"]["width"] = json!("x"));
}

#[test]
fn the_description_must_make_sense() {
    check_language("makes no sense: `kv_heads` is 0", |language| {
        language["architecture"]["kv_heads"] = json!(0);
    });
    check_language("unknown field `experts`", |language| language["architecture"]["experts"] = json!(8));
    check_language("missing field `gate`", |language| {
        language["architecture"].as_object_mut().unwrap().remove("gate");
    });
    check("it has no `clawdbot.language`", |header| {
        header["__metadata__"].as_object_mut().unwrap().remove(KEY_LANGUAGE);
    });
    check("`norm`: it has no checksum", |header| {
        let text = header["__metadata__"]["clawdbot.tensor_crc32"].as_str().unwrap();
        let mut sums: Value = serde_json::from_str(text).unwrap();
        sums.as_object_mut().unwrap().remove("norm");
        header["__metadata__"]["clawdbot.tensor_crc32"] = sums.to_string().into();
    });
    check("this build does not run; it runs detector, classifier, raw and llm", |header| {
        header["__metadata__"]["clawdbot.kind"] = "oracle".into();
    });
}

#[test]
fn weights_that_the_kernels_may_not_see_are_found() {
    let bytes = encoded(&small());
    let cases = [("layers.0.attention.qkv", 16, 0x80), ("layers.0.attention.qkv", 1, 0x7c), ("embedding", 1, 0x7c)];
    for (name, offset, byte) in cases {
        let mut changed = bytes.clone();
        let range = range(&bytes, name);
        changed[range.start + offset] = byte;
        // With the right checksum, as a converter gone wrong would write it.
        let length = header_length(&bytes);
        let mut header: Value = serde_json::from_slice(&changed[8..length]).unwrap();
        let text = header["__metadata__"]["clawdbot.tensor_crc32"].as_str().unwrap();
        let mut sums: Value = serde_json::from_str(text).unwrap();
        sums[name] = format!("{:08x}", crc32fast::hash(&changed[range])).into();
        header["__metadata__"]["clawdbot.tensor_crc32"] = sums.to_string().into();
        header["__metadata__"]["clawdbot.header_crc32"] = "00000000".into();
        let mut forged = sealed(header.to_string().into_bytes()).unwrap();
        forged.extend_from_slice(&changed[length..]);
        let message = open(&forged).unwrap().verify().unwrap_err().to_string();
        assert!(message.contains(&format!("tensor `{name}`: it holds an infinity")), "{message}");
    }
}
