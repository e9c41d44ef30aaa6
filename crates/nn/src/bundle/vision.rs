//! What a bundle says about pictures, against its program: heads and preprocessing rely on it.

use super::error::Fault;
use super::format::{KEY_KIND, KEY_VISION, Kind};
use crate::metadata::{Head, PictureInput, SsdHead, Vision};
use crate::program::{Program, Value};
use crate::tensor::DataType;

/// Labels that a head may have.
const LABELS_MAX: usize = 65_535;

/// Checks `vision` against `kind` and `program`.
pub(super) fn check(kind: Kind, vision: Option<&Vision>, program: &Program) -> Result<(), Fault> {
    let expected = Kind::of(vision.map(|vision| &vision.head));
    if kind != expected {
        let reason = format!("it says {kind}, but its head makes it a {expected}");
        return Err(Fault::Metadata { key: KEY_KIND, reason });
    }
    let Some(vision) = vision else { return Ok(()) };
    let fault = |reason| Fault::Metadata { key: KEY_VISION, reason };
    if let Some(picture) = &vision.input {
        check_input(picture, program).map_err(fault)?;
    }
    if vision.labels.len() > LABELS_MAX {
        return Err(fault(format!("{} labels are more than {LABELS_MAX}", vision.labels.len())));
    }
    match &vision.head {
        Head::Ssd(head) => check_ssd(head, vision.labels.len(), program).map_err(fault),
        Head::Classifier { scores } => check_classifier(scores, vision.labels.len(), program).map_err(fault),
        Head::Raw => Ok(()),
    }
}

fn check_input(picture: &PictureInput, program: &Program) -> Result<(), String> {
    let [id] = program.inputs[..] else { return Err(String::from("a network over pictures has one input")) };
    let value = &program.values[id.0];
    let shape = [1, picture.height, picture.width, 3];
    let quantized = value.data_type == DataType::I8 && value.scale == [1.0] && value.zero_point == -128;
    if quantized && value.shape == shape {
        return Ok(());
    }
    Err(format!("the input `{}` is not I8 {shape:?} with scale 1 and zero point -128", value.name))
}

fn output<'a>(name: &str, program: &'a Program) -> Result<&'a Value, String> {
    let value = program.outputs.iter().map(|id| &program.values[id.0]).find(|value| value.name == name);
    let value = value.ok_or_else(|| format!("the program has no output `{name}`"))?;
    if value.data_type == DataType::F32 { Ok(value) } else { Err(format!("the output `{name}` is not F32")) }
}

fn check_classifier(scores: &str, labels: usize, program: &Program) -> Result<(), String> {
    let found = output(scores, program)?.stored_elements();
    if found == labels { Ok(()) } else { Err(format!("`{scores}` has {found} scores for {labels} labels")) }
}

fn check_ssd(head: &SsdHead, labels: usize, program: &Program) -> Result<(), String> {
    let mut anchors = 0_usize;
    for map in &head.maps {
        let cells = map.rows.checked_mul(map.columns).and_then(|cells| cells.checked_mul(map.sizes.len()));
        let sum = cells.and_then(|cells| anchors.checked_add(cells));
        anchors = sum.ok_or_else(|| format!("a map of {} x {} cells is absurd", map.rows, map.columns))?;
        if !map.sizes.iter().flatten().all(|side| side.is_finite() && *side > 0.0) {
            return Err(String::from("an anchor's side is not above 0"));
        }
    }
    for (name, columns) in [(&head.boxes, 4), (&head.scores, labels + 1)] {
        let value = output(name, program)?;
        if value.shape != [1, anchors, columns] {
            return Err(format!(
                "`{name}` is {:?}; its anchors and labels want [1, {anchors}, {columns}]",
                value.shape
            ));
        }
    }
    if !head.box_scales.iter().all(|scale| scale.is_normal() && *scale > 0.0) {
        return Err(format!("the box scales {:?} are not all above 0", head.box_scales));
    }
    if !(0.0..=1.0).contains(&head.overlap_max) {
        return Err(format!("the overlap {} is outside 0..=1", head.overlap_max));
    }
    Ok(())
}
