//! Which of the machine's video nodes are cameras that we can use, and what they are called so that they are found again.
//!
//! `/dev/video0` is not "the camera": codecs, image processors and CSI receivers have nodes too, a USB camera has a second
//! one for metadata, and numbers change with every plug.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clawdbot_flow::rooted::Root;
use v4l::v4l_sys;

use super::kernel::{Capability, Node};
use super::negotiation::{Offer, choices};
use crate::sources::camera::{CameraFormat, V4l2Options};

/// A video node of the machine.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The node: `/dev/video0`.
    pub(crate) path: PathBuf,
    /// Its lasting names: links under `/dev/v4l/by-id`, then under `by-path`.
    pub(crate) names: Vec<PathBuf>,
    /// What it says that it is; empty when it could not be asked.
    pub(super) capability: Capability,
    /// The formats of ours that it offers.
    pub(crate) formats: Vec<CameraFormat>,
    /// The same, with their sizes.
    pub(super) offers: Vec<Offer>,
    /// Why it is passed over; `None`: it can be used.
    pub(crate) unusable: Option<String>,
    /// The system's number for that reason, where the node could not be asked.
    pub(crate) error: Option<i32>,
}

/// What the daemon would ask a camera for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The format.
    pub(crate) format: CameraFormat,
    /// Its size in pixels.
    pub(crate) width: u32,
    /// Its size in pixels.
    pub(crate) height: u32,
    /// Bytes of a frame on the bus.
    pub(crate) frame_bytes: u64,
}

impl Found {
    /// The device's name for people.
    pub(crate) fn card(&self) -> &str {
        &self.capability.card
    }

    /// Its driver.
    pub(crate) fn driver(&self) -> &str {
        &self.capability.driver
    }

    /// Where it is plugged in.
    pub(crate) fn bus(&self) -> &str {
        &self.capability.bus
    }

    /// What the daemon would ask it for first; `None` when it has nothing that fits.
    pub(crate) fn wish(&self, options: &V4l2Options) -> Option<Wish> {
        let choice = *choices(&self.offers, options).first()?;
        let (format, width, height) = (choice.format, choice.width, choice.height);
        Some(Wish { format, width, height, frame_bytes: choice.bus_bytes() })
    }

    /// The best name for the configuration: by id, by path, or the node.
    pub(crate) fn best_name(&self) -> &Path {
        self.names.first().unwrap_or(&self.path)
    }
}

/// Drivers of nodes that look like cameras and are not, or give raw sensor data that nobody can look at.
const DRIVERS_REFUSED: [(&str, &str); 6] = [
    (
        "unicam",
        "a CSI receiver: its frames are raw sensor data; CSI cameras need rpicam, which clawdbot does not speak yet",
    ),
    (
        "rp1-cfe",
        "a CSI receiver: its frames are raw sensor data; CSI cameras need rpicam, which clawdbot does not speak yet",
    ),
    ("pispbe", "an image processor, not a camera"),
    ("rpi-hevc-dec", "a video decoder, not a camera"),
    ("rpivid", "a video decoder, not a camera"),
    ("rkisp", "an image processor, not a camera"),
];

/// Whether a node is a camera that we can use, by what it says and offers; the reason if not.
pub(super) fn judge(capability: &Capability, formats: &[CameraFormat]) -> Result<(), String> {
    let has = |flag: u32| capability.device_caps & flag != 0;
    let driver = capability.driver.as_str();
    if driver.starts_with("bcm2835-") {
        return Err(format!("{driver} is a codec or an image processor, not a camera"));
    }
    if let Some((_, what)) = DRIVERS_REFUSED.iter().find(|(refused, _)| *refused == driver) {
        return Err(format!("{driver} is {what}"));
    }
    if has(v4l_sys::V4L2_CAP_VIDEO_M2M) || has(v4l_sys::V4L2_CAP_VIDEO_M2M_MPLANE) {
        return Err("it converts pictures (memory to memory) and is no camera".to_owned());
    }
    if !has(v4l_sys::V4L2_CAP_VIDEO_CAPTURE) {
        return Err(if has(v4l_sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE) {
            "it captures in several planes, which clawdbot does not read; use a USB camera".to_owned()
        } else if has(v4l_sys::V4L2_CAP_META_CAPTURE) {
            "it gives metadata only; the camera's other node gives the pictures".to_owned()
        } else {
            "it captures no video".to_owned()
        });
    }
    if !has(v4l_sys::V4L2_CAP_STREAMING) {
        return Err("it can't stream".to_owned());
    }
    if formats.is_empty() {
        return Err("it offers none of MJPG, YUYV, NV12, YU12".to_owned());
    }
    Ok(())
}

/// All video nodes under `root`, those with lasting names first, then by number.
pub(crate) fn find(root: &Root) -> Vec<Found> {
    let links: Vec<(PathBuf, PathBuf)> =
        ["/dev/v4l/by-id", "/dev/v4l/by-path"].iter().flat_map(|folder| links(root, folder)).collect();
    let mut found: Vec<(u32, Found)> =
        numbered(root).into_iter().map(|(number, path)| (number, look(path, &links))).collect();
    let rank = |name: Option<&PathBuf>| match name {
        Some(name) if name.starts_with(root.join("/dev/v4l/by-id")) => 0,
        Some(_) => 1,
        None => 2,
    };
    found.sort_by_key(|(number, found)| (rank(found.names.first()), found.names.first().cloned(), *number));
    found.into_iter().map(|(_, found)| found).collect()
}

/// The links of a folder, by name, each with the node that it leads to.
fn links(root: &Root, folder: &str) -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Vec::new() };
    let mut links: Vec<(PathBuf, PathBuf)> =
        entries.flatten().filter_map(|entry| Some((entry.path(), fs::canonicalize(entry.path()).ok()?))).collect();
    links.sort();
    links
}

fn numbered(root: &Root) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(root.join("/dev")) else { return Vec::new() };
    let mut nodes: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes
}

fn look(path: PathBuf, links: &[(PathBuf, PathBuf)]) -> Found {
    let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let names = links.iter().filter(|(_, node)| *node == real).map(|(name, _)| name.clone()).collect();
    let asked = Node::open(&path).and_then(|node| Ok((node.capability()?, node)));
    match asked {
        Ok((capability, node)) => {
            let offers = offers(&node);
            let formats: Vec<CameraFormat> = offers.iter().map(|offer| offer.format).collect();
            let unusable = judge(&capability, &formats).err();
            Found { path, names, capability, formats, offers, unusable, error: None }
        }
        Err(error) => {
            let unusable = Some(explain(&path, &error));
            let (formats, offers) = (Vec::new(), Vec::new());
            let capability = Capability::default();
            Found { path, names, capability, formats, offers, unusable, error: error.raw_os_error() }
        }
    }
}

/// What an open node offers of our formats.
pub(super) fn offers(node: &Node) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for fourcc in node.formats() {
        if let Some(format) = CameraFormat::of(fourcc)
            && !offers.iter().any(|offer| offer.format == format)
        {
            offers.push(Offer { format, sizes: node.sizes(fourcc) });
        }
    }
    offers
}

/// What an error of a node means for people, and what to do.
pub(super) fn explain(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            format!("{path} may not be opened ({error}); put the user into the group `video`")
        }
        Some(libc::EBUSY) => {
            format!("{path} is used by another program ({error}); stop that one, `fuser -v {path}` names it")
        }
        Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) => {
            format!("{path} is gone ({error}); plug the camera in again, it is found by itself")
        }
        Some(libc::ENOTTY) => format!("{path} is no video device ({error}); `clawdbot devices` lists the cameras"),
        Some(libc::ENOSPC) => format!(
            "{path} gets no room on the USB bus ({error}): the USB bandwidth is taken by another device; use `format = \"mjpg\"`, \
             a smaller size, or another USB port"
        ),
        Some(libc::EIO | libc::EPROTO | libc::EPIPE) => {
            format!("{path} failed ({error}); check its cable and power supply, it is opened anew")
        }
        _ => format!("{path} failed ({error}); it is opened anew, check its cable if it goes on"),
    }
}

#[cfg(test)]
mod tests;
