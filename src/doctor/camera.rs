//! The cameras of the configuration: there, of use, free, and open to the service.

mod gathering;

use std::path::PathBuf;

pub(super) use self::gathering::gather;
use super::configuration::Configuration;
use super::finding::{Check, Finding};
use super::permission::{GROUP, Permission};
use super::processes::Holder;

/// One camera of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CameraReading {
    pub(super) id: String,
    pub(super) source: Source,
    pub(super) frames_per_second: f64,
}

/// Where its frames come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// Files; `None`: those that come with the program.
    Replay { path: Option<PathBuf>, is_there: bool },
    /// A device.
    Device {
        /// As the configuration names it.
        wanted: String,
        /// Whether the bundled clip stands in when there is none.
        is_optional: bool,
        /// The device.
        node: Option<Box<Node>>,
        /// Why others are passed over.
        passed: Vec<String>,
    },
    /// A device, but this build can't speak to any.
    NotBuilt,
}

/// A video node as the daemon would find it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// `/dev/video0`.
    pub(super) path: PathBuf,
    /// Its lasting names, the best first.
    pub(super) names: Vec<PathBuf>,
    pub(super) card: String,
    pub(super) driver: String,
    pub(super) formats: Vec<&'static str>,
    /// Why it can't be used.
    pub(super) unusable: Option<String>,
    /// The system's number for that.
    pub(super) error: Option<i32>,
    pub(super) permission: Option<Permission>,
    pub(super) holder: Holder,
    /// Format, size, and bytes of a frame that the daemon would ask for.
    pub(super) wish: Option<(String, u64)>,
}

pub(super) fn judge(cameras: &Option<Vec<CameraReading>>) -> Vec<Finding> {
    match cameras.as_deref() {
        None => vec![Configuration::missing(Check::Camera)],
        Some([]) => vec![Finding::ok(Check::Camera, "the configuration has none")],
        Some(cameras) => cameras.iter().map(|camera| judge_source(&camera.source).about(&camera.id)).collect(),
    }
}

fn judge_source(source: &Source) -> Finding {
    let check = Check::Camera;
    match source {
        Source::NotBuilt => Finding::unknown(
            check,
            "this build speaks to no camera (feature `v4l2`)",
            "take a build with the feature, or replay files with `source = \"replay\"`",
        ),
        Source::Replay { path: None, .. } => Finding::ok(check, "the bundled clip is replayed"),
        Source::Replay { path: Some(path), is_there: true } => {
            Finding::ok(check, format!("{} is replayed", path.display()))
        }
        Source::Replay { path: Some(path), is_there: false } => Finding::problem(
            check,
            format!("{} is to be replayed and is not there", path.display()),
            "put the file there, or correct `path`",
        ),
        Source::Device { node: Some(node), wanted, .. } => judge_node(node, wanted),
        Source::Device { node: None, is_optional: true, passed, .. } => Finding::note(
            check,
            format!("there is none that can be used{}, so the bundled clip stands in", among(passed)),
            "plug a USB camera in; `clawdbot devices` says why others are passed over",
        ),
        Source::Device { node: None, wanted, passed, .. } if wanted == "auto" => Finding::problem(
            check,
            format!("there is none that can be used{}", among(passed)),
            "plug a USB camera in; `clawdbot devices` says why others are passed over",
        ),
        Source::Device { node: None, wanted, .. } => Finding::problem(
            check,
            format!("{wanted} is not there"),
            "plug it in, or take a name that `clawdbot devices` lists",
        ),
    }
}

fn among(passed: &[String]) -> String {
    match passed {
        [] => String::new(),
        [one] => format!(" ({one})"),
        several => format!(" among {} video devices", several.len()),
    }
}

fn judge_node(node: &Node, wanted: &str) -> Finding {
    let check = Check::Camera;
    let path = node.path.display();
    let admits = node.permission.as_ref().map(Permission::admits_the_service);
    if admits == Some(false) {
        let Permission { mode, group } =
            node.permission.clone().unwrap_or(Permission { mode: 0, group: String::new() });
        return Finding::problem(
            check,
            format!("{path} is open to group {group} with mode {mode:03o}, and so not to the service"),
            format!(
                "put `SUBSYSTEM==\"video4linux\", GROUP=\"{GROUP}\", MODE=\"0660\"` into \
                 /etc/udev/rules.d/60-camera.rules and plug it in again"
            ),
        );
    }
    match (&node.unusable, node.error) {
        (Some(_), Some(libc::EACCES | libc::EPERM)) => Finding::unknown(
            check,
            format!("{path} may not be opened by this user; the service's group `{GROUP}` may"),
            "run `sudo clawdbot doctor`",
        ),
        (Some(_), Some(libc::EBUSY)) if node.holder == Holder::Daemon => {
            Finding::ok(check, format!("{path} is in use by clawdbot"))
        }
        (Some(reason), _) => Finding::problem(check, reason, "`clawdbot devices` lists what else is there"),
        (None, _) => judge_usable(node, wanted),
    }
}

fn judge_usable(node: &Node, wanted: &str) -> Finding {
    let check = Check::Camera;
    let path = node.path.display();
    let name = node.names.first().unwrap_or(&node.path).display();
    let mut seen = format!("{} at {name} ({}): {}", node.card, node.driver, node.formats.join(", "));
    if let Some((wish, _)) = &node.wish {
        seen += &format!("; {wish} will be asked for");
    }
    match &node.holder {
        Holder::Other(program, number) => Finding::warning(
            check,
            format!("{seen}; {program} (process {number}) has it open"),
            format!("stop that program, or give it another camera: only one can catch frames from {path}"),
        ),
        Holder::Hidden => Finding::note(
            check,
            format!("{seen}; whether another program has it open does not show"),
            "run `sudo clawdbot doctor`, which sees all programs",
        ),
        _ if wanted.starts_with("/dev/video") && !node.names.is_empty() => Finding::note(
            check,
            format!("{seen}; it is named by its number, which changes"),
            format!("write `device = \"{name}\"`"),
        ),
        Holder::Daemon => Finding::ok(check, format!("{seen}; clawdbot has it open")),
        Holder::Nobody => Finding::ok(check, seen),
    }
}

#[cfg(test)]
mod tests;
