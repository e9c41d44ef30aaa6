//! Every builder's output against the published schemas, and messages that must not pass.

use super::super::super::link::LinkState;
use super::schema::{assert_valid, check};
use super::*;

fn assert_message(message: &Message) {
    assert_valid(&message.topic, &message.payload);
}

fn info() -> InfoReport {
    InfoReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        board: Some("Raspberry Pi 5 Model B Rev 1.0".to_owned()),
        cpu_features: vec!["neon".to_owned(), "dotprod".to_owned()],
        isa: "neon_dotprod".to_owned(),
        compute_threads: 3,
        model: Some(ModelInfo {
            name: "ssd-mobilenet-v2-oid".to_owned(),
            licence: Some("Apache-2.0".to_owned()),
            labels: 601,
        }),
        language_models: vec![LanguageModelInfo {
            name: "SmolLM2 135M".to_owned(),
            precision: "int4",
            bytes: 92_000_000,
            context: Some(2048),
        }],
        cameras: BTreeMap::from([(
            "front".to_owned(),
            CameraInfo { name: "Front door".to_owned(), source: "v4l2".to_owned() },
        )]),
        sensors: vec!["cpu".to_owned()],
    }
}

fn health(link: &LinkState) -> HealthReport {
    HealthReport {
        uptime_s: 61,
        resident_bytes: Some(50_000_000),
        alive: true,
        heartbeats: BTreeMap::from([(
            "camera/front".to_owned(),
            HeartbeatReport { silent_ms: 12, silent_ms_max: 3_000 },
        )]),
        mqtt: LinkHealth::new(link, Monotonic::from_origin(Duration::from_secs(61))),
        cameras: BTreeMap::from([(
            "front".to_owned(),
            CameraHealth { online: false, reason: Some("no frame for 3 s".to_owned()), frames: 7, dropped: 1 },
        )]),
        sensors: BTreeMap::from([(
            "soc".to_owned(),
            SensorHealth { value: None, reason: Some("the chip is gone".to_owned()), reads: 3, failures: 1 },
        )]),
        detector: Some(DetectorHealth { frames: 7, failed: 0 }),
    }
}

fn stats() -> StatsReport {
    StatsReport {
        interval_s: 10.0,
        cameras: BTreeMap::from([(
            "front".to_owned(),
            CameraStats {
                seen_fps: 14.9,
                detected_fps: 9.7,
                dropped: 52,
                latency_ms_mean: Some(63.1),
                latency_ms_max: Some(90.5),
            },
        )]),
        detector: Some(DetectorStats { inferences: 97, inference_ms_mean: Some(41.0), inference_ms_max: Some(55.5) }),
        language: Some(LanguageStats {
            frames_held: 40,
            frame_wait_ms_p50: Some(0.9),
            frame_wait_ms_p99: Some(1.8),
            frame_wait_ms_max: Some(2.1),
        }),
    }
}

fn connected() -> LinkState {
    LinkState { connected_since: Some(Monotonic::default()), attempts: 1, published: 9, ..LinkState::default() }
}

fn retrying() -> LinkState {
    LinkState {
        attempts: 4,
        last_error: Some("cannot reach the MQTT broker at localhost:1883".to_owned()),
        next_retry: Some(Monotonic::from_origin(Duration::from_secs(65))),
        ..LinkState::default()
    }
}

#[test]
fn every_message_is_what_its_schema_says() {
    let board = board();
    let (composer, _) = composer(&board);
    for change in [Change::New, Change::End, Change::Gap] {
        assert_message(&composer.event(&object(change)));
    }
    for online in [true, false] {
        assert_message(&composer.event(&camera(online)));
    }
    assert_message(&composer.event(&reading(41.5)));
    assert_message(&composer.camera_state("front", &BTreeMap::from([("person".to_owned(), 2)])));
    assert_message(&composer.camera_state("front", &BTreeMap::new()));
    assert_message(&composer.info(&info()));
    assert_message(&composer.info(&InfoReport { board: None, model: None, language_models: Vec::new(), ..info() }));
    for (precision, context) in [("f16", None), ("int8", Some(1)), ("mixed", Some(4096))] {
        let model = LanguageModelInfo { name: "a".to_owned(), precision, bytes: 1, context };
        assert_message(&composer.info(&InfoReport { language_models: vec![model.clone(), model], ..info() }));
    }
    assert_message(&composer.health(&health(&connected())));
    assert_message(&composer.health(&health(&retrying())));
    assert_message(&composer.health(&HealthReport { resident_bytes: None, detector: None, ..health(&connected()) }));
    assert_message(&composer.stats(&stats()));
    assert_message(&composer.stats(&StatsReport { detector: None, language: None, ..stats() }));
    let at_rest =
        LanguageStats { frames_held: 0, frame_wait_ms_p50: None, frame_wait_ms_p99: None, frame_wait_ms_max: None };
    assert_message(&composer.stats(&StatsReport { language: Some(at_rest), ..stats() }));
    for status in [ONLINE, OFFLINE] {
        assert_valid(&composer.topics().status(), status.as_bytes());
    }
}

fn answer(asker: Asker, end: AnswerEnd, text: &str) -> Answer {
    let reason = (!matches!(end, AnswerEnd::Stop | AnswerEnd::Length)).then(|| "because".to_owned());
    let cost = AnswerCost {
        prompt_tokens: 12,
        reused_tokens: 3,
        answer_tokens: 5,
        passes: 4,
        first_token_ms: (!text.is_empty()).then_some(12.25),
        total_ms: 90.04,
    };
    Answer { asker, text: text.to_owned(), end, reason, by_schema: true, cost }
}

#[test]
fn the_language_model_s_messages_are_what_their_schemas_say() {
    let board = board();
    let (composer, _) = composer(&board);
    let client = || Asker::Client { client: "ha".to_owned(), id: "42".to_owned() };
    let ends = [
        AnswerEnd::Stop,
        AnswerEnd::Length,
        AnswerEnd::Deadline,
        AnswerEnd::Cancelled,
        AnswerEnd::Busy,
        AnswerEnd::Refused,
        AnswerEnd::Failed,
    ];
    for end in ends {
        for asker in [client(), Asker::Task("visitor".to_owned())] {
            for text in ["", "{\"urgent\":true}", "no JSON"] {
                assert_message(&composer.answer(Some("SmolLM2-135M"), &answer(asker.clone(), end, text)));
            }
        }
    }
    let by_schema = composer.answer(Some("SmolLM2-135M"), &answer(client(), AnswerEnd::Stop, "{\"urgent\":true}"));
    assert_eq!(by_schema.topic, "clawdbot/v1/porch/reply/ha/42");
    assert_eq!(json_of(&by_schema)["data"]["json"], json!({"urgent": true}));
    let nobody = composer.answer(None, &answer(client(), AnswerEnd::Refused, ""));
    assert_message(&nobody);
    assert!(json_of(&nobody).get("model").is_none());
    let cut = composer.answer(Some("SmolLM2-135M"), &answer(client(), AnswerEnd::Length, "{}"));
    assert!(json_of(&cut)["data"].get("json").is_none(), "what was cut short is no answer by the schema");
    assert_message(&composer.delta("SmolLM2-135M", ["ha", "42"], 0, "Hello \u{1f600}"));
    let unloaded = LanguageStatus {
        state: "unloaded",
        reason: None,
        weights_bytes: 1,
        cache_bytes: None,
        slots: 1,
        context: None,
        events_dropped: None,
        tasks: BTreeMap::new(),
    };
    assert_message(&composer.language_status("SmolLM2 135M", &unloaded));
    let tasks = [0, 17].map(|dropped| (format!("task-{dropped}"), TaskStatus { dropped }));
    let busy = LanguageStatus { events_dropped: Some(3), tasks: tasks.into(), ..unloaded.clone() };
    assert_message(&composer.language_status("SmolLM2 135M", &busy));
    let refused = LanguageStatus { state: "refused", reason: Some("no room".to_owned()), ..unloaded.clone() };
    assert_message(&composer.language_status("SmolLM2 135M", &refused));
    let ready = LanguageStatus { state: "ready", cache_bytes: Some(5), context: Some(512), ..unloaded };
    assert_message(&composer.language_status("SmolLM2 135M", &ready));
}

/// What the published schema of a question allows is understood, and what it forbids is refused.
#[test]
fn questions_are_what_their_schema_says() {
    let whole = json!({"client": "ha", "id": "42", "prompt": "Who?", "system": "Be short.", "max_tokens": 9, "temperature": 0.5,
        "top_k": 5, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.1, "seed": 7, "stop": ["x"], "deadline_ms": 5,
        "schema": {"type": "object"}, "priority": 255, "stream": true});
    let talk = json!({"client": "ha", "id": "42", "messages": [{"role": "user", "content": "Who?"}]});
    let raw = json!({"client": "ha", "id": "42", "prompt": "Once", "raw": true});
    let both = |question: &Value| {
        let payload = serde_json::to_vec(question).unwrap();
        let understood = command::parse("ask", &payload, Monotonic::default()).is_ok();
        (check("clawdbot/v1/porch/cmd/ask", &payload).is_ok(), understood)
    };
    for question in [&whole, &talk, &raw] {
        assert_eq!(both(question), (true, true), "{question}");
    }
    for (field, value) in [
        ("client", json!("HA")),
        ("client", json!("a".repeat(49))),
        ("id", json!("")),
        ("max_tokens", json!(0)),
        ("messages", json!([])),
        ("priority", json!(256)),
        ("deadline_ms", json!(0)),
        ("surprise", json!(1)),
    ] {
        let mut question = whole.clone();
        question[field] = value;
        assert_eq!(both(&question), (false, false), "{question}");
    }
}

#[test]
fn messages_of_a_machine_that_says_little_are_valid_too() {
    let board = tempfile::tempdir().unwrap();
    let (composer, _) = composer(&board);
    assert_message(&composer.with_model(None).event(&object(Change::New)));
}

#[test]
fn what_is_wrong_does_not_pass() {
    let board = board();
    let (composer, _) = composer(&board);
    let good = composer.event(&object(Change::New));
    let refused = |what: &str, spoil: &dyn Fn(&mut Value)| {
        let mut value = json_of(&good);
        spoil(&mut value);
        let payload = serde_json::to_vec(&value).unwrap();
        assert!(check(&good.topic, &payload).is_err(), "{what} passed: {value}");
    };
    let remove = |value: &mut Value, field: &str| value.as_object_mut().unwrap().remove(field).map(drop).unwrap();
    for field in ["v", "type", "id", "node", "src", "seq", "ts", "clock", "mono_ms", "data"] {
        refused(field, &|value| remove(value, field));
    }
    for field in ["change", "object", "label", "score", "box", "frame"] {
        refused(field, &|value| remove(&mut value["data"], field));
    }
    refused("another type", &|value| value["type"] = json!("camera_state"));
    refused("another version", &|value| value["v"] = json!(2));
    refused("an unknown field", &|value| value["surprise"] = json!(1));
    refused("an unknown field of data", &|value| value["data"]["surprise"] = json!(1));
    refused("an unknown field of the box", &|value| value["data"]["box"]["surprise"] = json!(1));
    refused("an unknown change", &|value| value["data"]["change"] = json!("moved"));
    refused("a score above one", &|value| value["data"]["score"] = json!(1.5));
    refused("a box outside the frame", &|value| value["data"]["box"]["left"] = json!(-0.1));
    refused("null for unknown", &|value| value["lat_ms"] = json!(null));
    refused("a time without a zone", &|value| value["ts"] = json!("2026-11-25T01:38:11.042"));
}

#[test]
fn topics_and_payloads_that_nobody_described_do_not_pass() {
    assert!(check("clawdbot/v1/porch/unheard", b"{}").is_err());
    assert!(check("clawdbot/v1/porch/info", b"no JSON").is_err());
    assert!(check("clawdbot/v1/porch/status", b"maybe").is_err());
    let offline_without_a_reason = Event::Camera(CameraEvent {
        camera: "front".to_owned(),
        online: false,
        reason: None,
        at: Monotonic::default(),
        at_wall: WALL,
    });
    let board = board();
    let message = composer(&board).0.event(&offline_without_a_reason);
    assert!(check(&message.topic, &message.payload).is_err());
    let not_finite = composer(&board).0.event(&reading(f64::NAN));
    assert!(check(&not_finite.topic, &not_finite.payload).is_err());
}
