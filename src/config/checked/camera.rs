//! `[[camera]]`: what belongs to which source.

use std::path::PathBuf;

use clawdbot_flow::limits::{CAMERAS_MAX, FRAME_BYTES_MAX};

use super::Check;
use crate::config::Cameras;
use crate::config::raw::camera::Camera;
use crate::sources::camera::{CameraFormat, Device, Kind, Options, ReplayOptions, ReplaySource, V4l2Options};

const WIDTH_DEFAULT: u32 = 640;
const HEIGHT_DEFAULT: u32 = 480;
const FRAMES_PER_SECOND_DEFAULT: f64 = 10.0;

impl Check<'_> {
    pub(super) fn cameras(&mut self) -> Cameras {
        let raw = std::mem::take(&mut self.document.raw.camera);
        if raw.is_empty() && self.file.is_none() {
            return Cameras::FirstOrClip(first());
        }
        if raw.len() > CAMERAS_MAX {
            self.problem(
                "camera",
                format!("there are {}; {CAMERAS_MAX} are possible, run a second daemon for more", raw.len()),
            );
        }
        let cameras: Vec<Options> =
            raw.into_iter().enumerate().map(|(index, camera)| self.camera(index, camera)).collect();
        self.unique(
            cameras.iter().enumerate().map(|(index, camera)| (format!("camera[{index}].id"), camera.id.clone())),
        );
        self.one_camera_a_device(&cameras);
        Cameras::Listed(cameras)
    }

    fn camera(&mut self, index: usize, raw: Camera) -> Options {
        let key = |name: &str| format!("camera[{index}].{name}");
        let id = self.id(&key("id"), raw.id.clone());
        let is_replay = raw.source.as_deref() == Some("replay");
        let strangers: &[(&str, bool)] = if is_replay {
            &[
                ("device", raw.device.is_some()),
                ("format", raw.format.is_some()),
                ("width", raw.width.is_some()),
                ("height", raw.height.is_some()),
            ]
        } else {
            &[("path", raw.path.is_some()), ("loop", raw.loops.is_some())]
        };
        for (name, _) in strangers.iter().filter(|(_, is_given)| *is_given) {
            let (source, other) = if is_replay { ("replay", "v4l2") } else { ("v4l2", "replay") };
            self.problem(
                &key(name),
                format!("this is for source = \"{other}\", and this camera's is \"{source}\"; take it out or change `source`"),
            );
        }
        let frames_per_second = raw.frames_per_second.unwrap_or(FRAMES_PER_SECOND_DEFAULT);
        let kind = if is_replay { self.replay(&key("path"), raw) } else { self.v4l2(&key, raw) };
        Options { id, kind, frames_per_second }
    }

    fn replay(&mut self, key: &str, raw: Camera) -> Kind {
        let loops = raw.loops.unwrap_or(true);
        let path = match raw.path {
            Some(path) => self.path(&path),
            None => {
                self.missing(key, "give a folder of pictures, an MJPEG stream, a Y4M file or one picture");
                PathBuf::new()
            }
        };
        Kind::Replay(ReplayOptions { source: ReplaySource::Path(path), loops })
    }

    fn v4l2(&mut self, key: &dyn Fn(&str) -> String, raw: Camera) -> Kind {
        let device = raw.device.as_deref().unwrap_or("auto");
        let device = match device {
            "auto" => Device::Auto,
            path if path.starts_with('/') => Device::Path(PathBuf::from(path)),
            number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && number.len() <= 3 => {
                Device::Path(PathBuf::from(format!("/dev/video{number}")))
            }
            other => {
                self.problem(
                    &key("device"),
                    format!(
                        "\"{other}\" is no device; give \"auto\", a path such as \"/dev/v4l/by-id/…\" (`clawdbot devices` lists \
                         them), or a number in quotes"
                    ),
                );
                Device::Auto
            }
        };
        let format = raw.format.as_deref().and_then(format_named);
        let (width, height) = (raw.width.unwrap_or(WIDTH_DEFAULT), raw.height.unwrap_or(HEIGHT_DEFAULT));
        let bytes_per_pixel = if format == Some(CameraFormat::Yuyv) { 2 } else { 1 };
        let bytes = u64::from(width) * u64::from(height) * bytes_per_pixel;
        if bytes > FRAME_BYTES_MAX as u64 {
            self.problem(
                &key("width"),
                format!("{width}x{height} is more than a frame holds ({FRAME_BYTES_MAX} bytes); 1920x1080 always fits"),
            );
        }
        Kind::V4l2(V4l2Options { device, format, width, height })
    }

    /// A second camera on the same device would find it busy.
    fn one_camera_a_device(&mut self, cameras: &[Options]) {
        let mut seen: Vec<&Device> = Vec::new();
        for (index, camera) in cameras.iter().enumerate() {
            let Kind::V4l2(v4l2) = &camera.kind else { continue };
            if seen.contains(&&v4l2.device) {
                let name = match &v4l2.device {
                    Device::Auto => "auto".to_owned(),
                    Device::Path(path) => path.display().to_string(),
                };
                self.problem(
                    &format!("camera[{index}].device"),
                    format!(
                        "\"{name}\" is used by an earlier camera; name another device (`clawdbot devices` lists them)"
                    ),
                );
            }
            seen.push(&v4l2.device);
        }
    }
}

/// The camera of a daemon without a configuration file.
fn first() -> Options {
    Options {
        id: "camera".to_owned(),
        kind: Kind::V4l2(V4l2Options {
            device: Device::Auto,
            format: None,
            width: WIDTH_DEFAULT,
            height: HEIGHT_DEFAULT,
        }),
        frames_per_second: FRAMES_PER_SECOND_DEFAULT,
    }
}

fn format_named(name: &str) -> Option<CameraFormat> {
    match name {
        "mjpg" => Some(CameraFormat::Mjpg),
        "yuyv" => Some(CameraFormat::Yuyv),
        "nv12" => Some(CameraFormat::Nv12),
        "yu12" => Some(CameraFormat::Yu12),
        _ => None,
    }
}
