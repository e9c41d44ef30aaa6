//! A row of a camera's picture on its way into a network, as `crates/vision` asks for it: VGA to the 300 pixels of an SSD and to the
//! 416 of YOLOX-Nano.

use clawdbot_kernels::blend::{self, Row, blend};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::resample::{self, Columns, Conversion, resample};

/// Pixels of a camera's row.
const WIDTH: usize = 640;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// Two rows of YUYV to the row between them.
    Blend,
    /// Y, U, V to so many pixels of R, G, B.
    Resample(usize),
    /// R, G, B to so many.
    ResampleColours(usize),
}

/// All of them.
pub(crate) const CALLS: &[(&str, Call)] = &[
    ("blend yuyv 640", Call::Blend),
    ("resample yuv 640 to 300", Call::Resample(300)),
    ("resample yuv 640 to 416", Call::Resample(416)),
    ("resample rgb 640 to 416", Call::ResampleColours(416)),
];

impl Call {
    /// Pixels of the result.
    pub(crate) const fn products(&self) -> usize {
        match *self {
            Self::Blend => WIDTH,
            Self::Resample(pixels) | Self::ResampleColours(pixels) => pixels,
        }
    }

    /// Everything made up; what is answered makes one call.
    pub(crate) fn prepare(self) -> Box<dyn FnMut()> {
        let isa = Isa::detect();
        let (pixels, conversion) = match self {
            Self::Blend => {
                let rows: [Vec<u8>; 2] =
                    [37, 71].map(|step| (0..2 * WIDTH).map(|at| u8::try_from(at * step % 251).unwrap_or(0)).collect());
                let mut output = vec![[0; 4]; WIDTH];
                return Box::new(move || {
                    let rows = [Row::Yuyv(&rows[0]), Row::Yuyv(&rows[1])];
                    blend(isa, blend::Task { rows, weight: 9000, output: &mut output });
                });
            }
            Self::Resample(pixels) => (pixels, Some(Conversion::CAMERA)),
            Self::ResampleColours(pixels) => (pixels, None),
        };
        let row: Vec<[i16; 4]> = (0..=WIDTH)
            .map(|at| [0, 37, 71, 0].map(|step| i16::try_from(at * step % 255 * 128).unwrap_or(0)))
            .collect();
        let tap = |pixel: usize| {
            let (first, weight) = (pixel * WIDTH / pixels, pixel * 4871 % 32_768);
            (u32::try_from(first).unwrap_or(0), i16::try_from(weight).unwrap_or(0))
        };
        let columns = Columns::new((0..pixels).map(tap));
        let mut output = vec![[0; 4]; pixels];
        Box::new(move || {
            let task = resample::Task { row: &row, columns: &columns, conversion, swapped: false, output: &mut output };
            resample(isa, task);
        })
    }
}
