use clawdbot_flow::frame::PixelFormat;
use proptest::prelude::*;

use super::grid::Grid;
use super::patches::Patches;
use super::{Motion, MotionError, PATCHES_MAX, Patch};
use crate::preprocess::{Crop, Picture};

/// A camera of ours: a background with texture, squares on it, noise, brightness and a shift of the whole.
#[derive(Clone)]
struct Camera {
    width: usize,
    height: usize,
    noise: u32,
    light: i32,
    shift: usize,
    squares: Vec<(Crop, u8)>,
    state: u32,
}

impl Camera {
    const fn new(width: usize, height: usize) -> Self {
        Self { width, height, noise: 3, light: 0, shift: 0, squares: Vec::new(), state: 1 }
    }

    fn chance(&mut self) -> u32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.state >> 16
    }

    /// The next picture's luma.
    fn picture(&mut self) -> Vec<u8> {
        let mut luma = Vec::with_capacity(self.width * self.height);
        for y in 0..self.height {
            for x in 0..self.width {
                let (at, line) = (x + self.shift, y);
                // Fields of 40 pixels of two tones with a slope: edges that a trembling camera moves.
                let field = 40 * i32::from((at / 40 + line / 40) % 2 == 0);
                let slope = i32::try_from((at + line) / 32).unwrap();
                let mut level = 60 + field + slope + self.light;
                for (square, tone) in &self.squares {
                    if (square.left..square.left + square.width).contains(&x)
                        && (square.top..square.top + square.height).contains(&y)
                    {
                        level = i32::from(*tone);
                    }
                }
                let noise =
                    i32::try_from(self.chance() % (2 * self.noise + 1)).unwrap() - i32::try_from(self.noise).unwrap();
                luma.push(u8::try_from((level + noise).clamp(0, 255)).unwrap());
            }
        }
        luma
    }

    /// What `motion` makes of the next picture; `None` for everything.
    fn show(&mut self, motion: &mut Motion) -> Option<Vec<Patch>> {
        let stride = self.width.next_multiple_of(2);
        let mut data = Vec::with_capacity(2 * stride * self.height);
        for line in self.picture().chunks_exact(self.width) {
            data.extend_from_slice(line);
            data.resize(data.len().next_multiple_of(stride), 0xEE);
        }
        data.resize(2 * stride * self.height, 128);
        let picture = Picture::new(self.width, self.height, stride, PixelFormat::Nv12, &data).unwrap();
        let scene = motion.look(&picture).unwrap();
        assert!(!scene.everything || scene.patches.is_empty());
        (!scene.everything).then(|| scene.patches.to_vec())
    }

    fn calm(&mut self, pictures: usize) -> Motion {
        let mut motion = Motion::new(self.width, self.height).unwrap();
        assert_eq!(self.show(&mut motion), None, "the first picture is unknown altogether");
        for number in 1..pictures {
            assert_eq!(self.show(&mut motion), Some(vec![]), "picture {number}");
        }
        motion
    }
}

const fn square(left: usize, top: usize, side: usize) -> Crop {
    Crop { left, top, width: side, height: side }
}

/// Whether `patch` covers `square`, but reaches no further than `slack` pixels beyond it.
fn fits(patch: &Patch, square: Crop, slack: usize) -> bool {
    let Crop { left, top, width, height } = patch.place;
    left <= square.left
        && top <= square.top
        && left + width >= square.left + square.width
        && top + height >= square.top + square.height
        && square.left - left <= slack
        && square.top - top <= slack
        && left + width - square.left - square.width <= slack
        && top + height - square.top - square.height <= slack
}

#[test]
fn a_still_scene_is_silent_however_noisy() {
    for noise in [0, 3, 20, 40] {
        let mut camera = Camera { noise, ..Camera::new(320, 240) };
        camera.calm(1);
        let mut motion = camera.calm(1);
        // The first pictures teach it the noise; what comes out then is at most a storm.
        (0..8).for_each(|_| drop(camera.show(&mut motion)));
        for number in 0..60 {
            assert_eq!(camera.show(&mut motion), Some(vec![]), "noise {noise}, picture {number}");
        }
    }
}

#[test]
fn a_square_that_moves_is_found_where_it_is() {
    let mut camera = Camera::new(640, 480);
    let mut motion = camera.calm(5);
    for step in 0..40 {
        let place = square(60 + 9 * step, 200 + 2 * step, 20);
        camera.squares = vec![(place, 220)];
        let found = camera.show(&mut motion).expect("a square is no storm");
        assert_eq!(found.len(), 1, "step {step}: {found:?}");
        assert!(fits(&found[0], place, motion.cell_side()), "step {step}: {found:?} is not {place:?}");
    }
    camera.squares.clear();
    assert_eq!(camera.show(&mut motion), Some(vec![]), "it leaves nothing behind");
}

#[test]
fn a_small_square_in_a_large_picture_is_found() {
    let mut camera = Camera::new(1920, 1080);
    let mut motion = camera.calm(3);
    camera.squares = vec![(square(1800, 1000, 28), 20)];
    let found = camera.show(&mut motion).unwrap();
    assert!(found.len() == 1 && fits(&found[0], square(1800, 1000, 28), 12), "{found:?}");
}

#[test]
fn near_squares_are_one_and_far_ones_are_two() {
    let mut camera = Camera::new(640, 480);
    let mut motion = camera.calm(5);
    camera.squares = vec![(square(100, 100, 16), 220), (square(124, 100, 16), 220), (square(400, 100, 16), 220)];
    let found = camera.show(&mut motion).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(fits(&found[0], Crop { left: 100, top: 100, width: 40, height: 16 }, 4));
    assert!(fits(&found[1], square(400, 100, 16), 4));
}

#[test]
fn squares_at_the_borders_are_whole() {
    for (width, height) in [(640, 480), (650, 483), (333, 201)] {
        let mut camera = Camera::new(width, height);
        let mut motion = camera.calm(4);
        let far = square(width - 24, height - 24, 24);
        camera.squares = vec![(square(0, 0, 24), 230), (far, 230)];
        let found = camera.show(&mut motion).unwrap();
        assert_eq!(found.len(), 2, "{width} x {height}: {found:?}");
        let slack = 2 * motion.cell_side();
        assert!(
            fits(&found[0], square(0, 0, 24), slack) && fits(&found[1], far, slack),
            "{width} x {height}: {found:?}"
        );
    }
}

#[test]
fn a_lamp_is_everything_once_and_then_known() {
    let mut camera = Camera::new(320, 240);
    let mut motion = camera.calm(5);
    camera.light = 50;
    assert_eq!(camera.show(&mut motion), None);
    for number in 0..10 {
        assert_eq!(camera.show(&mut motion), Some(vec![]), "picture {number} after the lamp");
    }
}

#[test]
fn dawn_is_nothing() {
    let mut camera = Camera::new(320, 240);
    let mut motion = camera.calm(5);
    for number in 0..100 {
        camera.light = number / 5;
        assert_eq!(camera.show(&mut motion), Some(vec![]), "picture {number}");
    }
}

#[test]
fn a_trembling_camera_becomes_silent_and_still_sees() {
    let mut camera = Camera { shift: 2, ..Camera::new(640, 480) };
    let mut motion = Motion::new(640, 480).unwrap();
    for number in 0..120 {
        camera.shift = [2, 3, 2, 1][number % 4];
        camera.show(&mut motion);
    }
    for number in 0..20 {
        camera.shift = [2, 3, 2, 1][number % 4];
        assert_eq!(camera.show(&mut motion), Some(vec![]), "picture {number}");
    }
    camera.squares = vec![(square(300, 200, 24), 250)];
    assert_eq!(camera.show(&mut motion).map(|found| found.len()), Some(1));
}

#[test]
fn what_comes_to_rest_falls_silent_within_seconds() {
    let mut camera = Camera::new(640, 480);
    let mut motion = camera.calm(5);
    camera.squares = vec![(square(300, 200, 60), 230)];
    let silent =
        (0..150).position(|_| camera.show(&mut motion) == Some(vec![])).expect("silent after 10 s at 15 a second");
    assert!(silent > 15, "silent after {silent} pictures: a pause is no rest");
}

#[test]
fn weak_cells_belong_to_a_strong_one_but_begin_nothing() {
    let mut patches = Patches::new(20, 10);
    let grid = Grid::new(20, 10).unwrap();
    let mut mark = |cells: &[(usize, usize, u8)]| {
        patches.mask_mut().fill(0);
        for &(x, y, level) in cells {
            patches.mask_mut()[(y + 1) * 22 + x + 1] = level;
        }
        assert!(patches.find(&grid));
        patches.found(false).iter().map(|patch| (patch.place, patch.cells)).collect::<Vec<_>>()
    };
    let weak = [(3, 3, 1), (4, 3, 1), (4, 4, 1), (5, 4, 1)];
    assert_eq!(mark(&weak), []);
    let strong = [(3, 3, 1), (4, 3, 2), (4, 4, 1), (5, 4, 1)];
    assert_eq!(mark(&strong), [(Crop { left: 3, top: 3, width: 3, height: 2 }, 4)]);
    assert_eq!(mark(&[(3, 3, 2), (4, 3, 2), (15, 8, 2)]), [], "two cells, and a lone one");
    // A ring is one patch, whose parts meet at last.
    let ring: Vec<_> = (2..9).flat_map(|at| [(at, 2, 2), (at, 8, 2), (2, at, 2), (8, at, 2)]).collect();
    assert_eq!(mark(&ring), [(Crop { left: 2, top: 2, width: 7, height: 7 }, 24)]);
}

#[test]
fn more_patches_than_there_is_room_for_are_everything() {
    let mut camera = Camera::new(640, 480);
    let mut motion = camera.calm(5);
    let place = |index: usize| square(8 + 60 * (index % 10), 8 + 60 * (index / 10), 16);
    camera.squares = (0..PATCHES_MAX).map(|index| (place(index), 250)).collect();
    assert_eq!(camera.show(&mut motion.clone()).map(|found| found.len()), Some(PATCHES_MAX));
    camera.squares.push((place(PATCHES_MAX), 250));
    assert_eq!(camera.show(&mut motion), None);
}

#[test]
fn sizes_without_a_grid_and_other_sizes_are_refused() {
    assert_eq!(Motion::new(0, 10).err(), Some(MotionError::Size { width: 0, height: 10 }));
    assert_eq!(Motion::new(10_000, 10).err(), Some(MotionError::Size { width: 10_000, height: 10 }));
    let mut motion = Motion::new(16, 16).unwrap();
    let pixels = [0; 3 * 16 * 12];
    let error = motion.look(&Picture::rgb(16, 12, &pixels).unwrap()).unwrap_err();
    assert_eq!(error, MotionError::OtherSize { width: 16, height: 12, wanted: [16, 16] });
}

/// The mean of the pixels that a cell is made of, by the book.
fn exact_mean(luma: &[u8], width: usize, side: usize, column: usize, row: usize) -> f64 {
    let lines = [1, 3, 5, 7].map(|odd| row * side + odd * side / 8);
    let pixels = lines.iter().flat_map(|y| &luma[y * width + column * side..][..side]);
    pixels.map(|&level| f64::from(level)).sum::<f64>() / f64::from(u32::try_from(4 * side).unwrap())
}

#[test]
fn cells_are_means_in_every_format_and_size() {
    for (width, height) in
        [(640, 480), (1920, 1080), (641, 481), (160, 120), (320, 300), (17, 3), (5000, 2000), (700, 500)]
    {
        let mut camera = Camera { noise: 50, ..Camera::new(width, height) };
        let luma = camera.picture();
        let rgb: Vec<u8> = luma.iter().flat_map(|&level| [level; 3]).collect();
        let half = width.div_ceil(2);
        let yuyv: Vec<u8> = luma
            .chunks_exact(width)
            .flat_map(|line| {
                let bytes = line.iter().flat_map(|&level| [level, 77]);
                bytes.chain(std::iter::repeat_n(77, 4 * half - 2 * width)).collect::<Vec<_>>()
            })
            .collect();
        let pictures = [
            Picture::rgb(width, height, &rgb).unwrap(),
            Picture::ycbcr(width, height, &rgb).unwrap(),
            Picture::new(width, height, 4 * half, PixelFormat::Yuyv, &yuyv).unwrap(),
        ];
        for picture in pictures {
            let mut motion = Motion::new(width, height).unwrap();
            motion.look(&picture).unwrap();
            let (cells, columns) = motion.cells();
            assert!(columns <= 160 && cells.len() / columns <= 120);
            for (index, &cell) in cells.iter().enumerate() {
                let exact = exact_mean(&luma, width, motion.cell_side(), index % columns, index / columns);
                let error = exact - f64::from(cell) / 64.0;
                assert!((0.0..=1.2 / 64.0).contains(&error), "{width} x {height}, cell {index}: {error}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_patch_lies_in_the_picture(
        width in 1_usize..400,
        height in 1_usize..300,
        squares in prop::collection::vec((0_usize..400, 0_usize..300, 1_usize..60, 0_u8..=255), 0..12),
    ) {
        let mut camera = Camera::new(width, height);
        let mut motion = camera.calm(2);
        camera.squares = squares.into_iter().map(|(left, top, side, tone)| (square(left, top, side), tone)).collect();
        for patch in camera.show(&mut motion).unwrap_or_default() {
            let Crop { left, top, width, height } = patch.place;
            prop_assert!(width > 0 && height > 0 && patch.cells >= 1);
            prop_assert!(left + width <= camera.width && top + height <= camera.height, "{patch:?}");
        }
    }
}
