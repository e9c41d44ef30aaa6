//! What each precision costs in perplexity, of ours and of llama.cpp's: one model, one text, the same tokens in the same windows,
//! F16 keys and values on both sides. Load does not matter.
//!
//! The one real model at hand is of four bits with an offset (Q4_1), so every form of four bits here rounds a second time. Both
//! sides begin from the same file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::workshop::make_folder;
use super::build::Build;
use super::models::SMOLLM2;
use super::options::Options;
use super::peer::{self, Peer};
use super::{bars, clawdbot};
use crate::process::{cargo, command, output, repository_root, run as run_command};
use crate::{Outcome, record};

/// What is read, below the shared data.
const TEXT: &str = "text/moby-dick-64k.txt";
/// More than it has.
const TOKENS_ALL: usize = 1_000_000;
/// Predicted tokens of a window.
const WINDOW: &str = "512";
/// What INT8 and INT4 are calibrated with: pages that have nothing in common with the text, one behind the other.
const PAGES: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/guide/first-steps.md",
    "docs/reference/regions.md",
    "docs/reference/convert.md",
];
/// Our forms and the peer's, the unrounded one first.
const OURS: [&str; 4] = ["f16", "int8", "mixed", "int4"];
const THEIRS: [&str; 4] = ["f16", "q8_0", "q4_k_m", "q4_0"];

/// What one form of the model makes of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) who: &'static str,
    pub(super) form: &'static str,
    pub(super) perplexity: f64,
    tokens: u64,
    bytes: u64,
    /// How far ours is from ours in F16, token by token, as `eval perplexity --against` tells it.
    against: Value,
}

impl Found {
    fn json(&self) -> Value {
        json!({
            "who": self.who,
            "form": self.form,
            "perplexity": self.perplexity,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "against": self.against,
        })
    }
}

/// Measures, prints and records.
pub(super) fn run(options: &Options) -> Outcome {
    let peer = Peer::prepare(&[Build::Avx2])?;
    run_command(&mut cargo(&["build", "--release", "--locked", "--package", "clawdbot"]))?;
    let data = repository_root().join("../shared/data");
    let (source, text) = (data.join(SMOLLM2), data.join(TEXT));
    for file in [&source, &text] {
        if !file.is_file() {
            return Err(format!("{} is missing: nothing real can be measured without it", file.display()));
        }
    }
    let folder = peer.folder().join("perplexity");
    make_folder(&folder)?;
    let pages = write_pages(&folder)?;
    // The first token is not predicted.
    let tokens = options.tokens.map_or(TOKENS_ALL, |tokens| tokens + 1).to_string();
    let mut found = Vec::new();
    for form in OURS {
        let bundle = convert(&source, form, &pages, &folder)?;
        let mut eval = command(&clawdbot().display().to_string(), &["eval", "perplexity", "--json", "--kv", "f16"]);
        eval.args(["--window", WINDOW, "--tokens", &tokens, "--model"]).arg(&bundle).arg("--text").arg(&text);
        if form != OURS[0] {
            eval.arg("--against").arg(bundle_of(&folder, OURS[0]));
        }
        found.push(answer("clawdbot", form, &output(&mut eval)?, &bundle)?);
    }
    let driver = peer.driver(Build::Avx2).display().to_string();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    for form in THEIRS {
        let model = folder.join(format!("{form}.gguf"));
        output(command(&driver, &["quantise"]).arg(&source).arg(&model).arg(form))?;
        let mut eval = command(&driver, &["perplexity"]);
        eval.arg(&model).args([&threads, WINDOW, &tokens]).arg(&text);
        found.push(answer("llama.cpp", form, &output(&mut eval)?, &model)?);
    }
    same_tokens(&found)?;
    let verdicts = bars::of_perplexities(&found);
    bars::print(&verdicts);
    record::write(
        "peers-llm-perplexity",
        &json!({
            "command": options.tokens.map_or_else(
                || "cargo xtask peers llm --perplexity".to_owned(),
                |tokens| format!("cargo xtask peers llm --perplexity --tokens {tokens}"),
            ),
            "peer": peer::VERSION,
            "model": SMOLLM2,
            "text": TEXT,
            "window": WINDOW,
            "calibrated_with": PAGES,
            "results": found.iter().map(Found::json).collect::<Vec<_>>(),
            "bars": verdicts.iter().map(bars::Verdict::json).collect::<Vec<_>>(),
        }),
    )
}

/// The pages as one text.
fn write_pages(folder: &Path) -> Result<PathBuf, String> {
    let mut text = String::new();
    for page in PAGES {
        let path = repository_root().join(page);
        text += &std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let file = folder.join("pages.txt");
    std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// Our bundle in `form`, made anew: the pages and the converter change from commit to commit.
fn convert(source: &Path, form: &str, pages: &Path, folder: &Path) -> Result<PathBuf, String> {
    let bundle = bundle_of(folder, form);
    let mut convert = command(&clawdbot().display().to_string(), &["convert"]);
    convert.arg(source).args(["--precision", form, "--output"]).arg(&bundle);
    // F16 has nothing to choose.
    if form != OURS[0] {
        convert.arg("--calibrate").arg(pages);
    }
    output(&mut convert)?;
    Ok(bundle)
}

fn bundle_of(folder: &Path, form: &str) -> PathBuf {
    folder.join(format!("{form}.claw.safetensors"))
}

/// The last line that a program printed, and the size of its model.
fn answer(who: &'static str, form: &'static str, said: &str, model: &Path) -> Result<Found, String> {
    let line = said.trim_end().lines().next_back().unwrap_or_default();
    let value: Value = serde_json::from_str(line).map_err(|error| format!("{who} {form} says {line:?}: {error}"))?;
    let (Some(perplexity), Some(tokens)) = (value["perplexity"].as_f64(), value["tokens"].as_u64()) else {
        return Err(format!("{who} {form} says {line:?}, without a perplexity and a number of tokens"));
    };
    let bytes = model.metadata().map_err(|error| format!("{}: {error}", model.display()))?.len();
    print!("{who:<10} {form:<7} perplexity {perplexity:>8.3} over {tokens} tokens, {:>4} MiB", bytes >> 20);
    let against = value["against"].clone();
    match (against["change"].as_f64(), against["change_error"].as_f64(), against["divergence"].as_f64()) {
        (Some(change), Some(error), Some(divergence)) => {
            println!(", {:+.2} % +- {:.2}, divergence {divergence:.5}", 100.0 * change, 100.0 * error);
        }
        _ => println!(),
    }
    Ok(Found { who, form, perplexity, tokens, bytes, against })
}

/// Perplexities compare only over the same tokens.
fn same_tokens(found: &[Found]) -> Outcome {
    let tokens = found.first().map(|one| one.tokens);
    match found.iter().find(|one| Some(one.tokens) != tokens) {
        None => Ok(()),
        Some(other) => Err(format!(
            "{} {} predicted {} tokens, the first form {tokens:?}: the two sides cut the text differently",
            other.who, other.form, other.tokens
        )),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn found(who: &'static str, form: &'static str, perplexity: f64) -> Found {
        Found { who, form, perplexity, tokens: 2048, bytes: 1, against: Value::Null }
    }

    #[test]
    fn the_last_line_counts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |said: &str| answer("llama.cpp", "f16", said, file.path());
        assert_eq!(read("noise\n{\"perplexity\": 46.5, \"tokens\": 9}\n").unwrap().perplexity, 46.5);
        for said in ["", "46.5", "{\"perplexity\": null, \"tokens\": 9}"] {
            assert!(read(said).is_err(), "{said:?}");
        }
    }

    #[test]
    fn other_tokens_are_refused() {
        let other = Found { tokens: 2047, ..found("llama.cpp", "f16", 46.0) };
        assert!(same_tokens(&[found("clawdbot", "f16", 46.0), other]).unwrap_err().contains("2047"));
    }
}
