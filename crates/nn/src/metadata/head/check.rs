//! Whether a head's numbers make sense, and what it needs of the program: one law for the bundle's reader and for the heads.

use std::fmt;

use super::{AnchorMap, BlazeFaceHead, Head, NanoDetHead, PoseHead, SsdHead, YoloxHead, YoloxResults};
use crate::metadata::PictureInput;
use crate::program::{Program, Value};
use crate::tensor::DataType;

/// Labels that a head may have.
const LABELS_MAX: usize = 65_535;
/// More anchors or cells than any network for our boards has.
const CELLS_MAX: usize = 1 << 18;
/// More keypoints than any network gives.
const KEYPOINTS_MAX: usize = 256;
/// More bins than a distribution over strides has.
const BINS_MAX: usize = 64;

/// What an output must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputShape {
    /// Exactly these axes.
    Exactly(Vec<usize>),
    /// So many elements, whatever the axes.
    Elements(usize),
}

impl fmt::Display for OutputShape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(shape) => write!(formatter, "the shape {shape:?}"),
            Self::Elements(count) => write!(formatter, "{count} elements"),
        }
    }
}

/// An output that a head reads: F32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputWanted {
    /// Its name.
    pub name: String,
    /// What it must hold.
    pub shape: OutputShape,
}

impl OutputWanted {
    fn exactly(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: OutputShape::Exactly(shape.to_vec()) }
    }

    /// Whether `value` is of this kind.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        value.data_type == DataType::F32
            && match &self.shape {
                OutputShape::Exactly(shape) => value.shape == *shape,
                OutputShape::Elements(count) => value.shape.iter().product::<usize>() == *count,
            }
    }

    /// Where among the program's outputs it stands, by its name, and the value there.
    #[must_use]
    pub fn find<'a>(&self, program: &'a Program) -> Option<(usize, &'a Value)> {
        let mut outputs = program.outputs.iter().filter_map(|id| program.values.get(id.0)).enumerate();
        outputs.find(|(_, value)| value.name == self.name)
    }
}

impl AnchorMap {
    /// How many anchors it has; `None` for absurdly many.
    fn anchors(&self) -> Option<usize> {
        self.rows.checked_mul(self.columns)?.checked_mul(self.sizes.len())
    }
}

impl YoloxHead {
    /// Pixels from cell to cell of each map.
    #[must_use]
    pub fn strides(&self) -> Vec<usize> {
        match &self.results {
            YoloxResults::Branches { branches } => branches.iter().map(|branch| branch.stride).collect(),
            YoloxResults::Fused { strides, .. } => strides.clone(),
        }
    }
}

impl Head {
    /// The outputs that the head reads, in the order in which its fields name them.
    ///
    /// # Errors
    /// When its numbers contradict themselves, the picture or the number of labels; says how.
    pub fn outputs(&self, picture: Option<&PictureInput>, labels: usize) -> Result<Vec<OutputWanted>, String> {
        let is_detector = !matches!(self, Self::Classifier { .. } | Self::Raw);
        if labels > LABELS_MAX || is_detector && labels == 0 {
            return Err(format!("it has {labels} labels, but there must be 1 to {LABELS_MAX}"));
        }
        match self {
            Self::Ssd(head) => ssd(head, labels),
            Self::Yolox(head) => yolox(head, picture, labels),
            Self::NanoDet(head) => nanodet(head, picture, labels),
            Self::BlazeFace(head) => blazeface(head, labels),
            Self::Pose(head) => pose(head),
            Self::Classifier { scores, .. } => {
                let shape = OutputShape::Elements(labels);
                Ok(vec![OutputWanted { name: scores.clone(), shape }])
            }
            Self::Raw => Ok(Vec::new()),
        }
    }
}

fn check_overlap(overlap_max: f32) -> Result<(), String> {
    let sound = (0.0..=1.0).contains(&overlap_max);
    if sound { Ok(()) } else { Err(format!("overlap_max is {overlap_max}, but it must be 0 to 1")) }
}

/// How many anchors all maps have together.
fn anchors(maps: &[AnchorMap]) -> Result<usize, String> {
    // An empty map is refused on its own: its rows times columns could be any number to walk through.
    let sum = |sum: usize, map: &AnchorMap| {
        let anchors = map.anchors().filter(|&anchors| anchors > 0)?;
        sum.checked_add(anchors).filter(|&sum| sum <= CELLS_MAX)
    };
    let count = maps.iter().try_fold(0, sum).filter(|&count| count > 0);
    let count =
        count.ok_or_else(|| format!("its maps must have 1 to {CELLS_MAX} anchors together, and none may be empty"))?;
    for (index, map) in maps.iter().enumerate() {
        if let Some(side) = map.sizes.iter().flatten().find(|side| !side.is_finite() || **side <= 0.0) {
            return Err(format!("an anchor of map {index} has a side of {side}, which is not above 0"));
        }
        if let Some(centres) = &map.centres {
            let sound = centres.rows.len() == map.rows && centres.columns.len() == map.columns;
            if !sound || !centres.rows.iter().chain(&centres.columns).all(|centre| centre.is_finite()) {
                return Err(format!("map {index} must have one finite centre a row and a column"));
            }
        }
    }
    Ok(count)
}

fn ssd(head: &SsdHead, labels: usize) -> Result<Vec<OutputWanted>, String> {
    if !head.box_scales.iter().all(|scale| scale.is_normal() && *scale > 0.0) {
        return Err(format!("a box scale of {:?} is not above 0", head.box_scales));
    }
    check_overlap(head.overlap_max)?;
    let anchors = anchors(&head.maps)?;
    let columns = labels + usize::from(head.background);
    Ok(vec![
        OutputWanted::exactly(&head.boxes, &[1, anchors, 4]),
        OutputWanted::exactly(&head.scores, &[1, anchors, columns]),
    ])
}

/// Rows and columns of the map whose cells lie `stride` pixels apart.
fn cells(picture: Option<&PictureInput>, stride: usize) -> Result<[usize; 2], String> {
    let picture = picture.ok_or("its cells are counted in pixels, but the network takes no picture")?;
    if stride == 0 {
        return Err("a stride is 0, but cells lie at least a pixel apart".to_owned());
    }
    Ok([picture.height.div_ceil(stride), picture.width.div_ceil(stride)])
}

/// Checks the cells of all maps together.
fn check_cells(maps: &[[usize; 2]]) -> Result<usize, String> {
    let sum = |sum: usize, [rows, columns]: &[usize; 2]| {
        sum.checked_add(rows.checked_mul(*columns)?).filter(|&sum| sum <= CELLS_MAX)
    };
    let count = maps.iter().try_fold(0, sum).filter(|&count| count > 0);
    count.ok_or_else(|| format!("its maps must have 1 to {CELLS_MAX} cells together"))
}

fn yolox(head: &YoloxHead, picture: Option<&PictureInput>, labels: usize) -> Result<Vec<OutputWanted>, String> {
    check_overlap(head.overlap_max)?;
    let maps = head.strides().into_iter().map(|stride| cells(picture, stride)).collect::<Result<Vec<_>, _>>()?;
    let count = check_cells(&maps)?;
    match &head.results {
        YoloxResults::Fused { output, .. } => Ok(vec![OutputWanted::exactly(output, &[1, count, 5 + labels])]),
        YoloxResults::Branches { branches } => {
            let wanted = |(branch, [rows, columns]): (&super::YoloxBranch, [usize; 2])| {
                [(&branch.boxes, 4), (&branch.objectness, 1), (&branch.classes, labels)]
                    .map(|(name, last)| OutputWanted::exactly(name, &[1, rows, columns, last]))
            };
            Ok(branches.iter().zip(maps).flat_map(wanted).collect())
        }
    }
}

fn nanodet(head: &NanoDetHead, picture: Option<&PictureInput>, labels: usize) -> Result<Vec<OutputWanted>, String> {
    check_overlap(head.overlap_max)?;
    if !(2..=BINS_MAX).contains(&head.bins) {
        return Err(format!("it has {} bins a side, but there must be 2 to {BINS_MAX}", head.bins));
    }
    if !(0.0..=1.0).contains(&head.centre) {
        return Err(format!("a cell's centre is at {}, but it must be 0 to 1 strides into it", head.centre));
    }
    let map = |branch: &super::NanoDetBranch| cells(picture, branch.stride);
    let maps = head.branches.iter().map(map).collect::<Result<Vec<_>, _>>()?;
    check_cells(&maps)?;
    let mut wanted = Vec::new();
    for (branch, [rows, columns]) in head.branches.iter().zip(maps) {
        let distances = 4 * head.bins;
        let classes = labels + if branch.distances.is_some() { 0 } else { distances };
        wanted.push(OutputWanted::exactly(&branch.classes, &[1, rows, columns, classes]));
        wanted.extend(branch.distances.iter().map(|name| OutputWanted::exactly(name, &[1, rows, columns, distances])));
    }
    Ok(wanted)
}

fn check_keypoints(keypoints: &[String]) -> Result<(), String> {
    let count = keypoints.len();
    let sound = (1..=KEYPOINTS_MAX).contains(&count);
    if sound { Ok(()) } else { Err(format!("it has {count} keypoints, but there must be 1 to {KEYPOINTS_MAX}")) }
}

fn blazeface(head: &BlazeFaceHead, labels: usize) -> Result<Vec<OutputWanted>, String> {
    check_overlap(head.overlap_max)?;
    check_keypoints(&head.keypoints)?;
    if !(head.scale.is_normal() && head.scale > 0.0) {
        return Err(format!("its scale is {}, which is not above 0", head.scale));
    }
    let anchors = anchors(&head.maps)?;
    Ok(vec![
        OutputWanted::exactly(&head.boxes, &[1, anchors, 4 + 2 * head.keypoints.len()]),
        OutputWanted::exactly(&head.scores, &[1, anchors, labels]),
    ])
}

fn pose(head: &PoseHead) -> Result<Vec<OutputWanted>, String> {
    check_keypoints(&head.keypoints)?;
    check_cells(&[[head.rows, head.columns]])?;
    let count = head.keypoints.len();
    let output = |name: &str, last: usize| OutputWanted::exactly(name, &[1, head.rows, head.columns, last]);
    Ok(vec![
        output(&head.centre, 1),
        output(&head.heatmaps, count),
        output(&head.regressions, 2 * count),
        output(&head.offsets, 2 * count),
    ])
}
