//! Whether the USB buses have room for what the cameras are asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::camera::{CameraReading, Source};
use super::configuration::Configuration;
use super::finding::{Check, Finding};
use super::machine::Machine;

/// USB 2's speed, in Mbit/s; all devices of a bus share it.
const HIGH_SPEED: u32 = 480;
/// What one camera can have of it: three packets of 1024 bytes in each of 8000 microframes a second (USB 2.0, 5.6.3).
const CAMERA_BYTES_MAX: u64 = 3 * 1024 * 8000;
/// What all cameras of a bus can have: 80 % of a microframe is for such transfers (USB 2.0, 5.5.4).
const BUS_BYTES_MAX: u64 = 48_000_000;

/// A camera on a USB bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plugged {
    /// Its id.
    pub(super) camera: String,
    pub(super) bus: u32,
    /// The way through the hubs: `1-1.3`.
    pub(super) port: String,
    /// Mbit/s that device and port agreed on.
    pub(super) speed: u32,
    /// What the daemon will ask for, and bytes a second of it.
    pub(super) demand: Option<(String, u64)>,
}

/// The cameras on USB; `None`: the configuration does not say which cameras there are.
pub(super) fn gather(
    machine: &Machine<'_>,
    configuration: &Configuration,
    cameras: &Option<Vec<CameraReading>>,
) -> Option<Vec<Plugged>> {
    configuration.config()?;
    Some(cameras.iter().flatten().filter_map(|camera| plugged(machine, camera)).collect())
}

fn plugged(machine: &Machine<'_>, camera: &CameraReading) -> Option<Plugged> {
    let Source::Device { node: Some(node), .. } = &camera.source else { return None };
    let (bus, port, speed) = place(machine, node.path.file_name()?.to_str()?)?;
    let demand = node.wish.as_ref().map(|(wish, frame_bytes)| {
        let rate = camera.frames_per_second;
        (format!("{wish} at {rate} frames/s"), bytes_a_second(*frame_bytes, rate))
    });
    Some(Plugged { camera: camera.id.clone(), bus, port, speed, demand })
}

/// Rates have thousandths; figures for people need no more.
fn bytes_a_second(frame_bytes: u64, frames_per_second: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is 0.05 to 120")]
    let thousandths = (frames_per_second * 1000.0) as u64;
    frame_bytes.saturating_mul(thousandths) / 1000
}

/// Bus, port and speed of the USB device behind a video node: the first folder above its own that has a speed.
fn place(machine: &Machine<'_>, node: &str) -> Option<(u32, String, u32)> {
    let device = machine.root.join(Path::new("/sys/class/video4linux").join(node).join("device"));
    let device = fs::canonicalize(device).ok()?;
    let read = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).ok();
    let usb = device.ancestors().find(|folder| folder.join("speed").is_file() && folder.join("busnum").is_file())?;
    let bus = read(usb, "busnum")?.trim().parse().ok()?;
    // 1.5 Mbit/s has no cameras.
    let speed = read(usb, "speed")?.trim().split('.').next()?.parse().ok()?;
    Some((bus, usb.file_name()?.to_str()?.to_owned(), speed))
}

pub(super) fn judge(plugged: &Option<Vec<Plugged>>) -> Vec<Finding> {
    let Some(plugged) = plugged else { return vec![Configuration::missing(Check::Usb)] };
    let mut buses: BTreeMap<u32, Vec<&Plugged>> = BTreeMap::new();
    for camera in plugged {
        buses.entry(camera.bus).or_default().push(camera);
    }
    if buses.is_empty() {
        return vec![Finding::ok(Check::Usb, "no camera is on USB")];
    }
    buses.iter().map(|(bus, cameras)| judge_bus(cameras).about(format!("bus {bus}"))).collect()
}

fn judge_bus(cameras: &[&Plugged]) -> Finding {
    let check = Check::Usb;
    let seen = cameras.iter().map(|camera| describe(camera)).collect::<Vec<_>>().join("; ");
    let demand = |camera: &&Plugged| camera.demand.as_ref().map_or(0, |(_, bytes)| *bytes);
    if cameras.iter().any(|camera| camera.speed < HIGH_SPEED) {
        return Finding::warning(
            check,
            seen,
            "USB 1's speed is a bad cable, hub or plug where the camera can do more: try another",
        );
    }
    // A USB 3 bus carries its USB 3 devices alone; they have room.
    let sharing: Vec<&&Plugged> = cameras.iter().filter(|camera| camera.speed == HIGH_SPEED).collect();
    let total: u64 = sharing.iter().map(|camera| demand(camera)).sum();
    let smaller = "use `format = \"mjpg\"`, a smaller size or fewer frames a second";
    if sharing.len() > 1 && total > BUS_BYTES_MAX {
        Finding::problem(
            check,
            format!("{seen}; together {}, more than the {} of a USB 2 bus", megabytes(total), megabytes(BUS_BYTES_MAX)),
            format!("{smaller}, or plug one camera into a port of another bus (`lsusb -t` shows them)"),
        )
    } else if sharing.iter().any(|camera| demand(camera) > CAMERA_BYTES_MAX) {
        Finding::warning(
            check,
            format!("{seen}, more than the {} that one camera can have", megabytes(CAMERA_BYTES_MAX)),
            format!("{smaller}; the daemon takes what there is room for otherwise"),
        )
    } else if sharing.len() > 1 {
        Finding::note(
            check,
            format!("{seen}; they share one bus, and cameras often claim more of it than they use"),
            format!("if one reports \"USB bandwidth\", {smaller}, or move it to another bus (`lsusb -t`)"),
        )
    } else {
        Finding::ok(check, seen)
    }
}

fn describe(camera: &Plugged) -> String {
    let demand = camera.demand.as_ref().map_or_else(
        || "what it will be asked for is not known".to_owned(),
        |(wish, bytes)| format!("{wish} is {}", megabytes(*bytes)),
    );
    format!("{} at port {}, {} Mbit/s: {demand}", camera.camera, camera.port, camera.speed)
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB/s", bytes / 1_000_000, bytes / 100_000 % 10)
}

#[cfg(test)]
mod tests;
