use super::*;

#[test]
fn an_event_is_a_line_that_a_person_reads() {
    let payload = br#"{"v":1,"type":"camera_event","data":{"change":"new","object":3,"label":"Person","score":0.871,
        "box":{"left":0.1,"top":0.2,"right":0.5,"bottom":1.0},"frame":7}}"#;
    let line = line("camera/clip/event", payload).expect("events are shown");
    assert_eq!(line, "camera/clip/event  new  Person #3  score 0.87  box (0.10, 0.20)-(0.50, 1.00)");
}

#[test]
fn plain_text_is_shown_and_long_reports_are_not() {
    assert_eq!(line("status", b"online").as_deref(), Some("status  online"));
    assert_eq!(line("health", br#"{"type":"health","data":{}}"#), None);
}

#[test]
fn another_programs_message_is_shown_as_far_as_it_goes() {
    assert_eq!(
        line("camera/a/event", br#"{"type":"camera_event"}"#).as_deref(),
        Some("camera/a/event  ?    ? #null  score 0.00  box (0.00, 0.00)-(0.00, 0.00)")
    );
    assert_eq!(line("x", &[0xff]).as_deref(), Some("x  \u{fffd}"));
}
