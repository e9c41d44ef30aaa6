use std::fs;
use std::path::Path;

use clawdbot_flow::rooted::Root;

use super::{accelerator, cpu_features, model};

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_board_that_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    assert_eq!(model(&root), None);
    assert!(cpu_features(&root).is_empty() && accelerator::find(&root).is_empty());
}

#[test]
fn a_raspberry_pi_with_a_hailo() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0");
    put(folder.path(), "proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimddp\n");
    put(folder.path(), "dev/hailo0", "");
    put(folder.path(), "dev/dri/renderD128", "");
    put(folder.path(), "dev/dri/card0", "");
    let device = folder.path().join("sys/class/drm/renderD128/device");
    fs::create_dir_all(&device).unwrap();
    std::os::unix::fs::symlink("../../bus/platform/drivers/v3d", device.join("driver")).unwrap();
    let root = Root::new(folder.path());
    assert_eq!(model(&root).as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
    assert_eq!(cpu_features(&root), ["fp", "asimd", "asimddp"]);
    let found: Vec<_> = accelerator::find(&root).into_iter().map(|found| (found.kind, found.driver)).collect();
    assert_eq!(found, [("GPU", Some("v3d".to_owned())), ("Hailo NPU", None)]);
}

#[test]
fn a_pc_says_it_by_dmi() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "sys/class/dmi/id/product_name", "N100\n");
    assert_eq!(model(&Root::new(folder.path())).as_deref(), Some("N100"));
    put(folder.path(), "sys/class/dmi/id/sys_vendor", "Maker\n");
    assert_eq!(model(&Root::new(folder.path())).as_deref(), Some("Maker N100"));
}
