//! A language model from file to text, held against references that others computed (`models.md` section 4). The model may not be part of
//! the repository: it lies in `../shared/data`, and without it these tests are skipped, said aloud.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::forward::{Forward, Limits, Span, Wanted};
use clawdbot_llm::kv_cache::{KvCache, Sequence};
use clawdbot_llm::model::Model;
use clawdbot_llm::pace::Pace;
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::workers::Workers;
use serde_json::Value;

use crate::accuracy::{clawdbot, data};
use crate::npz;

/// SmolLM2-135M as a bundle.
pub(crate) fn converted(data: &Path, folder: &Path, precision: &str) -> String {
    converted_with(data, folder, precision, &[])
}

fn converted_with(data: &Path, folder: &Path, precision: &str, further: &[&str]) -> String {
    let source = data.join("llm/SmolLM2-135M-Instruct.Q4_1.gguf");
    let bundle = folder.join(format!("{precision}.claw.safetensors")).to_str().unwrap().to_owned();
    let what = ["convert", source.to_str().unwrap(), "-o", &bundle, "--precision", precision];
    clawdbot(&[&what[..], further].concat());
    bundle
}

fn perplexity(data: &Path, bundle: &str, kv: &str) -> f64 {
    let text = data.join("text/moby-dick-64k.txt");
    let what = ["eval", "perplexity", "--json", "--model", bundle, "--text", text.to_str().unwrap()];
    // Four windows of 512 predicted tokens: the first token of all is given.
    let answer = clawdbot(&[&what[..], &["--tokens", "2049", "--threads", "2", "--kv", kv]].concat());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["tokens"], 2048);
    answer["perplexity"].as_f64().unwrap()
}

/// numpy in F32 over the file's own weights has 46.69.
#[test]
fn a_language_model_is_as_surprised_as_the_reference() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let f16 = perplexity(&data, &converted(&data, folder.path(), "f16"), "f16");
    assert!((f16 - 46.69).abs() < 0.05, "F16: {f16}");
    // 0.4 % and 0.9 % without the page; the difference's standard error is 0.2 %.
    let int8 = calibrated(&data, folder.path(), "int8");
    assert!((int8 / f16 - 1.0).abs() < 0.006, "INT8: {int8}, F16: {f16}");
    compared(&data, folder.path());
}

/// Both bundles read a short text: the change is that of their perplexities, token by token.
fn compared(data: &Path, folder: &Path) {
    let text = data.join("text/moby-dick-64k.txt");
    let [int8, f16] =
        ["int8", "f16"].map(|name| folder.join(format!("{name}.claw.safetensors")).to_str().unwrap().to_owned());
    let told = |model: &str, further: &[&str]| -> Value {
        let what =
            ["eval", "perplexity", "--json", "--model", model, "--text", text.to_str().unwrap(), "--tokens", "200"];
        serde_json::from_str(&clawdbot(&[&what[..], further].concat())).unwrap()
    };
    let (rounded, unrounded) = (told(&int8, &["--against", &f16]), told(&f16, &[]));
    let [rounded_alone, unrounded] = [&rounded, &unrounded].map(|told| told["perplexity"].as_f64().unwrap());
    let [change, error, divergence] =
        ["change", "change_error", "divergence"].map(|name| rounded["against"][name].as_f64().unwrap());
    assert!((change - (rounded_alone / unrounded - 1.0)).abs() < 1e-4, "{rounded}, unrounded {unrounded}");
    assert!(error > 0.0 && error < 0.05 && divergence > 0.0 && divergence < 0.02, "{rounded}");
}

/// Tokens of another tokenizer are no pairs.
#[test]
fn a_model_is_not_compared_with_one_of_another_tokenizer() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("bytes");
    std::fs::create_dir(&source).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(data.join("tiny/llama-rope3").join(name), source.join(name)).unwrap();
    }
    // Of SmolLM2's tokenizer only the single bytes.
    let mut tokenizer: Value =
        serde_json::from_slice(&std::fs::read(data.join("llm/smollm2-tokenizer.json")).unwrap()).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_object().unwrap();
    let letters = vocabulary.keys().filter(|word| word.chars().count() == 1);
    tokenizer["model"]["vocab"] = letters.enumerate().map(|(id, letter)| (letter.clone(), Value::from(id))).collect();
    (tokenizer["model"]["merges"], tokenizer["added_tokens"]) = (Value::Array(vec![]), Value::Array(vec![]));
    tokenizer["model"]["unk_token"] = Value::Null;
    std::fs::write(source.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let bundle = folder.path().join("bytes.claw.safetensors");
    let [source, bundle] = [&source, &bundle].map(|path| path.to_str().unwrap());
    clawdbot(&["convert", source, "-o", bundle, "--precision", "f16"]);
    let text = folder.path().join("text.txt");
    std::fs::write(&text, "Call me Ishmael. Some years ago").unwrap();
    let other = converted(&data, folder.path(), "int4");
    let what = ["eval", "perplexity", "--model", bundle, "--text", text.to_str().unwrap()];
    assert!(clawdbot(&[&what[..], &["--against", bundle]].concat()).contains("+0.00 % +- 0.00"));
    let output = Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(what).args(["--against", &other]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("read the text as different tokens"), "{told}");
}

/// Takes a minute of its own, which all tests together do not have: `cargo test --test it -- --ignored mixed`.
#[test]
#[ignore = "a minute or more; run it after a change to the converter of language models"]
fn mixed_loses_less_than_int4_does() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let f16 = perplexity(&data, &converted(&data, folder.path(), "f16"), "f16");
    // 9.3 % without the page.
    let mixed = calibrated(&data, folder.path(), "mixed");
    assert!(mixed / f16 - 1.0 < 0.075, "mixed: {mixed}, F16: {f16}");
}

/// Perplexity of a bundle that was calibrated on a page which has nothing in common with the novel that it is measured on.
fn calibrated(data: &Path, folder: &Path, precision: &str) -> f64 {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/mqtt.md");
    perplexity(data, &converted_with(data, folder, precision, &["--calibrate", page]), "f16")
}

#[test]
fn an_answer_is_the_same_with_and_without_guesses_and_threads() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = converted(&data, folder.path(), "int4");
    let told = |prompt: &str, further: &[&str]| -> Value {
        let what = ["generate", "--json", "--model", &bundle, "--prompt", prompt, "--max-tokens", "40"];
        serde_json::from_str(&clawdbot(&[&what[..], further].concat())).unwrap()
    };
    let copying = "front door, back door, front door, back door, front door, back door,";
    let plain = told(copying, &["--temperature", "0", "--no-lookup", "--threads", "1"]);
    let guessed = told(copying, &["--temperature", "0", "--threads", "2"]);
    assert_eq!(plain["text"], guessed["text"]);
    assert_eq!(plain["answer_tokens"], guessed["answer_tokens"]);
    assert!(guessed["passes"].as_u64().unwrap() < plain["passes"].as_u64().unwrap(), "{guessed} {plain}");
    let warm = ["--temperature", "1.2", "--seed", "7"];
    assert_eq!(told("Once upon a time", &warm)["text"], told("Once upon a time", &warm)["text"]);
    let other = told("Once upon a time", &["--temperature", "1.2", "--seed", "8"]);
    assert_ne!(told("Once upon a time", &warm)["text"], other["text"]);
    summarised(&bundle);
}

/// The example of docs/reference/generate.md: events are copied into JSON at two tokens a pass and more, which the schema alone does
/// not reach, and guesses change nothing but that.
fn summarised(bundle: &str) {
    let example = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/examples").join(name);
    let prompt = std::fs::read_to_string(example("events.txt")).unwrap();
    let schema = example("events.schema.json");
    let what = ["generate", "--json", "--chat", "--temperature", "0", "--model", bundle, "--prompt", prompt.trim_end()];
    let told = |further: &[&str]| -> Value {
        let by_schema = ["--schema", schema.to_str().unwrap()];
        serde_json::from_str(&clawdbot(&[&what[..], &by_schema, further].concat())).unwrap()
    };
    let (guessed, plain) = (told(&[]), told(&["--no-lookup"]));
    assert_eq!((&guessed["text"], &guessed["answer_tokens"]), (&plain["text"], &plain["answer_tokens"]));
    let events: Value = serde_json::from_str(guessed["text"].as_str().unwrap()).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 6, "{guessed}");
    let per_pass = |told: &Value| told["tokens_per_pass"].as_f64().unwrap();
    assert!(per_pass(&guessed) >= 2.0 && per_pass(&guessed) >= 2.0 * per_pass(&plain), "{guessed} {plain}");
}

#[test]
fn a_language_model_knows_the_capital_of_france() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = converted(&data, folder.path(), "int8");
    let what = ["generate", "--model", &bundle, "--temperature", "0", "--max-tokens", "8"];
    let answer = clawdbot(&[&what[..], &["--prompt", "The capital of France is"]].concat());
    assert!(answer.starts_with(" Paris."), "{answer}");
    let stopped = clawdbot(&[&what[..], &["--prompt", "The capital of France is", "--stop", "ris"]].concat());
    assert_eq!(stopped, " Pa\n");
    let chat = clawdbot(&[&what[..], &["--chat", "--prompt", "<|im_end|> Say hello."]].concat());
    assert!(!chat.trim().is_empty());
}

/// A GGUF file as it is answers as its bundle does, and an answer by a schema is JSON.
#[test]
fn a_gguf_file_answers_as_its_bundle_does() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = data.join("llm/SmolLM2-135M-Instruct.Q4_1.gguf");
    let schema = folder.path().join("schema.json");
    let text = r#"{"type": "object", "additionalProperties": false, "required": ["city", "sure"],
        "properties": {"city": {"type": "string", "maxLength": 20}, "sure": {"type": "boolean"}}}"#;
    std::fs::write(&schema, text).unwrap();
    let told = |model: &str| -> Value {
        let what = ["generate", "--json", "--chat", "--temperature", "0", "--max-tokens", "60", "--model", model];
        let asked = ["--prompt", "What is the capital of France?", "--schema", schema.to_str().unwrap()];
        serde_json::from_str(&clawdbot(&[&what[..], &asked].concat())).unwrap()
    };
    let (direct, bundle) = (told(source.to_str().unwrap()), told(&converted(&data, folder.path(), "int4")));
    assert_eq!(direct["text"], bundle["text"]);
    let answer: Value = serde_json::from_str(direct["text"].as_str().unwrap()).unwrap();
    assert!(answer["city"].is_string() && answer["sure"].is_boolean(), "{direct}");
    assert!(direct["passes"].as_u64().unwrap() < direct["answer_tokens"].as_u64().unwrap(), "{direct}");
    assert!(
        !Path::new("/dev/shm")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().starts_with("clawdbot-repacked") })
    );
}

fn refused(arguments: &[&str], code: i32, expected: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_clawdbot")).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(code) && told.contains(expected), "{arguments:?}: {:?} {told}", output.status);
}

#[test]
fn what_cannot_be_generated_is_refused_by_name() {
    let generate = |model| ["generate", "--prompt", "a", "--model", model];
    refused(&generate("/nowhere"), 1, "`/nowhere` cannot be used");
    refused(&generate("assets/ssd-mobilenet-v2-oid.claw.safetensors"), 1, "detector");
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = converted(&data, folder.path(), "int4");
    let more = |further: &[&str], code, expected| refused(&[&generate(&bundle)[..], further].concat(), code, expected);
    more(&["--temperature", "11"], 2, "temperature is 11, but must be from 0 to 10");
    more(&["--context", "9000"], 1, "a context of 9000 is wanted, but the model was made for 8192");
    more(&["--context", "100"], 1, "an answer of 256 do not fit into the context of 100");
    more(&["--stop", ""], 2, "stop string 0");
}

/// Each architecture's fixture: logits of a reference in F64 over the same F16 weights. Keys and values in binary16 alone would move
/// them by up to 4e-3.
#[test]
fn every_architecture_s_logits_are_the_reference_s() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["llama-rope3", "qwen2-bias-untied", "qwen3-qknorm", "smollm3-nope"] {
        let source = data.join("tiny").join(name);
        let bundle = folder.path().join(format!("{name}.claw.safetensors"));
        clawdbot(&["convert", source.to_str().unwrap(), "-o", bundle.to_str().unwrap(), "--precision", "f16"]);
        let archive = std::fs::read(source.join("reference.npz")).unwrap();
        let ids: Vec<u32> = npz::integers(&archive, "ids").into_iter().map(|id| u32::try_from(id).unwrap()).collect();
        let wanted = npz::floats(&archive, "logits");
        let found = logits(&bundle, &ids);
        assert_eq!(found.len(), wanted.len(), "{name}");
        let off = found.iter().zip(&wanted).map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f32::max);
        let largest = wanted.iter().fold(0.0, |most: f32, logit| most.max(logit.abs()));
        assert!(off < 1e-3, "{name}: {off}, where logits go up to {largest}");
    }
}

/// Logits of all tokens, by the forward pass itself.
fn logits(bundle: &Path, ids: &[u32]) -> Vec<f32> {
    let model = Arc::new(Model::new(Arc::new(LanguageBundle::open(bundle).unwrap())).unwrap());
    let limits = Limits { tokens: ids.len(), logits: ids.len(), context: ids.len() };
    let mut cache = KvCache::new(Forward::cache_shape(&model, Format::F32), 4);
    let mut forward = Forward::new(Arc::clone(&model), Arc::new(Workers::new()), Isa::detect(), limits);
    let mut sequence = Sequence::with_capacity(ids.len());
    let span = Span { sequence: &mut sequence, tokens: ids, logits: Wanted::All };
    forward.run(&mut cache, &mut [span], Pace::ALONE).unwrap();
    let vocabulary = model.architecture().vocabulary;
    let mut rows = vec![0.0; vocabulary * ids.len()];
    rows.chunks_exact_mut(vocabulary).enumerate().for_each(|(row, logits)| forward.copy_logits(row, logits));
    rows
}
