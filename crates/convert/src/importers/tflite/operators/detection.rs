//! The post-processing that detectors of the TensorFlow Object Detection API end in. It is not part of the network: a
//! head decodes boxes, and what it needs to know is taken from the operator.

use super::{Call, Fault, name_of, shape_of};
use crate::importers::DetectionPostProcess;
use crate::importers::tflite::builder::Builder;
use crate::importers::tflite::flexbuffer;

/// As [`crate::importers::tflite::schema::Operator::kind`] spells it.
pub(super) const KIND: &str = "CUSTOM `TFLite_Detection_PostProcess`";

/// Inputs: boxes [1,N,4], scores [1,N,classes + background], anchors [N,4].
pub(super) fn post_process(builder: &mut Builder<'_, '_>, call: &Call<'_, '_>) -> Result<(), Fault> {
    let (boxes, scores) = (builder.activation(call.input(0)?)?, builder.activation(call.input(1)?)?);
    let (anchors_shape, anchors) = builder.float_constant(call.input(2)?)?;
    let count = match shape_of(builder, call.input(0)?) {
        &[1, count, 4] => count,
        other => {
            return Err(Fault::Bad(format!("its boxes have the shape {other:?}, where [1, anchors, 4] is expected")));
        }
    };
    let columns = match shape_of(builder, call.input(1)?) {
        &[1, rows, columns] if rows == count => columns,
        other => return Err(Fault::Bad(format!("its scores have the shape {other:?} for {count} boxes"))),
    };
    if anchors_shape != [count, 4] {
        return Err(Fault::Bad(format!("its anchors have the shape {anchors_shape:?} for {count} boxes")));
    }
    let attributes = flexbuffer::scalars(call.operator.custom_options)
        .ok_or_else(|| Fault::Bad("its attributes are no map of numbers: the file is damaged".to_owned()))?;
    #[expect(clippy::cast_possible_truncation, reason = "thresholds and scales, stored as floats")]
    let number = |name: &str| {
        let number = attributes.get(name).map(|&number| number as f32).filter(|number| number.is_finite());
        number.ok_or_else(|| Fault::Bad(format!("it lacks the attribute `{name}`")))
    };
    let scale = |name: &str| {
        let scale = number(name)?;
        if scale > 0.0 { Ok(scale) } else { Err(Fault::Bad(format!("its `{name}` is {scale}"))) }
    };
    let classes = attributes.get("num_classes").copied().unwrap_or(-1.0);
    let classes = (0..columns + 1).rev().find(|&count| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) == classes);
    let Some(classes) = classes.filter(|&classes| classes > 0 && columns - classes <= 1) else {
        return Err(Fault::Bad(format!("its `num_classes` does not fit scores of {columns} columns")));
    };
    let found = DetectionPostProcess {
        boxes,
        scores,
        background: columns > classes,
        classes,
        anchors: anchors.chunks_exact(4).map(|anchor| [anchor[0], anchor[1], anchor[2], anchor[3]]).collect(),
        box_scales: [scale("y_scale")?, scale("x_scale")?, scale("h_scale")?, scale("w_scale")?],
        score_min: number("nms_score_threshold")?,
        overlap_max: number("nms_iou_threshold")?,
        each_class: attributes.get("use_regular_nms").is_some_and(|&regular| regular != 0.0),
        detections_max: attributes.get("max_detections").map_or(0.0, |&count| count.clamp(0.0, 65_535.0)) as usize,
        results: call.operator.outputs.iter().map(|&output| name_of(builder, output)).collect(),
    };
    if builder.detection.replace(found).is_some() {
        return Err(Fault::Bad("the file has two of it".to_owned()));
    }
    Ok(())
}
