//! `[[sensor]]`: chip, channel, rhythm.

use std::time::Duration;

use super::Check;
use crate::config::raw::sensor::Sensor;
use crate::sources::sensor::{Kind, Options};

/// The most sensors: one thread reads them all.
const SENSORS_MAX: usize = 64;

impl Check<'_> {
    pub(super) fn sensors(&mut self) -> Vec<Options> {
        let raw = std::mem::take(&mut self.document.raw.sensor);
        if raw.len() > SENSORS_MAX {
            self.problem("sensor", format!("there are {}; {SENSORS_MAX} are possible", raw.len()));
        }
        let sensors: Vec<Options> =
            raw.into_iter().enumerate().map(|(index, sensor)| self.sensor(index, sensor)).collect();
        self.unique(
            sensors.iter().enumerate().map(|(index, sensor)| (format!("sensor[{index}].id"), sensor.id.clone())),
        );
        sensors
    }

    fn sensor(&mut self, index: usize, raw: Sensor) -> Options {
        let key = |name: &str| format!("sensor[{index}].{name}");
        let id = self.id(&key("id"), raw.id);
        if raw.source.is_none() {
            self.missing(&key("source"), "give \"hwmon\" or \"iio\"");
        }
        let name = self.file_name(
            &key("name"),
            raw.name,
            "give what the chip's `name` file says (`clawdbot devices` lists them)",
        );
        let channel =
            self.file_name(&key("channel"), raw.channel, "give one such as \"temp1\" (`clawdbot devices` lists them)");
        let kind = match raw.source.as_deref() {
            Some("iio") => Kind::Iio { device: name, channel },
            _ => Kind::Hwmon { chip: name, channel },
        };
        let unit = raw.unit.or_else(|| kind.unit_default().map(str::to_owned));
        if unit.is_none() && !self.document.problems.iter().any(|problem| problem.key == key("channel")) {
            self.problem(
                &key("unit"),
                "it is missing, and the channel has no unit of its own; give one, such as \"%\"",
            );
        }
        let interval = seconds(raw.interval_s.unwrap_or(10.0));
        let interval_max = raw.interval_max_s.map_or_else(|| interval.max(Duration::from_secs(300)), seconds);
        if interval_max < interval {
            self.problem(
                &key("interval_max_s"),
                format!(
                    "{} s is less than interval_s, {} s; raise it",
                    interval_max.as_secs_f64(),
                    interval.as_secs_f64()
                ),
            );
        }
        Options {
            id,
            kind,
            unit: unit.unwrap_or_default(),
            interval,
            interval_max,
            dead_band: raw.dead_band.unwrap_or(0.0),
        }
    }

    /// A name that becomes part of a path under `/sys`.
    fn file_name(&mut self, key: &str, name: Option<String>, advice: &str) -> String {
        match name {
            None => {
                self.missing(key, advice);
                String::new()
            }
            Some(name) => {
                if name.contains(['/', '\0']) || name.starts_with('.') {
                    self.problem(key, format!("\"{name}\" is a path; {advice}"));
                }
                name
            }
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(10))
}
