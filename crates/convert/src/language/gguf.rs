//! A GGUF file as llama.cpp's converter writes it.

mod architectures;
mod bpe;
mod names;
mod sentencepiece;
mod tokenizer;

use std::path::Path;

use clawdbot_nn::gguf::{Gguf, GgufError, GgufFault};
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::Language;
use sha2::{Digest, Sha256};

use super::roles::{Part, Role, Weights, roles};
use super::{Described, LanguageDraft, LanguageError, spdx};

/// Bytes that go into a checksum at once.
const PIECE: usize = 1 << 22;

/// Reads everything but the weights.
pub(super) fn open(path: &Path) -> Result<LanguageDraft, LanguageError> {
    let gguf = Gguf::open(path)?;
    let mut described = architectures::read(&gguf)?;
    described.base.fill_up();
    let Described { architecture, feed_forward, decisions } = described.base;
    let roles = roles(&architecture, feed_forward);
    for &(role, [rows, columns]) in &roles {
        let name = names::tensor(role);
        let tensor = gguf.tensor(&name).ok_or_else(|| LanguageError::tensor(&name, "it is missing"))?;
        if (tensor.rows, tensor.columns) != (rows, columns) {
            let found = [tensor.rows, tensor.columns];
            let reason = format!("it is {found:?}, but the keys want [{rows}, {columns}]");
            return Err(LanguageError::tensor(&name, reason));
        }
    }
    names::none_left_over(&gguf, roles.iter().map(|&(role, _)| names::tensor(role)))?;
    let tokenizer::Text { tokenizer, tokens, chat_template } = tokenizer::read(&gguf, architecture.vocabulary)?;
    let name = gguf.text("general.name")?.unwrap_or_default().to_owned();
    let licence = gguf.text("general.license")?.map_or_else(|| String::from("unknown"), spdx);
    let origin = Origin { licence, converter: env!("CARGO_PKG_VERSION").to_owned(), ..Origin::default() };
    let weights = GgufWeights { gguf, interleaved: described.interleaved.then_some(architecture.head_dim) };
    Ok(LanguageDraft {
        format: "GGUF",
        language: Language { name, architecture, tokens, chat_template },
        tokenizer,
        origin,
        decisions,
        weights: Box::new(weights),
        feed_forward,
    })
}

/// See [`Weights`].
struct GgufWeights {
    gguf: Gguf,
    /// Values of a head, where q and k are turned in neighbouring pairs.
    interleaved: Option<usize>,
}

impl Weights for GgufWeights {
    fn name(&self, role: Role) -> String {
        names::tensor(role)
    }

    fn row(&self, role: Role, row: usize, out: &mut [f32]) -> Result<(), LanguageError> {
        let name = self.name(role);
        match (role, self.interleaved) {
            (Role::Layer(_, Part::Query | Part::Key), Some(head_dim)) => {
                self.gguf.row(&name, neighbour(row, head_dim), out)?;
            }
            (Role::Layer(_, Part::QueryBias | Part::KeyBias), Some(head_dim)) => {
                let mut stored = vec![0.0; out.len()];
                self.gguf.row(&name, row, &mut stored)?;
                out.iter_mut().enumerate().for_each(|(at, value)| *value = stored[neighbour(at, head_dim)]);
            }
            _ => self.gguf.row(&name, row, out)?,
        }
        Ok(())
    }

    fn sha256(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String, LanguageError> {
        let file = self.gguf.file();
        let mut hasher = Sha256::new();
        let mut done = 0;
        for piece in file.chunks(PIECE) {
            hasher.update(piece);
            done += piece.len() as u64;
            progress(done, file.len() as u64);
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Where a file whose heads are turned in pairs (2i, 2i + 1) keeps what is value `row` when they are turned in halves:
/// i stands at 2i, i + half at 2i + 1.
const fn neighbour(row: usize, head_dim: usize) -> usize {
    let (head, within, half) = (row / head_dim, row % head_dim, head_dim / 2);
    head * head_dim + within % half * 2 + within / half
}

/// A key that is needed and not there.
fn missing(gguf: &Gguf, key: &str) -> LanguageError {
    bad(gguf, key, "it is missing")
}

/// A key that makes no sense, or asks for what is not supported.
fn bad(gguf: &Gguf, key: &str, reason: &str) -> LanguageError {
    let error: GgufError = gguf.error(GgufFault::Key { key: key.to_owned(), reason: reason.to_owned() });
    error.into()
}
