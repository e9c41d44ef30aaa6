//! What `data` is for cameras and sensors.

use std::collections::BTreeMap;

use clawdbot_flow::detection::BoundingBox;
use clawdbot_flow::event::{CameraEvent, ObjectEvent};
use clawdbot_flow::reading::Reading;
use serde::Serialize;

use super::envelope::rounded;

/// `data` of `camera_event`.
#[derive(Debug, Serialize)]
pub(super) struct ObjectData<'a> {
    change: &'static str,
    object: u64,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    bounding_box: Option<BoxData>,
    frame: u64,
}

/// A box in fractions of the frame, cut to it, with four decimals: a quarter of a pixel at 1080p.
#[derive(Debug, Serialize)]
struct BoxData {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl BoxData {
    fn new(bounding_box: &BoundingBox) -> Option<Self> {
        let BoundingBox { left, top, right, bottom } = bounding_box.clamped();
        let side = |value: f32| rounded(f64::from(value), 4);
        Some(Self { left: side(left)?, top: side(top)?, right: side(right)?, bottom: side(bottom)? })
    }
}

impl<'a> From<&'a ObjectEvent> for ObjectData<'a> {
    fn from(event: &'a ObjectEvent) -> Self {
        Self {
            change: event.change.name(),
            object: event.object,
            label: &event.label,
            score: rounded(f64::from(event.score), 3),
            bounding_box: BoxData::new(&event.bounding_box),
            frame: event.frame_sequence,
        }
    }
}

/// `data` of `camera_status`.
#[derive(Debug, Serialize)]
pub(super) struct CameraStatusData<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a CameraEvent> for CameraStatusData<'a> {
    fn from(event: &'a CameraEvent) -> Self {
        Self { state: if event.online { super::ONLINE } else { super::OFFLINE }, reason: event.reason.as_deref() }
    }
}

/// `data` of `camera_state`.
#[derive(Debug, Serialize)]
pub(super) struct CameraStateData<'a> {
    pub(super) objects: &'a BTreeMap<String, u32>,
}

/// `data` of `sensor_state`.
#[derive(Debug, Serialize)]
pub(super) struct SensorData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    unit: &'a str,
}

impl<'a> From<&'a Reading> for SensorData<'a> {
    fn from(reading: &'a Reading) -> Self {
        Self { value: rounded(reading.value, 6), unit: &reading.unit }
    }
}
