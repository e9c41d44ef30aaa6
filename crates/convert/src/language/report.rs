//! What was done to a language model, for people and for machines.

use serde::Serialize;

/// The whole of it; `--report FILE` writes this as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct LanguageReport {
    /// The source file's or folder's name.
    pub source: String,
    /// Its SHA-256; of several files, that of the lines which `sha256sum` prints for them.
    pub source_sha256: String,
    /// Its format.
    pub format: String,
    /// What was asked: `f16`, `int8`, `int4`, `mixed`.
    pub precision: String,
    /// One sentence each.
    pub decisions: Vec<String>,
    /// Tokens of the text that the model was run on; 0 without one.
    pub calibration_tokens: usize,
    /// Every matrix, in the order of the bundle.
    pub matrices: Vec<MatrixReport>,
    /// Weights of all matrices and norms.
    pub parameters: u64,
    /// Size of the bundle.
    pub file_bytes: u64,
}

/// One matrix. Ratios are those of its results' power to what the rounding of its weights adds, in decibels: of all rows
/// together, columns taken as independent, their inputs as strong as the calibration text made them (all alike without one). The
/// lower, the more fragile. Absent where nothing was lost or measured.
#[derive(Clone, Debug, Serialize)]
pub struct MatrixReport {
    /// The tensor's name.
    pub name: String,
    /// How it is packed.
    pub precision: &'static str,
    /// Results.
    pub rows: usize,
    /// Values that each result reads.
    pub columns: usize,
    /// As it is packed.
    pub snr_db: Option<f64>,
    /// In INT4, if that was asked for.
    pub int4_snr_db: Option<f64>,
    /// In INT8, if that was asked for.
    pub int8_snr_db: Option<f64>,
}
