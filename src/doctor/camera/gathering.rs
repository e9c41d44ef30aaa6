//! What is known of the cameras: the configuration's wishes, and the nodes that the daemon would find for them.

use super::{CameraReading, Node, Source};
use crate::config::{Cameras, Config};
use crate::doctor::configuration::Configuration;
use crate::doctor::machine::Machine;
use crate::doctor::processes::Processes;
use crate::sources::camera::{Device, Kind, Options, ReplaySource, V4l2Options};

/// The cameras; `None`: the configuration does not say.
pub(in crate::doctor) fn gather(
    machine: &Machine<'_>,
    configuration: &Configuration,
    processes: &Processes,
) -> Option<Vec<CameraReading>> {
    let config: &Config = configuration.config()?;
    let (cameras, is_optional) = match &config.cameras {
        Cameras::Listed(cameras) => (cameras.clone(), false),
        Cameras::FirstOrClip(camera) => (vec![camera.clone()], true),
    };
    let wanted: Vec<&V4l2Options> = cameras.iter().filter_map(device).collect();
    let mut nodes = nodes(machine, &wanted, processes).map(Vec::into_iter);
    let read = |camera: &Options| CameraReading {
        id: camera.id.clone(),
        frames_per_second: camera.frames_per_second,
        source: match &camera.kind {
            Kind::Replay(replay) => match &replay.source {
                ReplaySource::Path(path) => Source::Replay { is_there: path.exists(), path: Some(path.clone()) },
                ReplaySource::Bytes(_) => Source::Replay { is_there: true, path: None },
            },
            Kind::V4l2(options) => match nodes.as_mut().and_then(Iterator::next) {
                Some(nodes) => chosen(machine, &options.device, nodes, is_optional),
                None => Source::NotBuilt,
            },
        },
    };
    Some(cameras.iter().map(read).collect())
}

fn device(camera: &Options) -> Option<&V4l2Options> {
    match &camera.kind {
        Kind::V4l2(options) => Some(options),
        Kind::Replay(_) => None,
    }
}

/// The video nodes of the board, once for each of the `wanted` cameras; `None` in a build that knows none.
#[cfg(feature = "v4l2")]
fn nodes(machine: &Machine<'_>, wanted: &[&V4l2Options], processes: &Processes) -> Option<Vec<Vec<Node>>> {
    use std::path::Path;

    use crate::doctor::permission::Permission;
    use crate::sources::camera::v4l2::nodes::{Found, find};
    let on_board = |path: &Path| match path.strip_prefix(machine.root.join("/")) {
        Ok(below) => Path::new("/").join(below),
        Err(_) => path.to_owned(),
    };
    let node = |found: &Found, options: &V4l2Options| {
        let path = on_board(&found.path);
        let wish = found.wish(options);
        Node {
            names: found.names.iter().map(|name| on_board(name)).collect(),
            card: found.card().to_owned(),
            driver: found.driver().to_owned(),
            formats: found.formats.iter().map(|format| format.name()).collect(),
            unusable: found.unusable.clone(),
            error: found.error,
            permission: Permission::gather(machine, &path),
            holder: processes.holder(&path),
            wish: wish.map(|wish| (format!("{} {}x{}", wish.format.name(), wish.width, wish.height), wish.frame_bytes)),
            path,
        }
    };
    let found = find(&machine.root);
    Some(wanted.iter().map(|options| found.iter().map(|found| node(found, options)).collect()).collect())
}

/// This build has no V4L2.
#[cfg(not(feature = "v4l2"))]
fn nodes(_machine: &Machine<'_>, _wanted: &[&V4l2Options], _processes: &Processes) -> Option<Vec<Vec<Node>>> {
    None
}

/// The node that the daemon would take of `nodes`, which are in its order.
fn chosen(machine: &Machine<'_>, device: &Device, nodes: Vec<Node>, is_optional: bool) -> Source {
    let is_forbidden = |node: &Node| matches!(node.error, Some(libc::EACCES | libc::EPERM));
    let (wanted, at) = match device {
        Device::Auto => {
            let usable = nodes.iter().position(|node| node.unusable.is_none());
            ("auto".to_owned(), usable.or_else(|| nodes.iter().position(is_forbidden)))
        }
        Device::Path(path) => {
            let real = std::fs::canonicalize(machine.root.join(path)).ok();
            let is_it = |node: &Node| {
                node.path == *path
                    || node.names.contains(path)
                    || real.is_some() && std::fs::canonicalize(machine.root.join(&node.path)).ok() == real
            };
            (path.display().to_string(), nodes.iter().position(is_it))
        }
    };
    let passed = nodes.iter().filter_map(|node| node.unusable.clone()).collect();
    Source::Device { wanted, is_optional, node: at.and_then(|at| nodes.into_iter().nth(at)).map(Box::new), passed }
}
