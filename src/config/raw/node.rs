//! `[node]`: who this machine is.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "node",
    is_list: false,
    about: "Who this machine is.",
    keys: &[Key {
        name: "name",
        kind: Kind::Text,
        default: "the host name",
        example: "\"porch\"",
        about: "The node's level in every topic: small letters, digits, `_` and `-`, at most 48 of them.",
    }],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Node {
    pub(in crate::config) name: Option<String>,
}
