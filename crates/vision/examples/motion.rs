//! Looks for motion in made-up pictures, and plans looks at what moves: `cargo xtask regions --counts` counts the instructions.
//!
//! `motion yuyv|nv12|jpeg WIDTH HEIGHT SQUARES RUNS`: SQUARES of 40 x 40 pixels move by 8 pixels a picture.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line tool speaks to its user")]

use clawdbot_flow::frame::PixelFormat;
use clawdbot_nn::metadata::{ColorOrder, PictureInput, Resize};
use clawdbot_vision::motion::Motion;
use clawdbot_vision::preprocess::Picture;
use clawdbot_vision::regions::{Options, Regions};

const USAGE: &str = "usage: motion yuyv|nv12|jpeg WIDTH HEIGHT SQUARES RUNS";
/// Pixels of a square's side.
const SIDE: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [format, numbers @ ..] = &words[..] else { return Err(USAGE.into()) };
    let numbers: Vec<usize> = numbers.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
    let &[width, height, squares, runs] = &numbers[..] else { return Err(USAGE.into()) };
    let bytes = match format.as_str() {
        "yuyv" => 2,
        "nv12" => 1,
        "jpeg" => 3,
        _ => return Err(USAGE.into()),
    };
    let row = width * bytes;
    let texture =
        |at: usize| u8::try_from((at % row / 9 + at / row / 3 + at * 7 % 5) % 256 / 2 + 30).unwrap_or_default();
    let mut data: Vec<u8> = (0..2 * row * height).map(texture).collect();
    let input =
        PictureInput { width: 416, height: 416, color: ColorOrder::Bgr, resize: Resize::Letterbox { fill: 114 } };
    let mut motion = Motion::new(width, height)?;
    let mut regions = Regions::new(width, height, &input, Options { whole_every: 4, scan: true });
    let (mut patches, mut looks) = (0, 0);
    for run in 0..runs {
        for square in 0..squares {
            let (left, top) = ((97 * square + 8 * run) % (width - SIDE), 61 * square % (height - SIDE));
            (top..top + SIDE).for_each(|y| invert(&mut data[y * row + left * bytes..][..SIDE * bytes]));
        }
        let picture = match bytes {
            3 => Picture::ycbcr(width, height, &data)?,
            2 => Picture::new(width, height, row, PixelFormat::Yuyv, &data)?,
            _ => Picture::new(width, height, row, PixelFormat::Nv12, &data)?,
        };
        let scene = motion.look(&picture)?;
        patches += scene.patches.len();
        looks += regions.plan(&scene, [], 1).len();
    }
    println!("{patches} patches, {looks} looks in {runs} pictures");
    Ok(())
}

/// What was light becomes dark.
#[inline(never)]
fn invert(line: &mut [u8]) {
    line.iter_mut().for_each(|byte| *byte ^= 0x80);
}
