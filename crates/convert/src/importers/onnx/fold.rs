//! Operators whose operands are all constant, computed while importing: mostly what exporters write to find out shapes.

use std::rc::Rc;

use super::array::{self, Array, Elements, count, places, strides};
use super::messages::{ElementType, Tensor};
use super::operators::{Call, Fault, axis};
use super::shapes::{self, Run, broadcast};

/// A computed constant has no more elements.
const ELEMENTS_MAX: usize = 1 << 22;

type Operands<'o> = &'o [Option<Rc<Array>>];
type Results = Result<Vec<Array>, Fault>;

fn operand<'o>(operands: Operands<'o>, position: usize) -> Result<&'o Array, Fault> {
    let found = operands.get(position).and_then(Option::as_deref);
    found.ok_or_else(|| Fault::Bad(format!("it lacks operand {position}")))
}

/// Integers that are an attribute in older opsets and an operand in newer ones.
fn integers(
    call: &Call<'_, '_>,
    operands: Operands<'_>,
    attribute: &str,
    position: usize,
) -> Result<Option<Vec<i64>>, Fault> {
    if let Some(all) = call.node.integers(attribute)? {
        return Ok(Some(all));
    }
    let Some(array) = operands.get(position).and_then(Option::as_deref) else { return Ok(None) };
    let all = array.as_integers().ok_or_else(|| Fault::Bad(format!("its operand {position} is not integer")))?;
    Ok(Some(all.to_vec()))
}

fn required(all: Option<Vec<i64>>, what: &str) -> Result<Vec<i64>, Fault> {
    all.ok_or_else(|| Fault::Bad(format!("it lacks its {what}")))
}

/// The shape that a computed constant would have.
fn require_small(shape: &[usize]) -> Result<usize, Fault> {
    let elements = count(shape).filter(|&elements| elements <= ELEMENTS_MAX);
    elements.ok_or_else(|| Fault::Unsupported(format!(" of a constant of the shape {shape:?}")))
}

pub(super) fn identity(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    Ok(vec![operand(operands, 0)?.clone()])
}

#[expect(clippy::cast_possible_truncation, reason = "ONNX casts floats by cutting them off")]
pub(super) fn cast(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let element_type = ElementType::from_schema(call.integer_or("to", 0)?);
    let elements = match (&x.elements, element_type) {
        (Elements::Integers(all), ElementType::Bool) => {
            Elements::Integers(all.iter().map(|&x| i64::from(x != 0)).collect())
        }
        (Elements::Integers(all), ElementType::Int64 | ElementType::Int32 | ElementType::Int8 | ElementType::Uint8) => {
            Elements::Integers(all.clone())
        }
        (Elements::Floats(all), ElementType::Int64 | ElementType::Int32 | ElementType::Int8 | ElementType::Uint8) => {
            Elements::Integers(all.iter().map(|&x| x as i64).collect())
        }
        (_, other) if other.is_float() => Elements::Floats(x.to_floats()),
        (_, other) => return Err(Fault::Unsupported(format!(" to {}", other.name()))),
    };
    Ok(vec![Array { elements, element_type, ..x.clone() }])
}

pub(super) fn shape(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    Ok(vec![shape_between(call, &operand(operands, 0)?.shape)?])
}

/// The sides from attribute `start` to `end` (opset 15).
pub(super) fn shape_between(call: &Call<'_, '_>, shape: &[usize]) -> Result<Array, Fault> {
    let sides: Vec<i64> = shape.iter().map(|&side| i64::try_from(side).unwrap_or(i64::MAX)).collect();
    let rank = i64::try_from(sides.len()).unwrap_or(0);
    let place = |number: i64| {
        let place = if number < 0 { number.saturating_add(rank) } else { number };
        usize::try_from(place.clamp(0, rank)).unwrap_or(0)
    };
    let (start, end) = (place(call.integer_or("start", 0)?), place(call.integer_or("end", rank)?));
    let part = sides.get(start..end).unwrap_or_default().to_vec();
    Ok(Array::integers(vec![part.len()], part))
}

pub(super) fn reshape(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let target = required(integers(call, operands, "shape", 1)?, "shape")?;
    Ok(vec![x.reshaped(shapes::reshape(&x.shape, &target, call.integer_or("allowzero", 0)? != 0)?)])
}

pub(super) fn flatten(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    Ok(vec![x.reshaped(shapes::flatten(&x.shape, call.integer_or("axis", 1)?)?)])
}

pub(super) fn squeeze(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let axes = integers(call, operands, "axes", 1)?;
    Ok(vec![x.reshaped(shapes::squeeze(&x.shape, axes.as_deref())?)])
}

pub(super) fn unsqueeze(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let axes = required(integers(call, operands, "axes", 1)?, "axes")?;
    Ok(vec![x.reshaped(shapes::unsqueeze(&x.shape, &axes)?)])
}

pub(super) fn transpose(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let order = call.node.integers("perm")?;
    Ok(vec![x.permuted(&shapes::permutation(order.as_deref(), x.shape.len())?)])
}

pub(super) fn concatenate(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let first = operand(operands, 0)?;
    let rank = first.shape.len();
    let along = axis(required(call.node.integer("axis")?.map(|axis| vec![axis]), "axis")?[0], rank)?;
    let mut shape = first.shape.clone();
    shape[along] = 0;
    for position in 0..operands.len() {
        let part = operand(operands, position)?;
        let alike = part.shape.len() == rank && (0..rank).all(|side| side == along || part.shape[side] == shape[side]);
        if !alike {
            return Err(Fault::Bad(format!(
                "its operand {position} has the shape {:?}, unlike the others'",
                part.shape
            )));
        }
        shape[along] += part.shape[along];
    }
    require_small(&shape)?;
    let outer: usize = shape[..along].iter().product();
    let mut floats = Vec::new();
    let mut whole = Vec::new();
    for row in 0..outer {
        for position in 0..operands.len() {
            let part = operand(operands, position)?;
            let length: usize = part.shape[along..].iter().product();
            match &part.elements {
                Elements::Floats(all) => floats.extend_from_slice(&all[row * length..(row + 1) * length]),
                Elements::Integers(all) => whole.extend_from_slice(&all[row * length..(row + 1) * length]),
            }
        }
    }
    let elements = match (floats.is_empty(), whole.is_empty()) {
        (false, false) => return Err(Fault::Bad("its operands are of unlike types".to_owned())),
        (false, true) => Elements::Floats(floats),
        _ => Elements::Integers(whole),
    };
    Ok(vec![Array { shape, elements, element_type: first.element_type, grid: None }])
}

/// The elements of `runs`.
fn cut(x: &Array, runs: &[Run]) -> Array {
    let strides = strides(&x.shape);
    let shape: Vec<usize> = runs.iter().map(|run| run.count).collect();
    // Running backwards, places are counted from the last element of each run.
    let forward: Vec<Run> = runs
        .iter()
        .map(|run| match run.step {
            step if step < 0 && run.count > 0 => {
                Run { start: run.start - (run.count - 1) * step.unsigned_abs(), step: -step, count: run.count }
            }
            _ => *run,
        })
        .collect();
    let start = forward.iter().zip(&strides).map(|(run, stride)| run.start * stride).sum();
    let steps: Vec<usize> =
        forward.iter().zip(&strides).map(|(run, stride)| run.step.unsigned_abs() * stride).collect();
    let taken = x.elements.pick(places(&shape, &steps, start));
    let own = self::strides(&shape);
    let mirrored = (0..taken.len()).map(|at| {
        let place = |axis: usize| {
            let place = at / own[axis] % shape[axis];
            if runs[axis].step < 0 { shape[axis] - 1 - place } else { place }
        };
        (0..shape.len()).map(|axis| place(axis) * own[axis]).sum()
    });
    let elements = taken.pick(mirrored);
    Array { shape, elements, element_type: x.element_type, grid: None }
}

pub(super) fn slice(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let starts = required(integers(call, operands, "starts", 1)?, "starts")?;
    let ends = required(integers(call, operands, "ends", 2)?, "ends")?;
    let (axes, steps) = (integers(call, operands, "axes", 3)?, integers(call, operands, "steps", 4)?);
    let runs = shapes::slice(&x.shape, &starts, &ends, axes.as_deref(), steps.as_deref())?;
    Ok(vec![cut(x, &runs)])
}

pub(super) fn split(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let along = axis(call.integer_or("axis", 0)?, x.shape.len())?;
    let sizes = integers(call, operands, "split", 1)?;
    let parts = shapes::split(x.shape[along], sizes.as_deref(), call.node.outputs.len())?;
    let part = |part: Run| {
        let mut runs: Vec<Run> = x.shape.iter().map(|&side| Run::all(side)).collect();
        runs[along] = part;
        cut(x, &runs)
    };
    Ok(parts.into_iter().map(part).collect())
}

pub(super) fn gather(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let (x, indices) = (operand(operands, 0)?, operand(operands, 1)?);
    let along = axis(call.integer_or("axis", 0)?, x.shape.len())?;
    let all = indices.as_integers().ok_or_else(|| Fault::Bad("its indices are not integer".to_owned()))?;
    let all = all.iter().map(|&index| axis(index, x.shape[along])).collect::<Result<Vec<usize>, _>>()?;
    let shape = [&x.shape[..along], &indices.shape, &x.shape[along + 1..]].concat();
    require_small(&shape)?;
    let (outer, inner) = (x.shape[..along].iter().product::<usize>(), x.shape[along + 1..].iter().product::<usize>());
    let side = x.shape[along];
    let places = (0..outer).flat_map(|row| all.iter().map(move |&index| (row * side + index) * inner));
    let elements = x.elements.pick(places.flat_map(|start| start..start + inner));
    Ok(vec![Array { shape, elements, element_type: x.element_type, grid: None }])
}

/// Two operands element by element, in integers or in floats.
fn pairs(operands: Operands<'_>, whole: fn(i64, i64) -> Option<i64>, real: fn(f32, f32) -> f32) -> Results {
    let (a, b) = (operand(operands, 0)?, operand(operands, 1)?);
    let shape = broadcast(&a.shape, &b.shape)?;
    require_small(&shape)?;
    let (a, b) = (a.expanded(&shape), b.expanded(&shape));
    let elements = match (&a.elements, &b.elements) {
        (Elements::Integers(a), Elements::Integers(b)) => {
            let all = a.iter().zip(b).map(|(&a, &b)| whole(a, b)).collect::<Option<Vec<i64>>>();
            Elements::Integers(all.ok_or_else(|| Fault::Bad("its integers overflow, or are divided by 0".to_owned()))?)
        }
        _ => Elements::Floats(a.to_floats().into_iter().zip(b.to_floats()).map(|(a, b)| real(a, b)).collect()),
    };
    Ok(vec![Array { shape, elements, element_type: a.element_type, grid: None }])
}

pub(super) fn add(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    pairs(operands, i64::checked_add, |a, b| a + b)
}

pub(super) fn subtract(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    pairs(operands, i64::checked_sub, |a, b| a - b)
}

pub(super) fn multiply(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    pairs(operands, i64::checked_mul, |a, b| a * b)
}

pub(super) fn divide(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    pairs(operands, i64::checked_div, |a, b| a / b)
}

pub(super) fn equal(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    #[expect(clippy::float_cmp, reason = "ONNX's Equal is exact")]
    let results = pairs(operands, |a, b| Some(i64::from(a == b)), |a, b| f32::from(u8::from(a == b)))?;
    let flags = |array: Array| {
        let all = array.to_floats().iter().map(|&x| i64::from(x != 0.0)).collect();
        Array { elements: Elements::Integers(all), element_type: ElementType::Bool, ..array }
    };
    Ok(results.into_iter().map(flags).collect())
}

/// One operand element by element.
fn each(operands: Operands<'_>, whole: fn(i64) -> Option<i64>, real: fn(f32) -> f32) -> Results {
    let x = operand(operands, 0)?;
    let elements = match &x.elements {
        Elements::Floats(all) => Elements::Floats(all.iter().map(|&x| real(x)).collect()),
        Elements::Integers(all) => {
            let all = all.iter().map(|&x| whole(x)).collect::<Option<Vec<i64>>>();
            Elements::Integers(all.ok_or_else(|| Fault::Bad("its integers overflow".to_owned()))?)
        }
    };
    Ok(vec![Array { elements, grid: None, ..x.clone() }])
}

pub(super) fn floor(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    each(operands, Some, f32::floor)
}

pub(super) fn ceil(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    each(operands, Some, f32::ceil)
}

pub(super) fn negate(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    each(operands, i64::checked_neg, |x| -x)
}

pub(super) fn square_root(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    each(operands, |_| None, f32::sqrt)
}

/// Where: of two, by a third.
pub(super) fn choose(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let (condition, a, b) = (operand(operands, 0)?, operand(operands, 1)?, operand(operands, 2)?);
    let shape = broadcast(&broadcast(&condition.shape, &a.shape)?, &b.shape)?;
    require_small(&shape)?;
    let flags = condition.expanded(&shape).to_floats();
    let (a, b) = (a.expanded(&shape), b.expanded(&shape));
    let elements = match (&a.elements, &b.elements) {
        (Elements::Integers(a), Elements::Integers(b)) => Elements::Integers(
            flags.iter().zip(a.iter().zip(b)).map(|(&flag, (&a, &b))| if flag == 0.0 { b } else { a }).collect(),
        ),
        (Elements::Floats(a), Elements::Floats(b)) => Elements::Floats(
            flags.iter().zip(a.iter().zip(b)).map(|(&flag, (&a, &b))| if flag == 0.0 { b } else { a }).collect(),
        ),
        _ => return Err(Fault::Bad("its operands are of unlike types".to_owned())),
    };
    Ok(vec![Array { shape, elements, element_type: a.element_type, grid: None }])
}

/// The shape that an operand lists.
fn listed(operands: Operands<'_>, position: usize) -> Result<Vec<usize>, Fault> {
    let array = operand(operands, position)?;
    let sides = array.as_integers().ok_or_else(|| Fault::Bad("its shape is not integer".to_owned()))?;
    let shape = sides.iter().map(|&side| usize::try_from(side).ok()).collect::<Option<Vec<usize>>>();
    let shape = shape.filter(|shape| shape.len() <= super::messages::RANK_MAX);
    shape.ok_or_else(|| Fault::Bad(format!("its shape is {sides:?}")))
}

pub(super) fn expand(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let x = operand(operands, 0)?;
    let shape = broadcast(&x.shape, &listed(operands, 1)?)?;
    require_small(&shape)?;
    Ok(vec![x.expanded(&shape)])
}

pub(super) fn constant_of_shape(call: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let shape = listed(operands, 0)?;
    let elements = require_small(&shape)?;
    let value = match call.node.tensor("value")? {
        Some(stored) => array::decode("value", &Tensor::read(stored)?, None)?,
        None => Array::floats(vec![1], vec![0.0]),
    };
    if value.elements.len() != 1 {
        return Err(Fault::Bad(format!("its value has {} elements", value.elements.len())));
    }
    Ok(vec![Array { shape, elements: value.elements.pick((0..elements).map(|_| 0)), ..value }])
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 2^22 elements"
)]
pub(super) fn range(_: &Call<'_, '_>, operands: Operands<'_>) -> Results {
    let bound = |position: usize| -> Result<&Array, Fault> {
        let bound = operand(operands, position)?;
        if bound.elements.len() == 1 { Ok(bound) } else { Err(Fault::Bad("its bounds are no scalars".to_owned())) }
    };
    let (start, limit, delta) = (bound(0)?, bound(1)?, bound(2)?);
    let reals = [start, limit, delta].map(|bound| f64::from(bound.to_floats()[0]));
    let steps = ((reals[1] - reals[0]) / reals[2]).ceil().max(0.0);
    if steps.is_nan() || steps > ELEMENTS_MAX as f64 {
        return Err(Fault::Unsupported(format!(" of {steps} elements")));
    }
    let steps = steps as usize;
    let array = match (start.as_integers(), delta.as_integers()) {
        (Some(&[start]), Some(&[delta])) => {
            let element = |at: usize| start.saturating_add(delta.saturating_mul(i64::try_from(at).unwrap_or(i64::MAX)));
            Array::integers(vec![steps], (0..steps).map(element).collect())
        }
        _ => Array::floats(vec![steps], (0..steps).map(|at| (reals[0] + reals[2] * at as f64) as f32).collect()),
    };
    Ok(vec![array])
}
