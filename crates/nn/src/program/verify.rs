//! Proves of a program and its tensors everything that the executor relies on, so that running it cannot fail.
//!
//! [`verify`] checks values (shapes, scales, zero points), then the order of steps (what goes in is known, nothing is
//! written twice), then each step: its shapes, and every tensor that it names, element by element.

mod activation;
mod error;
mod movement;
mod step;
mod tensors;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use error::{InvalidProgram, Reason};

use super::{Program, Step, Value, ValueId, channel_stride};
use crate::model::TensorView;
use crate::tensor::DataType;

/// Values that a program may have.
pub const VALUES_MAX: usize = 1 << 16;
/// Steps that a program may have.
pub const STEPS_MAX: usize = 1 << 16;
/// Axes that a value may have.
pub const RANK_MAX: usize = 6;
/// Bytes that one value may take in memory.
pub const VALUE_BYTES_MAX: usize = 1 << 28;
/// Bytes that all values together may take.
pub const ALL_VALUES_BYTES_MAX: usize = 1 << 30;
/// Longest side and largest step of a window.
pub const WINDOW_SIDE_MAX: usize = 64;

const _: () = assert!(VALUE_BYTES_MAX <= ALL_VALUES_BYTES_MAX && ALL_VALUES_BYTES_MAX <= isize::MAX as usize);

/// How a step's tensors are found by name.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<TensorView<'a>>;

/// Checks `program` against the tensors that `lookup` finds.
///
/// # Errors
/// The first thing that is not as it must be: which value, step and tensor, and why.
pub(crate) fn verify<'a>(program: &'a Program, lookup: Lookup<'a>) -> Result<(), InvalidProgram> {
    values(program)?;
    order(program)?;
    program.steps.iter().try_for_each(|step| step::step(program, step, lookup))
}

fn values(program: &Program) -> Result<(), InvalidProgram> {
    for (what, count, max) in [("values", program.values.len(), VALUES_MAX), ("steps", program.steps.len(), STEPS_MAX)]
    {
        if count > max {
            return Err(InvalidProgram::program(Reason::TooMany { what, max }));
        }
    }
    let mut total = 0_usize;
    for value in &program.values {
        let fault = |reason| InvalidProgram::value(value, reason);
        let bytes = stored_bytes(value).ok_or_else(|| fault(Reason::Shape { shape: value.shape.clone() }))?;
        total = total.checked_add(bytes).filter(|&total| total <= ALL_VALUES_BYTES_MAX).ok_or_else(|| {
            InvalidProgram::program(Reason::TooMany { what: "bytes of activations", max: ALL_VALUES_BYTES_MAX })
        })?;
        quantization(value).map_err(fault)?;
    }
    Ok(())
}

/// Checked twin of [`Value::stored_bytes`]; `None` when a side is 0 or the whole is out of bounds.
fn stored_bytes(value: &Value) -> Option<usize> {
    let (&channels, outer) = value.shape.split_last()?;
    if value.shape.len() > RANK_MAX || value.shape.contains(&0) || channels > VALUE_BYTES_MAX {
        return None;
    }
    if value.shape.len() == 4 && value.shape[0] != 1 {
        return None;
    }
    let stride = if value.data_type == DataType::I8 { channel_stride(channels) } else { channels };
    let elements = outer.iter().try_fold(stride, |product, &side| product.checked_mul(side))?;
    elements.checked_mul(value.data_type.bytes()).filter(|&bytes| bytes <= VALUE_BYTES_MAX)
}

fn quantization(value: &Value) -> Result<(), Reason> {
    match value.data_type {
        DataType::F32 => {
            let clean = value.scale.is_empty() && value.zero_point == 0;
            if clean { Ok(()) } else { Err(Reason::FloatWithScale) }
        }
        DataType::I8 => {
            if value.scale.len() != 1 && value.scale.len() != value.channels() {
                return Err(Reason::ScaleCount { count: value.scale.len(), channels: value.channels() });
            }
            value.scale.iter().try_for_each(|&scale| positive(scale))?;
            if i8::try_from(value.zero_point).is_err() {
                return Err(Reason::ZeroPoint(value.zero_point));
            }
            Ok(())
        }
        DataType::F16 | DataType::I32 | DataType::I16 | DataType::U8 => Err(Reason::ValueType(value.data_type)),
    }
}

/// A scale must be a normal number above 0: processors differ in what they make of subnormal ones.
fn positive(scale: f32) -> Result<(), Reason> {
    if scale.is_normal() && scale > 0.0 { Ok(()) } else { Err(Reason::Scale(scale)) }
}

fn order(program: &Program) -> Result<(), InvalidProgram> {
    let mut known = vec![false; program.values.len()];
    for (what, ids) in [("inputs", &program.inputs), ("outputs", &program.outputs)] {
        if ids.is_empty() {
            return Err(InvalidProgram::program(Reason::NoEnds(what)));
        }
        let mut names = BTreeSet::new();
        for &id in ids {
            let value = program.values.get(id.0).ok_or_else(|| InvalidProgram::program(Reason::NoSuchValue(id.0)))?;
            if !names.insert(&value.name) {
                return Err(InvalidProgram::value(value, Reason::Twice("a program's inputs or outputs")));
            }
        }
    }
    for &id in &program.inputs {
        known[id.0] = true;
    }
    let mut names = BTreeSet::new();
    for step in &program.steps {
        let fault = |reason| InvalidProgram::step(step, reason);
        if !names.insert(&step.name) {
            return Err(fault(Reason::Twice("a step's name")));
        }
        for &input in &step.inputs {
            let value = value_of(program, step, input)?;
            if !known[input.0] {
                return Err(fault(Reason::NotYetKnown(value.name.clone())));
            }
        }
        let value = value_of(program, step, step.output)?;
        if known[step.output.0] {
            return Err(fault(Reason::WrittenTwice(value.name.clone())));
        }
        known[step.output.0] = true;
    }
    for &id in &program.outputs {
        if !known[id.0] {
            return Err(InvalidProgram::value(&program.values[id.0], Reason::NeverWritten));
        }
    }
    Ok(())
}

fn value_of<'a>(program: &'a Program, step: &Step, id: ValueId) -> Result<&'a Value, InvalidProgram> {
    program.values.get(id.0).ok_or_else(|| InvalidProgram::step(step, Reason::NoSuchValue(id.0)))
}
