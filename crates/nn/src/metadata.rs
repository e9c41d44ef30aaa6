//! What a bundle says of itself beside its network: where it comes from, how a picture goes in, how results come out.

pub mod head;
pub mod language;

use serde::{Deserialize, Serialize};

pub use head::{
    AnchorCentres, AnchorMap, BlazeFaceHead, Head, NanoDetBranch, NanoDetHead, OutputShape, OutputWanted, PoseHead,
    SsdHead, YoloxBranch, YoloxHead, YoloxResults,
};

/// Whence and under which terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// A short name: `ssd-mobilenet-v2-oid`.
    pub name: String,
    /// The source file's name.
    pub source_file: String,
    /// Its SHA-256, lower-case hex.
    pub source_sha256: String,
    /// SPDX expression, or `unknown`.
    pub licence: String,
    /// Version of the converter.
    pub converter: String,
}

/// Order of the colour channels that the network wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How a picture is brought to the network's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Resize {
    /// Both sides to the network's, whatever the aspect.
    Stretch,
    /// Aspect kept, pasted top left, the rest filled with `fill` (a grey level).
    Letterbox {
        /// Grey level of the border.
        fill: u8,
    },
}

/// The first input of a vision network: I8 `[1][height][width][3]` with channel stride 4, q = pixel - 128 (scale 1, zero
/// point -128, in grey levels). The network's own mean and scale are folded into its first layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureInput {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Which colour is channel 0.
    pub color: ColorOrder,
    /// How a picture of another size goes in. Bilinear, pixel centres at half.
    pub resize: Resize,
}

/// A value that the network hands on to itself, from one picture to the next: begins as real 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Name of the program's input that takes it.
    pub input: String,
    /// Name of the program's output of the same shape and type that yields the next one.
    pub output: String,
}

/// What a vision bundle says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    /// How a picture goes in; absent where the network takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<PictureInput>,
    /// How results come out.
    pub head: Head,
    /// Labels by index (behind an SSD's background column, column k is label k - 1).
    pub labels: Vec<String>,
    /// What the network remembers; every input of the program but the picture, which comes first, is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
}
