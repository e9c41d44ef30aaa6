//! `[compute]`: how much of the machine may be used.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "compute",
    is_list: false,
    about: "How much of the machine may be used.",
    keys: &[Key {
        name: "threads",
        kind: Kind::Integer { min: 1, max: 64 },
        default: "as many as there are cores, at most 4",
        example: "4",
        about: "Threads of the compute pool.",
    }],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Compute {
    pub(in crate::config) threads: Option<usize>,
}
