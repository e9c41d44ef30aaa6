//! `[detector]`: which network looks at the frames, and what it reports.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "detector",
    is_list: false,
    about: "Which network looks at the frames, and what it reports.",
    keys: &[
        Key {
            name: "model",
            kind: Kind::Text,
            default: "none: the bundled one",
            example: "\"/var/lib/clawdbot/yard.claw.safetensors\"",
            about: "A bundle made by `clawdbot convert`. A relative path starts at this file's folder.",
        },
        Key {
            name: "threshold",
            kind: Kind::Number { min: 0.0, max: 1.0 },
            default: "0.5",
            example: "0.5",
            about: "Detections with a lower score are left out.",
        },
        Key {
            name: "threads",
            kind: Kind::Integer { min: 1, max: 64 },
            default: "`compute.threads`",
            example: "2",
            about: "Threads for one inference; at most `compute.threads`, and all of these where there is a language model.",
        },
        Key {
            name: "labels",
            kind: Kind::Texts,
            default: "[]: all",
            example: "[\"person\", \"cat\"]",
            about: "Only these labels are reported; `clawdbot inspect` lists a model's labels.",
        },
    ],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Detector {
    pub(in crate::config) model: Option<String>,
    pub(in crate::config) threshold: Option<f64>,
    pub(in crate::config) threads: Option<usize>,
    pub(in crate::config) labels: Option<Vec<String>>,
}
