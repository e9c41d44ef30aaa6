use std::time::Duration;

use super::Stop;

#[test]
fn a_pause_ends_when_its_time_is_over() {
    assert!(!Stop::new().wait(Duration::from_millis(1)));
}

#[test]
fn a_request_wakes_whoever_waits() {
    let stop = Stop::new();
    let waiting = stop.clone();
    let waiter = std::thread::spawn(move || waiting.wait(Duration::from_secs(600)));
    stop.request();
    assert!(waiter.join().unwrap());
    assert!(stop.is_requested() && stop.wait(Duration::from_secs(600)));
}
