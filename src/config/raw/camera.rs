//! `[[camera]]`: where frames come from.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "camera",
    is_list: true,
    about: "A camera; repeat the section for each one. Without a configuration file, the first usable camera is taken, \
            or the bundled clip if there is none.",
    keys: &[
        Key {
            name: "id",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"front\"",
            about: "The camera's level in its topics: small letters, digits, `_` and `-`, at most 48 of them; each id once.",
        },
        Key {
            name: "source",
            kind: Kind::Choice(&["v4l2", "replay"]),
            default: "\"v4l2\"",
            example: "\"v4l2\"",
            about: "`v4l2`: a USB camera. `replay`: pictures or a video file, shown as if a camera saw them.",
        },
        Key {
            name: "device",
            kind: Kind::Text,
            default: "\"auto\": the first usable one",
            example: "\"auto\"",
            about: "`v4l2` only: `auto`, a path under `/dev/v4l/by-id` or `/dev/v4l/by-path` (`clawdbot devices` lists \
                    them), or as a last resort a number: `\"0\"` is `/dev/video0`, and numbers change.",
        },
        Key {
            name: "path",
            kind: Kind::Text,
            default: "none: must be given",
            example: "\"/var/lib/clawdbot/yard.mjpeg\"",
            about: "`replay` only: a folder of pictures, an MJPEG stream, a Y4M file or one picture. A relative path \
                    starts at this file's folder.",
        },
        Key {
            name: "format",
            kind: Kind::Choice(&["mjpg", "yuyv", "nv12", "yu12"]),
            default: "the best that the camera has",
            example: "\"mjpg\"",
            about: "`v4l2` only: the only pixel format to use.",
        },
        Key {
            name: "width",
            kind: Kind::Integer { min: 16, max: 4096 },
            default: "640",
            example: "640",
            about: "`v4l2` only: wanted width in pixels; the nearest that the camera has is used.",
        },
        Key {
            name: "height",
            kind: Kind::Integer { min: 16, max: 4096 },
            default: "480",
            example: "480",
            about: "`v4l2` only: wanted height in pixels.",
        },
        Key {
            name: "frames_per_second",
            kind: Kind::Number { min: 0.05, max: 120.0 },
            default: "10",
            example: "10",
            about: "Frames a second that are wanted. A camera that delivers more is thinned out to it.",
        },
        Key {
            name: "loop",
            kind: Kind::Flag,
            default: "true",
            example: "true",
            about: "`replay` only: whether to begin anew at the end.",
        },
    ],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Camera {
    pub(in crate::config) id: Option<String>,
    pub(in crate::config) source: Option<String>,
    pub(in crate::config) device: Option<String>,
    pub(in crate::config) path: Option<String>,
    pub(in crate::config) format: Option<String>,
    pub(in crate::config) width: Option<u32>,
    pub(in crate::config) height: Option<u32>,
    pub(in crate::config) frames_per_second: Option<f64>,
    #[serde(rename = "loop")]
    pub(in crate::config) loops: Option<bool>,
}
