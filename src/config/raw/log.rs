//! `[log]`: what is logged.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "log",
    is_list: false,
    about: "What is logged.",
    keys: &[Key {
        name: "filter",
        kind: Kind::Text,
        default: "\"info\"",
        example: "\"info\"",
        about: "A level (`error`, `warn`, `info`, `debug`, `trace`) or directives for parts: `info,clawdbot::mqtt=debug`. \
                `CLAWDBOT_LOG` outranks it.",
    }],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Log {
    pub(in crate::config) filter: Option<String>,
}
