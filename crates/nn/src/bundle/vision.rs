//! What a bundle says about pictures, against its program: heads and preprocessing rely on it.

use super::error::Fault;
use super::format::{KEY_KIND, KEY_VISION, Kind};
use crate::metadata::{PictureInput, State, Vision};
use crate::program::{Program, Value};
use crate::tensor::DataType;

/// Checks `vision` against `kind` and `program`.
pub(super) fn check(kind: Kind, vision: Option<&Vision>, program: &Program) -> Result<(), Fault> {
    let expected = Kind::of(vision.map(|vision| &vision.head));
    if kind != expected {
        let reason = format!("it says {kind}, but its head makes it a {expected}");
        return Err(Fault::Metadata { key: KEY_KIND, reason });
    }
    let Some(vision) = vision else { return Ok(()) };
    check_vision(vision, program).map_err(|reason| Fault::Metadata { key: KEY_VISION, reason })
}

fn check_vision(vision: &Vision, program: &Program) -> Result<(), String> {
    if let Some(picture) = &vision.input {
        check_input(picture, vision.states.len(), program)?;
    }
    check_states(&vision.states, program)?;
    for wanted in vision.head.outputs(vision.input.as_ref(), vision.labels.len())? {
        let Some((_, value)) = wanted.find(program) else {
            return Err(format!("the program has no output `{}`", wanted.name));
        };
        if value.data_type != DataType::F32 {
            return Err(format!("the output `{}` is not F32", value.name));
        }
        if !wanted.fits(value) {
            let (shape, labels) = (&value.shape, vision.labels.len());
            let head = vision.head.name();
            return Err(format!(
                "`{}` is {shape:?}, but the {head} head with {labels} labels needs {}",
                value.name, wanted.shape
            ));
        }
    }
    Ok(())
}

fn check_input(picture: &PictureInput, states: usize, program: &Program) -> Result<(), String> {
    let Some(&id) = program.inputs.first().filter(|_| program.inputs.len() == 1 + states) else {
        return Err(format!("a network over pictures has one input beside its {states} states"));
    };
    let value = &program.values[id.0];
    let shape = [1, picture.height, picture.width, 3];
    let quantized = value.data_type == DataType::I8 && value.scale == [1.0] && value.zero_point == -128;
    if quantized && value.shape == shape {
        return Ok(());
    }
    Err(format!("the input `{}` is not I8 {shape:?} with scale 1 and zero point -128", value.name))
}

/// Every state is one input, none twice, and one output of the same kind.
fn check_states(states: &[State], program: &Program) -> Result<(), String> {
    for (index, State { input, output }) in states.iter().enumerate() {
        let named = |name: &str, ids: &[crate::program::ValueId]| -> Option<Value> {
            ids.iter().map(|id| &program.values[id.0]).find(|value| value.name == name).cloned()
        };
        if states[..index].iter().any(|other| other.input == *input) {
            return Err(format!("the input `{input}` is two states"));
        }
        let later = program.inputs.get(1..).unwrap_or_default();
        let Some((taken, given)) = named(input, later).zip(named(output, &program.outputs)) else {
            return Err(format!(
                "the state from `{output}` to `{input}` names no output, or no input behind the picture"
            ));
        };
        let kind = |value: &Value| (value.data_type, value.shape.clone(), value.scale.clone(), value.zero_point);
        if kind(&taken) != kind(&given) {
            return Err(format!(
                "the output `{output}` cannot become the input `{input}`: shape, type or scale differ"
            ));
        }
    }
    Ok(())
}
