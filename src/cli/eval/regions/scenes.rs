//! What is looked at: scenes made of stills, and clips that a judge has seen before.

use std::path::Path;

use clawdbot_eval::coco::Annotations;
use clawdbot_eval::labels::LabelMap;
use clawdbot_eval::stage::{Placed, Stage, Still};
use clawdbot_flow::detection::Detection;
use clawdbot_flow::limits::PICTURE_PIXELS_MAX;
use clawdbot_vision::preprocess;

use super::arm::Watch;
use crate::cli::Failure;
use crate::cli::looker::read_picture;
use crate::sources::picture::JpegDecoder;

/// What the judge is sure of.
const SURE: f32 = 0.5;
/// What the judge does not rule out: it counts neither for nor against.
const UNSURE: f32 = 0.2;

/// The stills that scenes are made of.
pub(super) struct Scenes {
    stills: Vec<Still>,
    frames: usize,
}

/// A sequence of pictures of which it is known what they show.
pub(super) enum Film {
    /// Made as it is looked at.
    Staged(Stage, usize),
    /// A clip: its JPEG files, its size, and what is in each.
    Clip(Vec<Vec<u8>>, [usize; 2], Vec<Vec<Placed>>),
}

/// One picture's pixels.
pub(super) struct Pixels {
    size: [usize; 2],
    bytes: Vec<u8>,
    jpeg: bool,
}

impl Pixels {
    pub(super) fn as_picture(&self) -> Result<preprocess::Picture<'_>, Failure> {
        let make = if self.jpeg { preprocess::Picture::ycbcr } else { preprocess::Picture::rgb };
        make(self.size[0], self.size[1], &self.bytes).map_err(|error| Failure::from_error(&error))
    }
}

impl Scenes {
    /// Reads the pictures that `annotations` list.
    pub(super) fn read(annotations: &Annotations, map: &LabelMap, folder: &Path) -> Result<Self, Failure> {
        let known = map.categories();
        let mut stills = Vec::new();
        for (index, image) in annotations.images.iter().enumerate() {
            let picture = read_picture(&folder.join(&image.file_name))?;
            let objects =
                annotations.objects.iter().filter(|object| object.image == index && known.contains(&object.category));
            let objects = objects.map(|object| {
                #[expect(clippy::cast_possible_truncation, reason = "pixels of a picture")]
                let [left, top, width, height] = object.bounding_box.map(|edge| edge as f32);
                let edges = [left, top, left + width, top + height];
                Placed { category: object.category, edges, ignored: object.crowd }
            });
            // Sides are at most PICTURE_SIDE_MAX.
            let (width, height) = (picture.width as usize, picture.height as usize);
            stills.push(Still { width, height, objects: objects.collect(), rgb: picture.rgb });
        }
        Ok(Self { stills, frames: usize::MAX })
    }

    /// No scene has more than `frames`.
    pub(super) const fn limit(&mut self, frames: usize) {
        self.frames = frames;
    }

    /// All kinds of scenes, each with its films. Every film's ground is made of other stills.
    pub(super) fn kinds(&self) -> Vec<(String, Vec<Film>)> {
        let yard = |size: [usize; 2], movers: usize, films: usize, frames: usize| {
            let fields = size[0].div_ceil(640) * size[1].div_ceil(480);
            let film = |index: usize| {
                let mut stills = self.stills.clone();
                stills.rotate_left(index * fields % self.stills.len().max(1));
                Film::Staged(Stage::yard(&stills, size, movers, index as u64), frames.min(self.frames))
            };
            (format!("yard {}x{}", size[0], size[1]), (0..films).map(film).collect())
        };
        let pan = Stage::pan(&self.stills, [1280, 720], [6, 2]);
        vec![
            yard([1920, 1080], 6, 3, 60),
            yard([1280, 720], 4, 4, 60),
            yard([640, 480], 2, 12, 30),
            ("pan 1280x720".to_owned(), vec![Film::Staged(pan, 120.min(self.frames))]),
        ]
    }
}

impl Film {
    pub(super) fn frames(&self) -> usize {
        match self {
            Self::Staged(_, frames) => *frames,
            Self::Clip(files, ..) => files.len(),
        }
    }

    pub(super) const fn size(&self) -> [usize; 2] {
        match self {
            Self::Staged(stage, _) => stage.size(),
            Self::Clip(_, size, _) => *size,
        }
    }

    /// Frame `number`, and what is in it.
    pub(super) fn frame(&self, number: usize) -> Result<(Pixels, Vec<Placed>), Failure> {
        match self {
            Self::Staged(stage, _) => {
                let (mut bytes, mut truth) = (Vec::new(), Vec::new());
                stage.draw(number, &mut bytes, &mut truth);
                Ok((Pixels { size: stage.size(), bytes, jpeg: false }, truth))
            }
            Self::Clip(files, _, truth) => Ok((decode(&files[number])?, truth[number].clone())),
        }
    }
}

/// A clip, and what `judge` sees in it.
pub(super) fn judged(path: &Path, judge: &mut Watch, map: &LabelMap) -> Result<Film, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::Failed(format!("clip `{}` cannot be read ({error}); check the path", path.display()))
    })?;
    let files = split(&bytes);
    let (mut truth, mut size) = (Vec::new(), [0; 2]);
    for file in &files {
        let pixels = decode(file)?;
        if size != [0; 2] && size != pixels.size {
            return Err(Failure::Failed(format!(
                "clip `{}` changes its size on the way; give one that does not",
                path.display()
            )));
        }
        size = pixels.size;
        let found = judge.look_everywhere(&pixels.as_picture()?)?;
        truth.push(found.iter().filter_map(|found| placed(found, map, size)).collect());
    }
    if files.is_empty() {
        return Err(Failure::Failed(format!(
            "clip `{}` holds no JPEG file; give a stream of them (.mjpeg)",
            path.display()
        )));
    }
    Ok(Film::Clip(files, size, truth))
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a picture")]
fn placed(found: &Detection, map: &LabelMap, size: [usize; 2]) -> Option<Placed> {
    let [width, height] = size.map(|side| side as f32);
    let place = found.bounding_box;
    let edges = [place.left * width, place.top * height, place.right * width, place.bottom * height];
    let category = map.category(found.label)?;
    (found.score >= UNSURE).then_some(Placed { category, edges, ignored: found.score < SURE })
}

fn decode(file: &[u8]) -> Result<Pixels, Failure> {
    let mut bytes = Vec::new();
    let mut decoder = JpegDecoder::new("clip", PICTURE_PIXELS_MAX);
    let picture = decoder.decode_frame(file, &mut bytes).map_err(|error| Failure::from_error(&error))?;
    let size = [picture.width(), picture.height()];
    Ok(Pixels { size, bytes, jpeg: true })
}

/// The JPEG files of a stream: each from one start of image to the next.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> =
        bytes.windows(3).enumerate().filter(|(_, three)| *three == [0xff, 0xd8, 0xff]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).map(|(&start, end)| bytes[start..end].to_vec()).collect()
}
