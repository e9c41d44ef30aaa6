use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use clawdbot_flow::clock::{ManualClock, SystemClock, Wall};
use clawdbot_flow::reading::Reading;
use clawdbot_flow::rooted::Root;

use super::{Lent, Sensor, State, run};
use crate::sources::sensor::{Kind, Options};
use crate::sources::stop::Stop;

fn options(id: &str, chip: &str) -> Options {
    Options {
        id: id.to_owned(),
        kind: Kind::Hwmon { chip: chip.to_owned(), channel: "temp1".to_owned() },
        unit: "°C".to_owned(),
        interval: Duration::from_millis(5),
        interval_max: Duration::from_secs(60),
        dead_band: 0.5,
    }
}

#[test]
fn a_poll_reads_when_due_and_keeps_what_it_saw() {
    let (clock, state, options) = (ManualClock::new(Wall::default()), State::new(), options("soc", "chip"));
    let mut sensor = Sensor::new(&options);
    let reading = sensor.poll(&clock, &state, |_| Ok(40.0)).unwrap();
    assert_eq!((reading.sensor.as_str(), reading.value, reading.unit.as_str()), ("soc", 40.0, "°C"));
    assert!(sensor.poll(&clock, &state, |_| panic!("it is not due")).is_none());
    clock.advance(Duration::from_millis(5));
    assert!(sensor.poll(&clock, &state, |_| Err("it is broken".to_owned())).is_none());
    let snapshot = state.snapshot();
    assert_eq!((snapshot.value, snapshot.absent_reason.as_deref()), (None, Some("it is broken")));
    assert_eq!((snapshot.reads, snapshot.failures), (1, 1));
    clock.advance(Duration::from_millis(5));
    assert_eq!(sensor.poll(&clock, &state, |_| Ok(40.0)).unwrap().value, 40.0);
    assert_eq!(state.snapshot().absent_reason, None);
}

/// A zone that vanishes while the thread runs, beside one that stays and one that never was.
#[test]
fn one_thread_reads_them_all_and_none_harms_the_others() {
    let board = tempfile::tempdir().unwrap();
    for (number, chip) in [(0, "stays"), (1, "vanishes")] {
        let folder = board.path().join(format!("sys/class/hwmon/hwmon{number}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), format!("{chip}\n")).unwrap();
        fs::write(folder.join("temp1_input"), "40000\n").unwrap();
    }
    let sensors = [options("a", "stays"), options("b", "vanishes"), options("c", "never")];
    let states = [State::new(), State::new(), State::new()];
    let (clock, stop, root) = (SystemClock::new(), Stop::new(), Root::new(board.path()));
    let (readings, beats) = (Mutex::new(Vec::<Reading>::new()), Mutex::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let report = |reading| readings.lock().unwrap().push(reading);
            let heartbeat = || *beats.lock().unwrap() += 1;
            let lent = Lent {
                clock: &clock,
                stop: &stop,
                root: &root,
                states: &states,
                report: &report,
                heartbeat: &heartbeat,
            };
            run(&sensors, &lent);
        });
        while states[1].snapshot().value.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        fs::remove_dir_all(board.path().join("sys/class/hwmon/hwmon1")).unwrap();
        while states[1].snapshot().absent_reason.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.request();
    });
    assert_eq!(states[0].snapshot().value, Some(40.0));
    assert_eq!(states[1].snapshot().value, None);
    assert!(states[2].snapshot().absent_reason.is_some_and(|reason| reason.contains("`never`")));
    let told: Vec<String> = readings.into_inner().unwrap().into_iter().map(|reading| reading.sensor).collect();
    assert_eq!(told, ["a", "b"], "each is told once: it did not move");
    assert!(beats.into_inner().unwrap() > 0);
}
