//! The formats that the converter reads. Each importer turns a file's bytes into a float
//! [`Graph`](clawdbot_nn::graph::Graph) of the shared vocabulary; what comes after knows no format.
//!
//! Another format is a module here, a variant of [`Format`] with the mark by which its files are known, and an arm in
//! [`import`].

pub mod onnx;
pub mod tflite;

use std::path::Path;

use clawdbot_nn::graph::{Graph, ValueId};

/// A file format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ONNX.
    Onnx,
    /// TensorFlow Lite flatbuffers.
    Tflite,
}

impl Format {
    /// Every format, in the order in which marks are tried.
    pub const ALL: [Self; 2] = [Self::Tflite, Self::Onnx];

    /// For messages and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Onnx => "ONNX",
            Self::Tflite => "TensorFlow Lite",
        }
    }

    /// Whether a file's first bytes are this format's.
    #[must_use]
    pub fn recognises(self, bytes: &[u8]) -> bool {
        match self {
            Self::Onnx => onnx::recognises(bytes),
            Self::Tflite => bytes.get(4..8) == Some(b"TFL3"),
        }
    }
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No importer knows it.
    #[error("the file's format is not known (it begins with \"{start}\"); supported: {}", names())]
    UnknownFormat {
        /// Its first bytes, printable ones as they are.
        start: String,
    },
    /// ONNX.
    #[error(transparent)]
    Onnx(#[from] onnx::OnnxError),
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
    /// The detection post-processing that the file ends in; the graph ends before it.
    pub detection: Option<DetectionPostProcess>,
    /// The licence that the file itself names.
    pub licence: Option<String>,
    /// Set where the file goes on with operators that are not supported: the graph ends in what they read. Whoever knows
    /// a head that does their work may go on; for anyone else it is the error.
    pub unread: Option<ImportError>,
}

/// A detector's post-processing as one operator, `TFLite_Detection_PostProcess`.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionPostProcess {
    /// `[1][anchors][4]`: ty, tx, th, tw, each times its of `box_scales`.
    pub boxes: ValueId,
    /// `[1][anchors][classes]`, with a column for the background in front where `background`; probabilities.
    pub scores: ValueId,
    /// See `scores`.
    pub background: bool,
    /// Without the background.
    pub classes: usize,
    /// Centre y, centre x, height, width of each anchor, as shares of the picture's sides.
    pub anchors: Vec<[f32; 4]>,
    /// Of y, x, height, width: cy = ty / scale * h + y, h' = exp(th / scale) * h.
    pub box_scales: [f32; 4],
    /// Scores below are not looked at.
    pub score_min: f32,
    /// Of two boxes that overlap more (intersection over union) the worse one goes.
    pub overlap_max: f32,
    /// Whether each class suppresses its own boxes only; else an anchor speaks for its best class alone, and boxes suppress
    /// each other whatever their classes.
    pub each_class: bool,
    /// At most so many boxes come out.
    pub detections_max: usize,
    /// The names of its results in the file: boxes, classes, scores, count.
    pub results: Vec<String>,
}

/// Reads a network by its own mark (a file's name may lie).
///
/// # Errors
/// When the format is not known or the file is damaged.
pub fn import(source: Source<'_>) -> Result<Imported, ImportError> {
    let Source { bytes, .. } = source;
    let format = Format::ALL.into_iter().find(|format| format.recognises(bytes));
    match format {
        Some(format @ Format::Onnx) => {
            let (graph, licence) = onnx::import(source)?;
            Ok(Imported { format, graph, detection: None, licence, unread: None })
        }
        Some(format @ Format::Tflite) => {
            let tflite::Imported { graph, detection, licence, unread } = tflite::read(bytes)?;
            Ok(Imported { format, graph, detection, licence, unread: unread.map(ImportError::from) })
        }
        None => {
            let start =
                bytes.iter().take(8).flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
            Err(ImportError::UnknownFormat { start })
        }
    }
}
