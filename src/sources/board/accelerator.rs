//! Which accelerators the kernel shows. Detection only: clawdbot computes on the processor, and says what else is there.

use std::fs;
use std::path::PathBuf;

use clawdbot_flow::rooted::Root;

/// An accelerator, or what leads to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accelerator {
    /// What it is: `GPU`, `Hailo NPU` …
    pub(crate) kind: &'static str,
    /// The node or file that shows it.
    pub(crate) path: PathBuf,
    /// The driver behind it, if the kernel names one.
    pub(crate) driver: Option<String>,
}

/// Folder, how names in it begin, and what they stand for.
const SIGNS: [(&str, &str, &str); 7] = [
    ("/dev/dri", "renderD", "GPU"),
    ("/dev", "hailo", "Hailo NPU"),
    ("/dev", "apex_", "Coral Edge TPU"),
    ("/dev", "rknpu", "Rockchip NPU"),
    ("/dev/accel", "accel", "NPU"),
    ("/usr/share/vulkan/icd.d", "", "Vulkan driver"),
    ("/etc/vulkan/icd.d", "", "Vulkan driver"),
];

/// What is there, in the order of the table, by name.
pub(crate) fn find(root: &Root) -> Vec<Accelerator> {
    let mut found = Vec::new();
    for (folder, beginning, kind) in SIGNS {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(beginning))
            .collect();
        names.sort();
        found.extend(names.into_iter().map(|name| Accelerator {
            kind,
            path: PathBuf::from(folder).join(&name),
            driver: driver(root, folder, &name),
        }));
    }
    found
}

/// The driver of a node, by the link that the kernel keeps beside its class entry.
fn driver(root: &Root, folder: &str, name: &str) -> Option<String> {
    let class = match folder {
        "/dev/dri" => "drm",
        "/dev/accel" => "accel",
        _ => return None,
    };
    let link = fs::read_link(root.join(format!("/sys/class/{class}/{name}/device/driver"))).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}
