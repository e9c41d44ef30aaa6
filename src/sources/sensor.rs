//! Sensors that the kernel reads for us: hwmon chips and IIO channels, as files under the injectable root.
//!
//! `app` gives one thread to all of them and calls [`run`] in it. What is due, and what is worth telling, is decided
//! by [`schedule::Schedule`] without a clock or a file.

mod channel;
mod schedule;
mod supervisor;

use std::time::Duration;

use clawdbot_flow::rooted::Root;

pub(crate) use self::supervisor::{Lent, State, run};

/// What one sensor is, as the configuration decided it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// The sensor's id: `[a-z0-9_-]+`.
    pub(crate) id: String,
    /// Which chip and channel.
    pub(crate) kind: Kind,
    /// The unit as it is published: `°C`, `V`, `%` … It is a name only; values come in the unit of [`Kind`].
    pub(crate) unit: String,
    /// Time between two looks, above 0.
    pub(crate) interval: Duration,
    /// A value is published at the latest after this, moved or not; at least `interval`.
    pub(crate) interval_max: Duration,
    /// A value that moved by more than this since it was last published is published at once; 0 or more, in `unit`.
    pub(crate) dead_band: f64,
}

/// Which chip and channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A chip under `/sys/class/hwmon`, found by its `name` file, never by number. Values come in °C, V, A, W, J,
    /// % (humidity), 1/min (fans), as the kernel's hwmon ABI scales them.
    Hwmon {
        /// What its `name` file says: `cpu_thermal`.
        chip: String,
        /// The channel without its suffix: `temp1`, `in0`, `curr1`, `power1`, `energy1`, `fan1`, `humidity1`, or the name
        /// of an attribute as it stands: `in0_lcrit_alarm` (0 or 1).
        channel: String,
    },
    /// A device under `/sys/bus/iio/devices`, found by its `name` file. Values come in the SI-like units in which people
    /// read them: °C, %, hPa, lx, V, A, W … where the kernel's IIO ABI says milli-, ours is the whole unit.
    Iio {
        /// What its `name` file says: `bme280`.
        device: String,
        /// The channel without its suffix: `in_temp`, `in_voltage0`, `in_illuminance`.
        channel: String,
    },
}

impl Kind {
    /// The unit in which the kernel's ABI, scaled as we scale it, gives this channel; `None` when it has none that we
    /// know of (then the configuration must name one).
    pub(crate) fn unit_default(&self) -> Option<&'static str> {
        channel::quantity(self).map(|quantity| quantity.unit)
    }
}

/// A channel that the kernel shows now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    /// Which it is, as the configuration would name it.
    pub(crate) kind: Kind,
    /// Its unit; empty for flags and for channels that we do not know.
    pub(crate) unit: &'static str,
    /// Its value now, or why there is none.
    pub(crate) value: Result<f64, String>,
}

/// All channels that the kernel shows, for `clawdbot devices`.
pub(crate) fn list(root: &Root) -> Vec<Listed> {
    channel::list(root)
        .into_iter()
        .map(|kind| Listed {
            unit: kind.unit_default().unwrap_or_default(),
            value: channel::read(root, &kind).map_err(|error| error.to_string()),
            kind,
        })
        .collect()
}
