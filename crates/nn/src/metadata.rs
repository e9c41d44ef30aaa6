//! What a bundle says of itself beside its network: where it comes from, how a picture goes in, how results come out.

use serde::{Deserialize, Serialize};

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

/// The one input of a vision network: I8 `[1][height][width][3]` with channel stride 4, q = pixel - 128 (scale 1, zero
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

/// One of an SSD's maps of anchors; see [`SsdHead`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorMap {
    /// Cells down.
    pub rows: usize,
    /// Cells to the right.
    pub columns: usize,
    /// Height and width of each anchor of a cell, in fractions of the picture, in order.
    pub sizes: Vec<[f32; 2]>,
}

/// Single Shot Detector: boxes F32 `[1][anchors][4]` (ty, tx, th, tw) and class logits F32 `[1][anchors][classes + 1]`
/// (column 0 is background; sigmoid each). Anchors in order map, y, x, size; a cell's centre is ((x + 0.5) / columns,
/// (y + 0.5) / rows). Liu et al., "SSD: Single Shot MultiBox Detector", 2016, section 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsdHead {
    /// Name of the value with the boxes.
    pub boxes: String,
    /// Name of the value with the class logits.
    pub scores: String,
    /// The maps, largest first.
    pub maps: Vec<AnchorMap>,
    /// Divisors of (ty, tx, th, tw): 10, 10, 5, 5.
    pub box_scales: [f32; 4],
    /// Boxes of one class that overlap more than this (intersection over union) are one object.
    pub overlap_max: f32,
}

/// How results come out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Head {
    /// A detector.
    Ssd(SsdHead),
    /// A classifier: F32 of as many elements as labels, one score each.
    Classifier {
        /// Name of the value with the scores.
        scores: String,
    },
    /// None that we know: the outputs as they are.
    Raw,
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
    /// Labels by index (an SSD's column k is label k - 1).
    pub labels: Vec<String>,
}
