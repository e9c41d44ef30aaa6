//! How results come out of a vision network: which outputs a head reads, of which shape, and by which numbers.
//!
//! A detector's outputs are its prediction layers' sums as they are: what would follow them in the source file (sigmoids,
//! transposes, concatenations, boxes' decoding) is the head's work, and done for the few cells that matter.

mod check;

use serde::{Deserialize, Serialize};

pub use check::{OutputShape, OutputWanted};

/// Where the centres of an [`AnchorMap`]'s cells lie, when not in the middle of equal cells (as in files that round them).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorCentres {
    /// Of each row, from the top, in fractions of the picture.
    pub rows: Vec<f32>,
    /// Of each column, from the left.
    pub columns: Vec<f32>,
}

/// One of a detector's maps of anchors; see [`SsdHead`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorMap {
    /// Cells down.
    pub rows: usize,
    /// Cells to the right.
    pub columns: usize,
    /// Height and width of each anchor of a cell, in fractions of the picture, in order.
    pub sizes: Vec<[f32; 2]>,
    /// Absent: the centre of a cell is ((x + 0.5) / columns, (y + 0.5) / rows).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centres: Option<AnchorCentres>,
}

/// Single Shot Detector: boxes F32 `[1][anchors][4]` (ty, tx, th, tw) and class logits F32 `[1][anchors][classes]` (sigmoid
/// each; one column more where column 0 is background). Anchors in order map, y, x, size. Liu et al., "SSD: Single Shot
/// MultiBox Detector", 2016, section 2.
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
    /// Whether column 0 of the logits is the background.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub background: bool,
    /// Whether an anchor speaks for its best class alone, and boxes that overlap are one object whatever their classes
    /// (`TFLite_Detection_PostProcess` without `use_regular_nms`).
    #[serde(default, skip_serializing_if = "is_no")]
    pub best_class_only: bool,
}

/// The prediction layers of one of YOLOX's maps, logits all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloxBranch {
    /// Pixels from cell to cell.
    pub stride: usize,
    /// Name of F32 `[1][rows][columns][4]`: dx, dy, log width, log height, in strides.
    pub boxes: String,
    /// Name of F32 `[1][rows][columns][1]`.
    pub objectness: String,
    /// Name of F32 `[1][rows][columns][labels]`.
    pub classes: String,
}

/// In which form YOLOX's results come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case", deny_unknown_fields)]
pub enum YoloxResults {
    /// Each prediction layer by itself.
    Branches {
        /// One a map.
        branches: Vec<YoloxBranch>,
    },
    /// One F32 `[1][cells][5 + labels]`, maps one after the other: boxes as in [`YoloxBranch`], objectness and class scores
    /// after their sigmoids. For networks that cannot be cut.
    Fused {
        /// Its name.
        output: String,
        /// Pixels from cell to cell of each map, in order.
        strides: Vec<usize>,
    },
}

/// YOLOX: a box for each cell of each map, no anchors. A box's centre is (dx + x, dy + y) strides, its size exp(log size)
/// strides, its score sigmoid(objectness) x sigmoid(class). Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YoloxHead {
    /// What is read.
    pub results: YoloxResults,
    /// Boxes of one class that overlap more than this (intersection over union) are one object.
    pub overlap_max: f32,
}

/// The prediction layer of one of `NanoDet`'s maps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NanoDetBranch {
    /// Pixels from cell to cell.
    pub stride: usize,
    /// Name of F32 `[1][rows][columns][labels]`, logits; with the four distributions behind them (`[labels + 4 x bins]`) where
    /// `distances` is absent.
    pub classes: String,
    /// Name of F32 `[1][rows][columns][4 x bins]`: left, top, right, bottom, a logit for each bin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<String>,
}

/// `NanoDet` and `NanoDet`-Plus: the distance from a cell's centre to each side of its box is a distribution, sum of
/// i x softmax(bins)\[i\] strides. Li et al., "Generalized Focal Loss", 2020, section 3.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NanoDetHead {
    /// One a map; a map has ceil(picture / stride) rows and columns.
    pub branches: Vec<NanoDetBranch>,
    /// Bins a side: 8.
    pub bins: usize,
    /// Where in its cell a centre lies, in strides: 0.5 (`NanoDet`) or 0 (`NanoDet`-Plus).
    pub centre: f32,
    /// Boxes of one class that overlap more than this (intersection over union) are one object.
    pub overlap_max: f32,
}

/// `BlazeFace`: anchors as in [`SsdHead`], logits F32 `[1][anchors][labels]`, boxes F32 `[1][anchors][4 + 2 x keypoints]`: centre x,
/// y, width, height, then x, y of each keypoint; all in `scale`ths of the picture, centres and keypoints from the anchor's
/// centre. Bazarevsky et al., "`BlazeFace`", 2019, section 3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlazeFaceHead {
    /// Name of the value with boxes and keypoints.
    pub boxes: String,
    /// Name of the value with the logits.
    pub scores: String,
    /// The maps, largest first; of their sizes only the number counts.
    pub maps: Vec<AnchorMap>,
    /// What 1.0 of the picture is in the network's numbers: its side in pixels.
    pub scale: f32,
    /// Names of the keypoints, in order.
    pub keypoints: Vec<String>,
    /// Boxes that overlap more than this (intersection over union) are one face.
    pub overlap_max: f32,
}

/// One person's keypoints out of four maps of one size (`MoveNet` single pose): where somebody is (`centre`), how far each
/// keypoint is from there (`regressions`), where keypoints of each kind are (`heatmaps`) and where exactly in their cells
/// (`offsets`). Logits, and distances in cells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseHead {
    /// Name of F32 `[1][rows][columns][1]`.
    pub centre: String,
    /// Name of F32 `[1][rows][columns][keypoints]`.
    pub heatmaps: String,
    /// Name of F32 `[1][rows][columns][2 x keypoints]`: y, x of each.
    pub regressions: String,
    /// Name of F32 `[1][rows][columns][2 x keypoints]`: y, x of each.
    pub offsets: String,
    /// Cells down.
    pub rows: usize,
    /// Cells to the right.
    pub columns: usize,
    /// Names of the keypoints, in order.
    pub keypoints: Vec<String>,
}

/// How results come out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Head {
    /// A detector with anchors.
    Ssd(SsdHead),
    /// A detector without.
    Yolox(YoloxHead),
    /// A detector whose boxes are distributions.
    NanoDet(NanoDetHead),
    /// A detector of faces with their keypoints.
    BlazeFace(BlazeFaceHead),
    /// The keypoints of one person.
    Pose(PoseHead),
    /// A classifier: F32 of as many elements as labels, one score each.
    Classifier {
        /// Name of the value with the scores.
        scores: String,
        /// Whether the scores are logits that a softmax turns into shares of 1.
        #[serde(default, skip_serializing_if = "is_no")]
        softmax: bool,
    },
    /// None that we know: the outputs as they are.
    Raw,
}

impl Head {
    /// For messages, and as the metadata spells it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ssd(_) => "ssd",
            Self::Yolox(_) => "yolox",
            Self::NanoDet(_) => "nano_det",
            Self::BlazeFace(_) => "blaze_face",
            Self::Pose(_) => "pose",
            Self::Classifier { .. } => "classifier",
            Self::Raw => "raw",
        }
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_no(value: &bool) -> bool {
    !*value
}
