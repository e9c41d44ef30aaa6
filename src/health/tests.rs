use std::os::unix::net::UnixDatagram;
use std::process::Command;

use clawdbot_flow::clock::{ManualClock, SystemClock, Wall};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_watchdog_is_fed_only_while_every_stage_beats() {
    let clock = Arc::new(ManualClock::new(Wall::default()));
    let heartbeats = Heartbeats::new(clock.clone());
    let camera = heartbeats.register("camera/front", 3 * SECOND);
    let detector = heartbeats.register("detector", 5 * SECOND);
    let mut fed = 0;
    let mut supervisor = Supervisor::new(true, |states: &[NotifyState<'_>]| {
        assert!(matches!(states, [NotifyState::Watchdog]));
        fed += 1;
        Ok(())
    });
    let mut look = || supervisor.look(&heartbeats.at(clock.monotonic()));
    look();
    clock.advance(3 * SECOND);
    camera.beat();
    look();
    clock.advance(3 * SECOND);
    look(); // the detector has been silent for 6 s
    detector.beat();
    look();
    clock.advance(SECOND);
    look(); // the camera has been silent for 4 s
    camera.beat();
    look();
    assert_eq!(fed, 4);
}

#[test]
fn without_a_watchdog_nobody_is_told() {
    let mut supervisor = Supervisor::new(false, |_: &[NotifyState<'_>]| panic!("nobody asked"));
    supervisor.look(&[]);
}

#[test]
fn vitals_come_from_proc_and_are_absent_where_it_is_silent() {
    let clock = ManualClock::new(Wall::default());
    let heartbeats = Heartbeats::new(Arc::new(SystemClock::new()));
    clock.advance(5 * SECOND);
    let board = tempfile::tempdir().unwrap();
    let root = Root::new(board.path());
    assert_eq!(Vitals::read(&heartbeats, &clock, &root).resident_bytes, None);
    fs::create_dir_all(root.join("/proc/self")).unwrap();
    fs::write(root.join("/proc/self/status"), "Name:\tclawdbot\nVmRSS:\t   20480 kB\nThreads:\t4\n").unwrap();
    let vitals = Vitals::read(&heartbeats, &clock, &root);
    assert_eq!((vitals.uptime, vitals.resident_bytes), (5 * SECOND, Some(20_480 * 1024)));
    assert!(vitals.alive());
    let here = Vitals::read(&heartbeats, &clock, &Root::default()).resident_bytes.unwrap();
    assert!(here > 1024 * 1024, "a test process has more than a mebibyte, not {here}");
}

/// The child that the test below starts with a notification socket of its own.
#[test]
#[ignore = "run by systemd_hears_of_start_life_and_stop"]
fn speaks_to_systemd() {
    ready("2 cameras");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let heartbeats = Arc::new(Heartbeats::new(Arc::clone(&clock)));
        let _endless = tokio::time::timeout(SECOND / 2, supervise(heartbeats, clock)).await;
    });
    stopping();
}

#[test]
fn systemd_hears_of_start_life_and_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "health::tests::speaks_to_systemd", "--ignored"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    socket.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 256];
    while let Ok(bytes) = socket.recv(&mut buffer) {
        heard.push(String::from_utf8_lossy(&buffer[..bytes]).into_owned());
    }
    assert_eq!(heard.first().map(String::as_str), Some("READY=1\nSTATUS=2 cameras\n"));
    assert_eq!(heard.last().map(String::as_str), Some("STOPPING=1\nSTATUS=stopping\n"));
    let between = &heard[1..heard.len() - 1];
    assert!(!between.is_empty() && between.iter().all(|text| text == "WATCHDOG=1\n"), "{heard:?}");
}
