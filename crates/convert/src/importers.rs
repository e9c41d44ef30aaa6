//! The formats that the converter reads. Each importer turns a file's bytes into a float
//! [`Graph`](clawdbot_nn::graph::Graph) of the shared vocabulary; what comes after knows no format.
//!
//! Another format is a module here, a variant of [`Format`] with the mark by which its files are known, and an arm in
//! [`import`].

pub mod tflite;

use std::path::Path;

use clawdbot_nn::graph::Graph;

/// A file format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TensorFlow Lite flatbuffers.
    Tflite,
}

impl Format {
    /// Every format, in the order in which marks are tried.
    pub const ALL: [Self; 1] = [Self::Tflite];

    /// For messages and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tflite => "TensorFlow Lite",
        }
    }

    /// Whether a file's first bytes are this format's.
    #[must_use]
    pub fn recognises(self, bytes: &[u8]) -> bool {
        match self {
            Self::Tflite => bytes.get(4..8) == Some(b"TFL3"),
        }
    }
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No importer knows it.
    #[error("the file's format is not known (it begins with {start:?}); supported: {}", names())]
    UnknownFormat {
        /// Its first bytes, printable ones as they are.
        start: String,
    },
    /// TensorFlow Lite.
    #[error(transparent)]
    Tflite(#[from] tflite::TfliteError),
}

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

/// What an importer is given.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's content.
    pub bytes: &'a [u8],
    /// The folder that it lies in, where a format may keep its constants in files of their own; without it, a network that
    /// does so is refused. Nothing outside of the folder is ever read.
    pub folder: Option<&'a Path>,
}

impl<'a> Source<'a> {
    /// A file that stands alone.
    #[must_use]
    pub const fn alone(bytes: &'a [u8]) -> Self {
        Self { bytes, folder: None }
    }
}

/// What an importer finds in a file.
#[derive(Debug)]
pub struct Imported {
    /// By which importer.
    pub format: Format,
    /// The network.
    pub graph: Graph,
    /// The licence that the file itself names.
    pub licence: Option<String>,
}

/// Reads a network by its own mark (a file's name may lie).
///
/// # Errors
/// When the format is not known or the file is damaged or uses what we do not support.
pub fn import(source: Source<'_>) -> Result<Imported, ImportError> {
    let Source { bytes, .. } = source;
    let format = Format::ALL.into_iter().find(|format| format.recognises(bytes));
    match format {
        Some(format @ Format::Tflite) => {
            let (graph, licence) = tflite::import_with_licence(bytes)?;
            Ok(Imported { format, graph, licence })
        }
        None => {
            let start =
                bytes.iter().take(8).flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
            Err(ImportError::UnknownFormat { start })
        }
    }
}
