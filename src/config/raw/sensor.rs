//! `[[sensor]]`: where readings come from.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "sensor",
    is_list: true,
    about: "A sensor that the kernel knows; repeat the section for each one. `clawdbot devices` lists them.",
    keys: &[
        Key {
            name: "id",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"soc\"",
            about: "The sensor's level in its topic: small letters, digits, `_` and `-`, at most 48 of them; each id once.",
        },
        Key {
            name: "source",
            kind: Kind::Choice(&["hwmon", "iio"]),
            default: "none: must be given",
            example: "\"hwmon\"",
            about: "`hwmon`: a chip under `/sys/class/hwmon`. `iio`: a device under `/sys/bus/iio/devices`.",
        },
        Key {
            name: "name",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"cpu_thermal\"",
            about: "What the chip's `name` file says. Numbers (`hwmon0`) change from boot to boot; names don't.",
        },
        Key {
            name: "channel",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"temp1\"",
            about: "The channel without `_input` or `_raw`: `temp1`, `in0`, `fan1`; `in_temp`, `in_voltage0`. An attribute \
                    such as `in0_lcrit_alarm` is read as it stands.",
        },
        Key {
            name: "unit",
            kind: Kind::Text,
            default: "the channel's own: °C, V, A, W, %, 1/min, hPa, lx …",
            example: "\"°C\"",
            about: "The unit as it is published; a name only, nothing is converted. Must be given for channels that have none.",
        },
        Key {
            name: "interval_s",
            kind: Kind::Number { min: 0.1, max: 86_400.0 },
            default: "10",
            example: "10",
            about: "Seconds between two looks.",
        },
        Key {
            name: "interval_max_s",
            kind: Kind::Number { min: 0.1, max: 86_400.0 },
            default: "300, or `interval_s` if that is more",
            example: "300",
            about: "Seconds after which the value is published even if it did not move.",
        },
        Key {
            name: "dead_band",
            kind: Kind::Number { min: 0.0, max: 1e9 },
            default: "0: every change",
            example: "0.5",
            about: "A value is published at once when it moved by more than this since it was last published.",
        },
    ],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Sensor {
    pub(in crate::config) id: Option<String>,
    pub(in crate::config) source: Option<String>,
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) channel: Option<String>,
    pub(in crate::config) unit: Option<String>,
    pub(in crate::config) interval_s: Option<f64>,
    pub(in crate::config) interval_max_s: Option<f64>,
    pub(in crate::config) dead_band: Option<f64>,
}
