//! What may be written in the file, one section a module: the table of its keys, and the struct that serde fills.

pub(super) mod camera;
pub(super) mod compute;
pub(super) mod detector;
pub(super) mod llm;
pub(super) mod log;
pub(super) mod mqtt;
pub(super) mod node;
pub(super) mod sensor;

use serde::{Deserialize, Serialize};

use super::key::Section;

/// All sections, in the order in which the documentation shows them.
pub(super) const SECTIONS: &[Section] = &[
    node::SECTION,
    mqtt::SECTION,
    camera::SECTION,
    sensor::SECTION,
    detector::SECTION,
    compute::SECTION,
    llm::SECTION,
    llm::TASK_SECTION,
    log::SECTION,
];

/// The whole file. Every value stands as it was written; nothing is filled in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) node: node::Node,
    pub(super) mqtt: mqtt::Mqtt,
    pub(super) camera: Vec<camera::Camera>,
    pub(super) sensor: Vec<sensor::Sensor>,
    pub(super) detector: detector::Detector,
    pub(super) compute: compute::Compute,
    pub(super) llm: llm::Llm,
    pub(super) log: log::Log,
}

#[cfg(test)]
mod tests;
