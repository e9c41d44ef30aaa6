//! Resize and its predecessor Upsample. ONNX has many ways to say where a pixel looks; those that come to the same as one of
//! the graph's own, at the sizes at hand, are read.

use clawdbot_nn::graph::{Coordinates, Op, Sampling};

use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::{Call, Fault, axis};

/// A picture has no more rows or columns.
const SIDE_MAX: usize = 1 << 16;

/// How an attribute says where to look.
struct Form<'a> {
    mode: &'a str,
    coordinates: &'a str,
    nearest: &'a str,
}

pub(super) fn resize<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    call.require("antialias", 0)?;
    // Opset 10 had scales second, and looked where Upsample did.
    let is_first = call.opset < 11;
    let form = Form {
        mode: call.node.text("mode")?.unwrap_or("nearest"),
        coordinates: match call.node.text("coordinate_transformation_mode")? {
            Some(mode) => mode,
            None if is_first => "asymmetric",
            None => "half_pixel",
        },
        nearest: match call.node.text("nearest_mode")? {
            Some(mode) => mode,
            None if is_first => "floor",
            None => "round_prefer_floor",
        },
    };
    if let Some(policy) = call.node.text("keep_aspect_ratio_policy")?
        && policy != "stretch"
    {
        return Err(Fault::Unsupported(format!(" with the policy {policy:?}")));
    }
    let (scales, sizes) = if is_first { (1, None) } else { (2, call.optional(3)) };
    if let Some(name) = sizes {
        let sizes = builder.constant(name)?;
        let sizes = sizes.as_integers().ok_or_else(|| Fault::Bad("its sizes are not integer".to_owned()))?.to_vec();
        return to_sizes(builder, call, &form, &sizes);
    }
    let name = call.optional(scales).ok_or_else(|| Fault::Bad("it has neither scales nor sizes".to_owned()))?;
    let scales = builder.constant(name)?.to_floats();
    to_scales(builder, call, &form, &scales)
}

pub(super) fn upsample<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let scales = match call.node.floats("scales")? {
        Some(scales) => scales,
        None => builder.constant(call.input(1)?)?.to_floats(),
    };
    let mode = call.node.text("mode")?.unwrap_or("nearest");
    to_scales(builder, call, &Form { mode, coordinates: "asymmetric", nearest: "floor" }, &scales)
}

/// Which axes scales and sizes are for.
fn axes(call: &Call<'_, '_>, rank: usize) -> Result<Vec<usize>, Fault> {
    match call.node.integers("axes")? {
        Some(axes) => axes.iter().map(|&number| axis(number, rank)).collect(),
        None => Ok((0..rank).collect()),
    }
}

fn to_sizes<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    form: &Form<'_>,
    sizes: &[i64],
) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    let axes = axes(call, 4)?;
    if axes.len() != sizes.len() {
        return Err(Fault::Bad(format!("its sizes {sizes:?} are not those of {} axes", axes.len())));
    }
    let mut shape = x.shape.clone();
    for (axis, &size) in axes.into_iter().zip(sizes) {
        shape[axis] = usize::try_from(size).unwrap_or(0);
    }
    emit(builder, call, form, &x, &shape)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides up to 2^16"
)]
fn to_scales<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    form: &Form<'_>,
    scales: &[f32],
) -> Result<(), Fault> {
    let x = builder.picture(call.input(0)?)?;
    let axes = axes(call, 4)?;
    if axes.len() != scales.len() {
        return Err(Fault::Bad(format!("its scales {scales:?} are not those of {} axes", axes.len())));
    }
    let mut shape = x.shape.clone();
    for (axis, &scale) in axes.into_iter().zip(scales) {
        let exact = shape[axis] as f64 * f64::from(scale);
        let size = exact.floor();
        if !(1.0..=SIDE_MAX as f64).contains(&size) {
            return Err(Fault::Bad(format!("its scale {scale} makes {exact} of {} cells", shape[axis])));
        }
        // The graph knows sizes only, and with those another scale would look elsewhere.
        if (exact - size).abs() > 1e-3 && form.coordinates != "align_corners" {
            return Err(Fault::Unsupported(format!(" by {scale}, which makes {exact} of {} cells", shape[axis])));
        }
        shape[axis] = size as usize;
    }
    emit(builder, call, form, &x, &shape)
}

fn emit<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    form: &Form<'_>,
    x: &View,
    shape: &[usize],
) -> Result<(), Fault> {
    let &[1, channels, rows, columns] = shape else { return Err(Fault::Bad(format!("it makes the shape {shape:?}"))) };
    let sides = [(x.shape[2], rows), (x.shape[3], columns)];
    if channels != x.shape[1] {
        return Err(Fault::Unsupported(format!(" of channels ({} to {channels})", x.shape[1])));
    }
    if sides.iter().any(|&(_, new)| !(1..=SIDE_MAX).contains(&new)) {
        return Err(Fault::Bad(format!("it makes the shape {shape:?}")));
    }
    if sides.iter().all(|(old, new)| old == new) {
        return builder.define(call.output()?, Known::Activation(x.clone())).map_err(Fault::from);
    }
    let sampling = match form.mode {
        "nearest" => nearest(form, sides)?,
        "linear" | "bilinear" => linear(form, sides)?,
        other => return Err(Fault::Unsupported(format!(" in the mode {other:?}"))),
    };
    let source = builder.materialise(x)?;
    let view = View::picture(x.value, shape.to_vec());
    let physical = view.physical();
    let value = builder.emit(call.name()?, call.output()?, Op::Resize(sampling), vec![source], physical)?;
    builder.define(call.output()?, Known::Activation(view.of(value))).map_err(Fault::from)
}

fn unsupported(form: &Form<'_>, sides: [(usize, usize); 2]) -> Fault {
    let Form { mode, coordinates, nearest } = form;
    let nearest = if *mode == "nearest" { format!(" and {nearest}") } else { String::new() };
    let [(height, rows), (width, columns)] = sides;
    Fault::Unsupported(format!(" ({mode}, {coordinates}{nearest}) of {height}x{width} to {rows}x{columns}"))
}

fn linear(form: &Form<'_>, sides: [(usize, usize); 2]) -> Result<Sampling, Fault> {
    let coordinates = match form.coordinates {
        "half_pixel" | "half_pixel_symmetric" => Coordinates::HalfPixel,
        // The same but for a single cell, which looks at the first one.
        "pytorch_half_pixel" if sides.iter().all(|&(old, new)| new > 1 || old == 1) => Coordinates::HalfPixel,
        "asymmetric" => Coordinates::Asymmetric,
        "align_corners" => Coordinates::AlignCorners,
        _ => return Err(unsupported(form, sides)),
    };
    Ok(Sampling::Bilinear(coordinates))
}

/// The graph's sampling that takes the same cells.
fn nearest(form: &Form<'_>, sides: [(usize, usize); 2]) -> Result<Sampling, Fault> {
    let wanted: Option<Vec<usize>> =
        sides.iter().flat_map(|&(old, new)| (0..new).map(move |to| cell(form, to, old, new))).collect();
    let wanted = wanted.ok_or_else(|| unsupported(form, sides))?;
    let forms = [
        ("asymmetric", Coordinates::Asymmetric),
        ("half_pixel", Coordinates::HalfPixel),
        ("align_corners", Coordinates::AlignCorners),
    ];
    for (name, coordinates) in forms {
        for (rounding, floor) in [("floor", true), ("round_prefer_floor", false)] {
            let own = Form { mode: form.mode, coordinates: name, nearest: rounding };
            let cells = sides.iter().flat_map(|&(old, new)| (0..new).map(move |to| (to, old, new)));
            if cells.map(|(to, old, new)| cell(&own, to, old, new)).eq(wanted.iter().map(|&cell| Some(cell))) {
                return Ok(Sampling::Nearest { coordinates, floor });
            }
        }
    }
    Err(unsupported(form, sides))
}

/// The cell of `old` that place `to` of `new` takes; `None` for forms that do not exist.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides up to 2^28"
)]
fn cell(form: &Form<'_>, to: usize, old: usize, new: usize) -> Option<usize> {
    let (at, old, new) = (to as f64, old as f64, new as f64);
    let place = match form.coordinates {
        "half_pixel" | "half_pixel_symmetric" => (at + 0.5) * old / new - 0.5,
        "pytorch_half_pixel" if new > 1.0 => (at + 0.5) * old / new - 0.5,
        "asymmetric" => at * old / new,
        "align_corners" if new > 1.0 => at * (old - 1.0) / (new - 1.0),
        "pytorch_half_pixel" | "align_corners" => 0.0,
        "tf_half_pixel_for_nn" => (at + 0.5) * old / new,
        _ => return None,
    };
    let place = match form.nearest {
        "floor" => place.floor(),
        "ceil" => place.ceil(),
        "round_prefer_floor" => (place - 0.5).ceil(),
        "round_prefer_ceil" => (place + 0.5).floor(),
        _ => return None,
    };
    Some(place.clamp(0.0, old - 1.0) as usize)
}
