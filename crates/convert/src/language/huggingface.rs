//! A folder as Hugging Face's `transformers` saves it: `config.json`, `model.safetensors` or shards with an index, and the
//! tokenizer's files.

mod architectures;
mod checkpoint;
mod config;
mod names;
mod rope;
mod safetensors;
mod tokenizer;

use std::path::Path;

use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::Language;
use serde_json::{Map, Value};

use super::roles::{Role, roles};
use super::{Described, LanguageDraft, LanguageError, spdx};
use checkpoint::Checkpoint;
use config::Config;
use names::Names;
#[cfg(test)]
pub(super) use tokenizer::compact;

/// The file that describes the model.
const CONFIG: &str = "config.json";
/// Longest `config.json` and the like.
const JSON_BYTES_MAX: u64 = 16 << 20;

/// Reads everything but the weights.
pub(super) fn open(folder: &Path) -> Result<LanguageDraft, LanguageError> {
    let outer = json(folder, CONFIG)?.ok_or_else(|| missing(folder, CONFIG))?;
    let inner = text_part(&outer);
    let mut described = architectures::read(&Config::new(inner))?;
    let checkpoint = Checkpoint::open(folder)?;
    let names = Names::of(&checkpoint, described.style);
    described.base.fill_up();
    let Described { mut architecture, feed_forward, mut decisions } = described.base;
    // Of a model that sees the outer description may say it for both.
    architecture.tied_embedding |= Config::new(&outer).flag("tie_word_embeddings")?.unwrap_or(false);
    if !architecture.tied_embedding && checkpoint.tensor(&names.head()).is_none() {
        architecture.tied_embedding = true;
        decisions.push(String::from("there is no head, so the embedding is taken for one"));
    }
    let weights = FolderWeights { checkpoint, names, norm_offset: described.norm_offset };
    for (role, size) in roles(&architecture, feed_forward) {
        weights.check(role, size)?;
    }
    let left_out = weights.left_over(&architecture)?;
    if left_out > 0 {
        decisions.push(format!("{left_out} tensors beside the language model (pictures, sound) are left out"));
    }
    let text = tokenizer::read(folder, inner)?;
    if text.tokenizer.is_none() {
        decisions.push(String::from("the folder has no tokenizer.json: the bundle takes and gives token ids only"));
    }
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok(LanguageDraft {
        format: "Hugging Face folder",
        language: Language { name, architecture, tokens: text.tokens, chat_template: text.chat_template },
        tokenizer: text.tokenizer,
        origin: Origin {
            licence: licence(folder),
            converter: env!("CARGO_PKG_VERSION").to_owned(),
            ..Origin::default()
        },
        decisions,
        weights: Box::new(weights),
        feed_forward,
    })
}

/// The description of the language model in that of one that sees or hears too.
fn text_part(config: &Map<String, Value>) -> &Map<String, Value> {
    config.get("text_config").and_then(Value::as_object).unwrap_or(config)
}

/// The JSON object in `name`; `None` if there is no such file.
fn json(folder: &Path, name: &str) -> Result<Option<Map<String, Value>>, LanguageError> {
    let Some(text) = text(folder, name, JSON_BYTES_MAX)? else { return Ok(None) };
    let value = serde_json::from_str(&text);
    value.map(Some).map_err(|error: serde_json::Error| LanguageError::File {
        file: folder.join(name).display().to_string(),
        reason: format!("it is not a JSON object ({error})"),
    })
}

/// The text in `name`; `None` if there is no such file.
fn text(folder: &Path, name: &str, bytes_max: u64) -> Result<Option<String>, LanguageError> {
    let path = folder.join(name);
    let file = path.display().to_string();
    let length = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LanguageError::Read { file, error }),
    };
    if length > bytes_max {
        let reason = format!("its {length} bytes exceed the limit of {bytes_max}");
        return Err(LanguageError::File { file, reason });
    }
    std::fs::read_to_string(&path).map(Some).map_err(|error| LanguageError::Read { file, error })
}

fn missing(folder: &Path, name: &str) -> LanguageError {
    let error = std::io::Error::from(std::io::ErrorKind::NotFound);
    LanguageError::Read { file: folder.join(name).display().to_string(), error }
}

/// The licence that the model's page names: `license:` in the front matter of README.md, if that can be read.
fn licence(folder: &Path) -> String {
    let page = text(folder, "README.md", JSON_BYTES_MAX).unwrap_or_default().unwrap_or_default();
    let matter = page.strip_prefix("---").and_then(|rest| rest.split_once("\n---")).map_or("", |(matter, _)| matter);
    let line = matter.lines().find_map(|line| line.strip_prefix("license:"));
    spdx(line.map_or("unknown", |name| name.trim().trim_matches(['"', '\''])))
}

/// Weights of a folder.
struct FolderWeights {
    checkpoint: Checkpoint,
    names: Names,
    /// Added to the weights of norms.
    norm_offset: f32,
}

impl FolderWeights {
    /// Sees that the tensor of `role` is there and holds `[rows, columns]` where the role's begin.
    fn check(&self, role: Role, [rows, columns]: [usize; 2]) -> Result<(), LanguageError> {
        let place = self.names.place(role);
        let tensor = self.checkpoint.tensor(&place.tensor);
        let why = || self.checkpoint.unread(&place.tensor).unwrap_or("it is missing");
        let tensor = tensor.ok_or_else(|| LanguageError::tensor(&place.tensor, why()))?;
        let first = place.first.map_or(0, |first| first.row(&self.checkpoint));
        let fits = if place.first.is_some() { first + rows <= tensor.rows } else { rows == tensor.rows };
        if fits && columns == tensor.columns {
            return Ok(());
        }
        let found = [tensor.rows, tensor.columns];
        let reason = format!("it is {found:?}, but the description wants {rows} rows of {columns} from row {first} on");
        Err(LanguageError::tensor(&place.tensor, reason))
    }
}
