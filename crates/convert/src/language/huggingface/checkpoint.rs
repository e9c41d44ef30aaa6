//! All tensors of a folder, in one file or in shards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::names::First;
use super::safetensors::{self, Number, Tensor};
use super::{FolderWeights, missing};
use crate::language::LanguageError;
use crate::language::roles::{Part, Role, Weights};

/// The file of a model that is not sharded.
const SINGLE: &str = "model.safetensors";
/// What names the shards of one that is.
const INDEX: &str = "model.safetensors.index.json";
/// Shards of one model.
const SHARDS_MAX: usize = 1024;
/// Bytes that are read at once for a checksum.
const PIECE: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Checkpoint {
    shards: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, (usize, Tensor)>,
    unread: BTreeMap<String, String>,
}

impl Checkpoint {
    pub(super) fn open(folder: &Path) -> Result<Self, LanguageError> {
        let mut checkpoint = Self { shards: Vec::new(), tensors: BTreeMap::new(), unread: BTreeMap::new() };
        let names = shard_names(folder)?;
        for (shard, name) in names.iter().enumerate() {
            let path = folder.join(name);
            let opened = File::open(&path);
            let mut file = opened.map_err(|error| LanguageError::Read { file: path.display().to_string(), error })?;
            let listed = safetensors::list(&mut file, &path)?;
            checkpoint.shards.push((path, file));
            checkpoint.unread.extend(listed.unread);
            for (name, tensor) in listed.tensors {
                if checkpoint.tensors.contains_key(&name) {
                    return Err(LanguageError::tensor(&name, "it is in two shards"));
                }
                checkpoint.tensors.insert(name, (shard, tensor));
            }
        }
        Ok(checkpoint)
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name).map(|(_, tensor)| tensor)
    }

    /// Names of all tensors, whether they can be read or not.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys().chain(self.unread.keys())
    }

    /// Why the tensor called `name` is not among those that can be read.
    pub(super) fn unread(&self, name: &str) -> Option<&str> {
        self.unread.get(name).map(String::as_str)
    }

    fn row(&self, name: &str, row: usize, out: &mut [f32]) -> Result<(), LanguageError> {
        let (shard, tensor) = self.tensors.get(name).ok_or_else(|| LanguageError::tensor(name, "it is missing"))?;
        let bytes_each = tensor.number.bytes();
        if row >= tensor.rows || out.len() != tensor.columns {
            return Err(LanguageError::tensor(name, format!("it has no row {row} of {} values", out.len())));
        }
        let mut bytes = vec![0; out.len() * bytes_each];
        let (path, file) = &self.shards[*shard];
        let offset = tensor.offset + row as u64 * bytes.len() as u64;
        let read = file.read_exact_at(&mut bytes, offset);
        read.map_err(|error| LanguageError::Read { file: path.display().to_string(), error })?;
        match tensor.number {
            Number::F32 => {
                let values = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value));
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            }
            Number::F16 => {
                let values = bytes.as_chunks().0.iter().map(|&value| f16::from_le_bytes(value).to_f32());
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            }
            Number::Bf16 => {
                let values = bytes.as_chunks().0.iter().map(|&value| bf16::from_le_bytes(value).to_f32());
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            }
        }
        Ok(())
    }
}

/// The files with tensors, sorted; names only, never paths.
fn shard_names(folder: &Path) -> Result<Vec<String>, LanguageError> {
    if folder.join(SINGLE).exists() {
        return Ok(vec![SINGLE.to_owned()]);
    }
    let index = super::json(folder, INDEX)?.ok_or_else(|| missing(folder, SINGLE))?;
    let bad = |reason: String| LanguageError::File { file: folder.join(INDEX).display().to_string(), reason };
    let map = index.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| bad(String::from("it has no `weight_map`")))?;
    let mut names = BTreeSet::new();
    for value in map.values() {
        let name = value.as_str().ok_or_else(|| bad(String::from("a shard's name is no text")))?;
        if name.contains(['/', '\\']) || !name.ends_with(".safetensors") || name.starts_with('.') {
            return Err(bad(format!("the shard `{name}` is no .safetensors file of the folder itself")));
        }
        names.insert(name.to_owned());
    }
    if names.is_empty() || names.len() > SHARDS_MAX {
        return Err(bad(format!("it names {} shards, but 1 to {SHARDS_MAX} are read", names.len())));
    }
    Ok(names.into_iter().collect())
}

impl Weights for FolderWeights {
    fn name(&self, role: Role) -> String {
        self.names.place(role).tensor
    }

    fn row(&self, role: Role, row: usize, out: &mut [f32]) -> Result<(), LanguageError> {
        let place = self.names.place(role);
        let first = place.first.map_or(0, |first: First| first.row(&self.checkpoint));
        self.checkpoint.row(&place.tensor, first + row, out)?;
        if self.norm_offset != 0.0 && is_norm(role) {
            out.iter_mut().for_each(|weight| *weight += self.norm_offset);
        }
        Ok(())
    }

    fn sha256(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String, LanguageError> {
        let error = |path: &Path, error| LanguageError::Read { file: path.display().to_string(), error };
        let lengths =
            self.checkpoint.shards.iter().map(|(path, file)| {
                file.metadata().map(|metadata| metadata.len()).map_err(|failed| error(path, failed))
            });
        let total = lengths.sum::<Result<u64, _>>()?;
        let mut done = 0;
        let mut lines = Vec::new();
        for (path, file) in &self.checkpoint.shards {
            let mut file = file;
            file.seek(SeekFrom::Start(0)).map_err(|failed| error(path, failed))?;
            let mut hasher = Sha256::new();
            let mut piece = vec![0; PIECE];
            loop {
                let count = file.read(&mut piece).map_err(|failed| error(path, failed))?;
                if count == 0 {
                    break;
                }
                hasher.update(&piece[..count]);
                done += count as u64;
                progress(done, total);
            }
            lines.push((hex(&hasher.finalize()), path.file_name().unwrap_or_default().to_string_lossy()));
        }
        if let [(sum, _)] = &lines[..] {
            return Ok(sum.clone());
        }
        let text: String = lines.iter().map(|(sum, name)| format!("{sum}  {name}\n")).collect();
        Ok(hex(&Sha256::digest(text)))
    }
}

/// Lower-case hexadecimal digits.
pub(in crate::language) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const fn is_norm(role: Role) -> bool {
    matches!(
        role,
        Role::Norm
            | Role::Layer(
                _,
                Part::AttentionNorm
                    | Part::AttentionAfterNorm
                    | Part::FeedForwardNorm
                    | Part::FeedForwardAfterNorm
                    | Part::QueryNorm
                    | Part::KeyNorm
            )
    )
}
