//! Pictures of another size. TensorFlow's three ways of placing pixels, and its own of rounding.

use clawdbot_nn::graph::{Coordinates, Op, Sampling};

use super::{Call, Fault, rank4, require_shape, shape_of};
use crate::importers::tflite::builder::Builder;

/// No side of a resized picture is longer, which keeps the products below in range.
const SIDE_MAX: usize = 1 << 14;

/// The sizes before and after, rows and columns; and the flags `align_corners` and `half_pixel_centers`.
fn sizes(
    builder: &Builder<'_, '_>,
    call: &Call<'_, '_>,
    first_flag: usize,
) -> Result<([[usize; 2]; 2], bool, bool), Fault> {
    let [_, height, width, channels] = rank4(builder, call.input(0)?)?;
    let &[1, rows, columns, _] = shape_of(builder, call.output) else {
        return Err(Fault::Bad(format!("its result has the shape {:?}", shape_of(builder, call.output))));
    };
    require_shape(builder, call.output, &[1, rows, columns, channels])?;
    if [height, width, rows, columns].iter().any(|&side| side > SIDE_MAX) {
        return Err(Fault::Unsupported(format!(" beyond {SIDE_MAX} pixels a side")));
    }
    let options = call.options()?;
    let align = options.u8(first_flag, "align_corners", 0)? != 0;
    let half = options.u8(first_flag + 1, "half_pixel_centers", 0)? != 0;
    Ok(([[height, rows], [width, columns]], align, half))
}

pub(super) fn bilinear(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    // Fields 0 and 1 are the deprecated new size.
    let (_, align, half) = sizes(builder, call, 2)?;
    let coordinates = match (align, half) {
        (false, false) => Coordinates::Asymmetric,
        (false, true) => Coordinates::HalfPixel,
        (true, false) => Coordinates::AlignCorners,
        (true, true) => return Err(Fault::Bad("corners cannot be aligned with half pixel centres".to_owned())),
    };
    builder.push(Op::Resize(Sampling::Bilinear(coordinates)), vec![x], call.output)
}

pub(super) fn nearest(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let (axes, align, half) = sizes(builder, call, 0)?;
    let looks = |sampling: (Coordinates, bool)| {
        axes.iter()
            .all(|&[from, to]| (0..to).all(|at| source(sampling, at, from, to) == wanted(at, from, to, align, half)))
    };
    let forms = [
        (Coordinates::Asymmetric, true),
        (Coordinates::HalfPixel, false),
        (Coordinates::AlignCorners, false),
        (Coordinates::Asymmetric, false),
    ];
    let Some((coordinates, floor)) = forms.into_iter().find(|&form| looks(form)) else {
        return Err(Fault::Unsupported(format!(
            " from {:?} to {:?} pixels",
            axes.map(|axis| axis[0]),
            axes.map(|axis| axis[1])
        )));
    };
    builder.push(Op::Resize(Sampling::Nearest { coordinates, floor }), vec![x], call.output)
}

/// The pixel that TensorFlow Lite takes for pixel `at` of `to`, out of `from`: aligned corners round to the nearest,
/// halves up, the others down.
fn wanted(at: usize, from: usize, to: usize, align: bool, half: bool) -> usize {
    let half = usize::from(half);
    let place = if align && to > 1 {
        // (at + half/2) (from - 1) / (to - 1), and a half for rounding.
        ((2 * at + half) * (from - 1) + (to - 1)) / (2 * (to - 1))
    } else {
        (2 * at + half) * from / (2 * to)
    };
    place.min(from - 1)
}

/// The pixel that [`Sampling::Nearest`] takes.
fn source((coordinates, floor): (Coordinates, bool), at: usize, from: usize, to: usize) -> usize {
    // Coordinates as fractions of one denominator; a half less for half pixels may be negative.
    let [at, from, to] = [at, from, to].map(|side| i64::try_from(side).unwrap_or(0));
    let (top, bottom) = match coordinates {
        Coordinates::Asymmetric => (at * from, to),
        Coordinates::HalfPixel => ((2 * at + 1) * from - to, 2 * to),
        Coordinates::AlignCorners => (at * (from - 1), (to - 1).max(1)),
    };
    // To the nearest, halves down: ceil(x - 1/2).
    let place = if floor { top.div_euclid(bottom) } else { -(bottom - 2 * top).div_euclid(2 * bottom) };
    usize::try_from(place.clamp(0, from - 1)).unwrap_or(0)
}
