#[path = "../../../tests/it/schema.rs"]
mod schema;
mod schemas;

use clawdbot_flow::answer::{AnswerCost, AnswerEnd};
use clawdbot_flow::clock::ManualClock;
use clawdbot_flow::detection::BoundingBox;
use clawdbot_flow::event::{CameraEvent, Change, ObjectEvent};
use clawdbot_flow::reading::Reading;
use serde_json::{Value, json};

use super::*;

const WALL: Wall = Wall::from_epoch(Duration::from_millis(1_795_570_691_042));

fn board() -> tempfile::TempDir {
    let board = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = Root::new(board.path()).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("/proc/sys/kernel/random/boot_id", "0f5ec81b-5e1c-4a5e-9c52-7d0f6b1f3f11\n");
    write("/proc/uptime", "100.50 300.00\n");
    board
}

fn composer(board: &tempfile::TempDir) -> (Composer, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(WALL));
    let topics = Topics::new("clawdbot/v1", "porch");
    let composer = Composer::new(topics, clock.clone(), &Root::new(board.path()), 7);
    (composer.with_model(Some("ssd-mobilenet-v2-oid".to_owned())), clock)
}

fn object(change: Change) -> Event {
    Event::Object(ObjectEvent {
        camera: "front".to_owned(),
        change,
        object: 3,
        label: "person".to_owned(),
        score: 0.871_23,
        bounding_box: BoundingBox { left: -0.1, top: 0.25, right: 0.333_333, bottom: 1.0 },
        captured_at: Monotonic::from_origin(Duration::from_millis(2_000)),
        captured_wall: WALL,
        frame_sequence: 41,
        latency_ms: 63.26,
    })
}

fn camera(online: bool) -> Event {
    Event::Camera(CameraEvent {
        camera: "front".to_owned(),
        online,
        reason: (!online).then(|| "the camera does not answer: check its cable".to_owned()),
        at: Monotonic::from_origin(Duration::ZERO),
        at_wall: WALL,
    })
}

fn reading(value: f64) -> Event {
    Event::Reading(Reading {
        sensor: "cpu".to_owned(),
        value,
        unit: "°C".to_owned(),
        read_at: Monotonic::from_origin(Duration::ZERO),
        read_wall: WALL,
    })
}

fn json_of(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).unwrap()
}

#[test]
fn an_object_event_says_what_where_and_when() {
    let board = board();
    let (composer, _) = composer(&board);
    let message = composer.event(&object(Change::New));
    assert_eq!(message.topic, "clawdbot/v1/porch/camera/front/event");
    assert_eq!(message.kind, Kind::Event);
    let mut value = json_of(&message);
    let id = value["id"].take();
    assert_eq!(id.as_str().unwrap().len(), 26);
    assert!(matches!(value["clock"].take().as_str(), Some("ntp" | "rtc" | "unsynced")));
    assert_eq!(
        value,
        json!({
            "v": 1, "type": "camera_event", "id": null, "node": "porch", "src": "camera/front", "seq": 0,
            "ts": "2026-11-25T01:38:11.042Z", "clock": null, "boot": "0f5ec81b-5e1c-4a5e-9c52-7d0f6b1f3f11",
            "mono_ms": 102_500, "lat_ms": 63.3, "model": "ssd-mobilenet-v2-oid",
            "data": {
                "change": "new", "object": 3, "label": "person", "score": 0.871, "frame": 41,
                "box": {"left": 0.0, "top": 0.25, "right": 0.3333, "bottom": 1.0},
            },
        })
    );
}

#[test]
fn what_is_unknown_is_absent() {
    let empty = tempfile::tempdir().unwrap();
    let (composer, _) = composer(&empty);
    let value = json_of(&composer.event(&camera(true)));
    let fields = value.as_object().unwrap();
    assert!(!fields.contains_key("boot") && !fields.contains_key("lat_ms") && !fields.contains_key("energy_j"));
    assert_eq!(value["data"], json!({"state": "online"}));
    assert_eq!(json_of(&composer.event(&reading(f64::NAN)))["data"], json!({"unit": "°C"}));
}

#[test]
fn sequences_count_each_source_and_type_apart() {
    let board = board();
    let (composer, _) = composer(&board);
    let sequence = |event: &Event| json_of(&composer.event(event))["seq"].as_u64().unwrap();
    assert_eq!(sequence(&object(Change::New)), 0);
    assert_eq!(sequence(&camera(false)), 0);
    assert_eq!(sequence(&object(Change::End)), 1);
    assert_eq!(sequence(&reading(41.5)), 0);
    assert_eq!(sequence(&object(Change::Gap)), 2);
}

#[test]
fn ids_grow_even_when_the_clock_is_set_back() {
    let mut ids = Ids::new(1);
    let walls = [5_000, 5_000, 4_000, 6_000, 6_000, 0];
    let ids: Vec<String> = walls.map(|at| ids.next(Wall::from_epoch(Duration::from_millis(at)))).to_vec();
    assert!(ids.is_sorted_by(|earlier, later| earlier < later), "{ids:?}");
}
