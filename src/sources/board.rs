//! The board itself: what it is, and what it could compute on.

pub(crate) mod accelerator;

use std::fs;

use clawdbot_flow::rooted::Root;

/// What the board calls itself; `None` when it does not say. From the device tree on ARM boards, from DMI on PCs.
pub(crate) fn model(root: &Root) -> Option<String> {
    let device_tree = read(root, "/proc/device-tree/model");
    device_tree.or_else(|| {
        let vendor = read(root, "/sys/class/dmi/id/sys_vendor");
        let product = read(root, "/sys/class/dmi/id/product_name")?;
        Some(vendor.map_or_else(|| product.clone(), |vendor| format!("{vendor} {product}")))
    })
}

/// What the processor can do, as the kernel lists it for its first core; empty when it does not say.
pub(crate) fn cpu_features(root: &Root) -> Vec<String> {
    let text = fs::read_to_string(root.join("/proc/cpuinfo")).unwrap_or_default();
    let features = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        matches!(name.trim(), "Features" | "flags").then_some(value)
    });
    features.map(|value| value.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// The text of a small file, without the zero byte that ends device tree properties.
fn read(root: &Root, path: &str) -> Option<String> {
    let bytes = fs::read(root.join(path)).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim_end_matches('\0').trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
