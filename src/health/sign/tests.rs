use super::super::Heartbeat;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A board that has been up for `uptime`, as /proc says it, and a runtime folder.
fn board(uptime: &str) -> (tempfile::TempDir, Root, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    fs::create_dir_all(root.join("/proc")).unwrap();
    fs::write(root.join("/proc/uptime"), uptime).unwrap();
    let runtime = folder.path().join("run");
    fs::create_dir_all(&runtime).unwrap();
    (folder, root, runtime)
}

fn vitals(silent: Duration) -> Vitals {
    let heartbeat = Heartbeat { name: "camera/front".to_owned(), silent, silent_max: 6 * SECOND };
    Vitals { uptime: 61 * SECOND, resident_bytes: Some(4096), heartbeats: vec![heartbeat] }
}

#[test]
fn a_daemon_that_moves_is_well() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(SECOND));
    fs::write(root.join("/proc/uptime"), "119.50 60.00\n").unwrap();
    let sign = Sign::read(&runtime, &root).unwrap();
    assert_eq!((sign.uptime_s, sign.process, sign.resident_bytes), (61, std::process::id(), Some(4096)));
    assert_eq!(sign.stages, [Stage { name: "camera/front".to_owned(), silent_ms: 1000, silent_ms_max: 6000 }]);
    assert!(!runtime.join("health.json.new").exists());
}

#[test]
fn a_daemon_that_has_parted_leaves_no_sign() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(SECOND));
    drop(life);
    assert!(matches!(Sign::read(&runtime, &root), Err(Unwell::Absent(folder)) if folder == runtime));
}

#[test]
fn a_sign_that_nobody_stands_behind_is_a_killed_daemon_s() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(SECOND));
    let left = fs::read(runtime.join(SIGN)).unwrap();
    drop(life);
    fs::write(runtime.join(SIGN), left).unwrap();
    assert!(matches!(Sign::read(&runtime, &root), Err(Unwell::Gone(process)) if process == std::process::id()));
    fs::remove_file(runtime.join(LOCK)).unwrap();
    assert!(matches!(Sign::read(&runtime, &root), Err(Unwell::Gone(_))));
}

#[test]
fn an_old_sign_is_a_daemon_that_hangs() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(SECOND));
    fs::write(root.join("/proc/uptime"), "121.00 60.00\n").unwrap();
    let error = Sign::read(&runtime, &root).unwrap_err();
    assert!(error.to_string().contains("21 s ago, and 20 s are allowed"), "{error}");
}

#[test]
fn a_stage_that_hangs_is_named() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(9 * SECOND));
    let error = Sign::read(&runtime, &root).unwrap_err();
    assert!(error.to_string().contains("camera/front has not moved for 9 s, and 6 s are allowed"), "{error}");
}

#[test]
fn a_board_without_an_uptime_is_judged_by_the_rest() {
    let (_folder, root, runtime) = board("unknown");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(SECOND));
    assert_eq!(Sign::read(&runtime, &root).unwrap().board_uptime_s, None);
}

#[test]
fn a_second_daemon_leaves_the_first_one_s_sign_alone() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    life.renew(&vitals(SECOND));
    assert!(SignOfLife::begin(&runtime, &root).is_none());
    assert!(Sign::read(&runtime, &root).is_ok());
}

#[test]
fn a_folder_that_is_not_there_and_a_strange_file_are_told() {
    let (_folder, root, runtime) = board("100.00 50.00\n");
    assert!(SignOfLife::begin(&runtime.join("gone"), &root).is_none());
    let life = SignOfLife::begin(&runtime, &root).unwrap();
    fs::write(runtime.join(SIGN), "{\"version\":1}").unwrap();
    assert!(matches!(Sign::read(&runtime, &root), Err(Unwell::Strange(..))));
    drop(life);
}
