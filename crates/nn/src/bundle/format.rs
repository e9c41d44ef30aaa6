//! The constants of format v2. `docs/reference/bundle.md` says the same in words.

use std::fmt;

use crate::metadata::Head;
use crate::tensor::DataType;

/// What the name of a bundle ends with.
pub const SUFFIX: &str = ".claw.safetensors";
/// The version that this build writes, and the only one that it reads.
pub const FORMAT_VERSION: u32 = 2;
/// Longest JSON header.
pub const HEADER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest file.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Tensors in one file, those that only pad included.
pub const TENSORS_MAX: usize = 1 << 17;

/// Length of the header's length.
pub(super) const LENGTH_BYTES: usize = 8;
/// Start of the name of a tensor that only pads; its data type is U8 and its bytes are 0.
pub(super) const PADDING: &str = "__padding__.";
/// The data type of padding.
pub(super) const PADDING_TYPE: &str = "U8";

/// The key under which safetensors keeps a map of strings.
pub(super) const METADATA: &str = "__metadata__";
/// [`FORMAT_VERSION`], decimal.
pub(super) const KEY_VERSION: &str = "clawdbot.format_version";
/// CRC-32 of the header with these eight digits as zeros; lower-case hex.
pub(super) const KEY_HEADER_CRC: &str = "clawdbot.header_crc32";
/// JSON object: tensor name to the CRC-32 of its bytes, lower-case hex.
pub(super) const KEY_TENSOR_CRC: &str = "clawdbot.tensor_crc32";
/// [`Kind`].
pub(super) const KEY_KIND: &str = "clawdbot.kind";
/// JSON: the program.
pub(super) const KEY_PROGRAM: &str = "clawdbot.program";
/// JSON: vision metadata; absent when the bundle is not about pictures.
pub(super) const KEY_VISION: &str = "clawdbot.vision";
/// JSON: origin.
pub(super) const KEY_ORIGIN: &str = "clawdbot.origin";
/// JSON: what a language model is; in bundles of kind `llm` only.
pub(super) const KEY_LANGUAGE: &str = "clawdbot.language";
/// What was asked of the converter: the precision and, if there was a calibration text, its SHA-256.
pub(super) const KEY_REQUEST: &str = "clawdbot.request";
/// The tensor that holds a language model's `tokenizer.json`.
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// What a bundle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Finds objects in a picture.
    Detector,
    /// Names a picture.
    Classifier,
    /// A network whose outputs we do not interpret.
    Raw,
    /// A language model.
    Llm,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Detector, Self::Classifier, Self::Raw, Self::Llm];

    /// As written in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Classifier => "classifier",
            Self::Raw => "raw",
            Self::Llm => "llm",
        }
    }

    /// The kind of bundle that a head makes.
    #[must_use]
    pub const fn of(head: Option<&Head>) -> Self {
        match head {
            Some(Head::Ssd(_) | Head::Yolox(_) | Head::NanoDet(_) | Head::BlazeFace(_) | Head::Pose(_)) => {
                Self::Detector
            }
            Some(Head::Classifier { .. }) => Self::Classifier,
            Some(Head::Raw) | None => Self::Raw,
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What safetensors calls a data type.
pub(super) const fn type_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::F32 => "F32",
        DataType::F16 => "F16",
        DataType::I8 => "I8",
        DataType::I32 => "I32",
        DataType::I16 => "I16",
        DataType::U8 => "U8",
    }
}

/// The data type that safetensors calls `name`.
pub(super) fn parse_type(name: &str) -> Option<DataType> {
    let types = [DataType::F32, DataType::F16, DataType::I8, DataType::I32, DataType::I16, DataType::U8];
    types.into_iter().find(|&kind| type_name(kind) == name)
}

/// CRC-32 of `header`, with the eight digits of its own checksum as zeros, and where these begin. `None` when the
/// header does not carry one.
pub(super) fn header_crc(header: &[u8]) -> Option<(u32, usize)> {
    let marker = format!("\"{KEY_HEADER_CRC}\":\"");
    let found = header.windows(marker.len()).position(|window| window == marker.as_bytes())?;
    let start = found + marker.len();
    let rest = header.get(start + 8..)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..start]);
    hasher.update(b"00000000");
    hasher.update(rest);
    Some((hasher.finalize(), start))
}
