//! The settings as they hold, without secrets: what `check-config` prints.

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use serde_json::{Map, Value, json};

use super::{Cameras, Config, Llm};
use crate::mqtt::Broker;
use crate::pipeline::answering::tasks::{TaskOptions, Trigger};
use crate::sources::camera::{self, CameraFormat, Device, ReplaySource};
use crate::sources::sensor;

impl Config {
    /// The settings as a tree of the file's own sections and keys.
    pub(crate) fn report(&self) -> Value {
        json!({
            "node": { "name": self.node },
            "mqtt": self.report_mqtt(),
            "camera": match &self.cameras {
                Cameras::FirstOrClip(_) => json!("the first usable camera, else the bundled clip"),
                Cameras::Listed(cameras) => cameras.iter().map(report_camera).collect(),
            },
            "sensor": self.sensors.iter().map(report_sensor).collect::<Vec<_>>(),
            "detector": {
                "model": self.detector.model.as_ref().map_or_else(|| "bundled".to_owned(), |model| model.display().to_string()),
                "threshold": rounded(self.detector.score_min),
                "threads": self.detector.threads,
                "labels": self.detector.labels,
            },
            "compute": {
                "threads": self.compute.threads,
                "max_concurrency": self.compute.max_concurrency,
                "batch_size": self.compute.batch_size,
                "isa": self.compute.isa.map(Isa::name),
            },
            "llm": self.llm.as_ref().map(report_llm),
            "log": { "filter": self.log_filter },
        })
    }

    fn report_mqtt(&self) -> Value {
        let mut report = Map::new();
        match &self.mqtt.broker {
            Broker::Embedded { listen } => {
                report.insert("broker".to_owned(), json!("built in"));
                report.insert("listen".to_owned(), json!(listen.to_string()));
            }
            Broker::External { host, port } => {
                report.insert("host".to_owned(), json!(host));
                report.insert("port".to_owned(), json!(port));
            }
        }
        if let Some(credentials) = &self.mqtt.credentials {
            report.insert("username".to_owned(), json!(credentials.user));
            report.insert("password".to_owned(), json!("***"));
        }
        if let Some(tls) = &self.mqtt.tls {
            report.insert("tls_ca_file".to_owned(), json!(tls.ca_file));
            if let Some(client) = &tls.client {
                report.insert("tls_certificate_file".to_owned(), json!(client.certificate_file));
                report.insert("tls_key_file".to_owned(), json!(client.key_file));
            }
        }
        report.insert("prefix".to_owned(), json!(self.mqtt.prefix));
        report.insert("keep_alive_s".to_owned(), json!(self.mqtt.keep_alive.as_secs()));
        Value::Object(report)
    }
}

fn report_llm(llm: &Llm) -> Value {
    let options = &llm.options;
    let task = |task: &TaskOptions| {
        let on = match &task.trigger {
            Trigger::Object { cameras, labels, changes } => json!({
                "on": "object", "cameras": cameras, "labels": labels,
                "changes": changes.iter().map(|change| change.name()).collect::<Vec<_>>(),
            }),
            Trigger::Sensor { sensor, above, below } => {
                json!({ "on": "sensor", "sensor": sensor, "above": above, "below": below })
            }
            Trigger::Every(interval) => json!({ "on": "time", "every_s": interval.as_secs_f64() }),
        };
        json!({
            "id": task.id,
            "trigger": on,
            "system": task.system,
            "schema": task.schema.is_some(),
            "max_tokens": task.answer_max,
            "temperature": rounded(task.temperature),
            "cooldown_s": task.cooldown.as_secs_f64(),
            "deadline_s": task.deadline.as_secs_f64(),
            "priority": task.priority,
        })
    };
    json!({
        "model": options.model.display().to_string(),
        "context": options.context,
        "slots": options.slots,
        "kv": if options.format == Format::F16 { "f16" } else { "int8" },
        "max_tokens": options.answer_max,
        "temperature": rounded(options.temperature),
        "system": options.system,
        "idle_unload_s": options.idle_unload.map(|idle| idle.as_secs_f64()),
        "task": llm.tasks.iter().map(task).collect::<Vec<_>>(),
    })
}

/// A 32-bit score as people write it: 0.3, not 0.30000001192092896.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e6).round() / 1e6
}

fn report_camera(camera: &camera::Options) -> Value {
    let fps = camera.frames_per_second;
    match &camera.kind {
        camera::Kind::V4l2(v4l2) => json!({
            "id": camera.id,
            "source": "v4l2",
            "device": match &v4l2.device {
                Device::Auto => "auto".to_owned(),
                Device::Path(path) => path.display().to_string(),
            },
            "format": v4l2.format.map(CameraFormat::name),
            "width": v4l2.width,
            "height": v4l2.height,
            "frames_per_second": fps,
        }),
        camera::Kind::Replay(replay) => json!({
            "id": camera.id,
            "source": "replay",
            "path": match &replay.source {
                ReplaySource::Path(path) => path.display().to_string(),
                ReplaySource::Bytes(_) => "the bundled clip".to_owned(),
            },
            "loop": replay.loops,
            "frames_per_second": fps,
        }),
    }
}

fn report_sensor(sensor: &sensor::Options) -> Value {
    let (source, name, channel) = match &sensor.kind {
        sensor::Kind::Hwmon { chip, channel } => ("hwmon", chip, channel),
        sensor::Kind::Iio { device, channel } => ("iio", device, channel),
    };
    json!({
        "id": sensor.id,
        "source": source,
        "name": name,
        "channel": channel,
        "unit": sensor.unit,
        "interval_s": sensor.interval.as_secs_f64(),
        "interval_max_s": sensor.interval_max.as_secs_f64(),
        "dead_band": sensor.dead_band,
    })
}
