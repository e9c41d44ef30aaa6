//! Rows of pictures.

use clawdbot_kernels::blend::{self, Row};
use clawdbot_kernels::isa::Variant;
use clawdbot_kernels::resample::{self, Columns, Conversion};

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// Around the widths of a step, odd ones, and a camera's.
const WIDTHS: [usize; 14] = [1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 640];

fn bytes(source: &mut Source, count: usize) -> Vec<u8> {
    source.activations(count).into_iter().map(|byte| byte as u8).collect()
}

pub(crate) fn blend(tally: &mut Tally) {
    tally.walk(blend::VARIANTS, |variant| {
        let mut source = Source::new(5);
        for (width, edge) in WIDTHS.into_iter().flat_map(|width| Edge::BOTH.map(|edge| (width, edge))) {
            let pairs = width.div_ceil(2);
            for format in 0..4 {
                let lengths =
                    [[3 * width, 0, 0], [4 * pairs, 0, 0], [width, 2 * pairs, 0], [width, pairs, pairs]][format];
                let planes = [0, 1].map(|_| lengths.map(|length| Guarded::new(&bytes(&mut source, length), edge)));
                let rows = planes.each_ref().map(|[first, second, third]| match format {
                    0 => Row::Packed(first),
                    1 => Row::Yuyv(first),
                    2 => Row::Nv12 { luma: first, chroma: second },
                    _ => Row::I420 { luma: first, u: second, v: third },
                });
                for weight in [0, 1, 16_384, 32_767, source.below(32_768) as i16] {
                    let run = |variant: &Variant<blend::Blend>| {
                        let mut output = Guarded::new(&vec![[99_i16; 4]; width], edge);
                        variant.run(blend::Task { rows, weight, output: &mut output });
                        output.to_vec()
                    };
                    let context = format!("{}: {width} pixels of format {format}, weight {weight}", variant.name);
                    assert_eq!(run(variant), run(&blend::VARIANTS[0]), "{context}");
                }
            }
        }
    });
}

pub(crate) fn resample(tally: &mut Tally) {
    tally.walk(resample::VARIANTS, |variant| {
        let mut source = Source::new(6);
        for (case, &width) in WIDTHS.iter().enumerate() {
            for (pixels, edge) in WIDTHS.into_iter().flat_map(|pixels| Edge::BOTH.map(|edge| (pixels, edge))) {
                let sample = |source: &mut Source| match source.below(8) {
                    0 => 0,
                    1 => 32_640,
                    _ => source.below(32_641) as i16,
                };
                let row: Vec<[i16; 4]> =
                    (0..=width).map(|_| [sample(&mut source), sample(&mut source), sample(&mut source), 0]).collect();
                let row = Guarded::new(&row, edge);
                let weight = |source: &mut Source| [0, 32_767, source.below(32_768) as i16][source.below(3)];
                let taps: Vec<(u32, i16)> =
                    (0..pixels).map(|_| (source.below(width) as u32, weight(&mut source))).collect();
                let columns = Columns::new(taps.into_iter());
                let conversion = [None, Some(Conversion::CAMERA), Some(Conversion::JPEG)][case % 3];
                let swapped = source.below(2) == 0;
                let run = |variant: &Variant<resample::Resample>| {
                    let mut output = Guarded::new(&vec![[99_i8; 4]; pixels], edge);
                    let (row, columns) = (&*row, &columns);
                    variant.run(resample::Task { row, columns, conversion, swapped, output: &mut output });
                    output.to_vec()
                };
                let context = format!("{}: {width} pixels to {pixels}, {conversion:?}, {swapped}", variant.name);
                assert_eq!(run(variant), run(&resample::VARIANTS[0]), "{context}");
            }
        }
    });
}
