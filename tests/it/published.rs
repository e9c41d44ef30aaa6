//! What we promise about our messages: the schemas, their examples, and the page that explains them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::schema::assert_valid;

/// Every kind of message: its schema's name, and an example of its topic.
const MESSAGES: [(&str, &str); 13] = [
    ("ask", "clawdbot/v1/porch/cmd/ask"),
    ("camera_event", "clawdbot/v1/porch/camera/front/event"),
    ("camera_state", "clawdbot/v1/porch/camera/front/state"),
    ("camera_status", "clawdbot/v1/porch/camera/front/status"),
    ("health", "clawdbot/v1/porch/health"),
    ("info", "clawdbot/v1/porch/info"),
    ("llm_result", "clawdbot/v1/porch/llm/visitor/result"),
    ("llm_status", "clawdbot/v1/porch/llm/smollm2/status"),
    ("reply", "clawdbot/v1/porch/reply/kitchen/42"),
    ("sensor_state", "clawdbot/v1/porch/sensor/cpu/state"),
    ("stats", "clawdbot/v1/porch/stats"),
    ("status", "clawdbot/v1/porch/status"),
    ("stream", "clawdbot/v1/porch/stream/kitchen/42"),
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

#[test]
fn every_schema_has_a_topic_and_every_topic_a_schema() {
    let mut files: Vec<String> = std::fs::read_dir(docs().join("schemas"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "envelope.schema.json")
        .collect();
    files.sort();
    let expected: Vec<String> = MESSAGES.iter().map(|(name, _)| format!("{name}.schema.json")).collect();
    assert_eq!(files, expected);
}

#[test]
fn every_example_is_what_its_schema_says() {
    for (name, topic) in MESSAGES {
        let text = std::fs::read_to_string(docs().join(format!("schemas/{name}.schema.json"))).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        let examples = schema["examples"].as_array().unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(!examples.is_empty(), "{name} has no examples");
        for example in examples {
            let payload = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            assert_valid(topic, payload.as_bytes());
        }
    }
}

#[test]
fn the_reference_page_names_every_topic_and_schema() {
    let page = std::fs::read_to_string(docs().join("reference/mqtt.md")).unwrap();
    for (name, topic) in MESSAGES {
        let examples = [
            ("clawdbot/v1/porch/", ""),
            ("front", "<camera>"),
            ("cpu", "<sensor>"),
            ("kitchen", "<client>"),
            ("42", "<id>"),
            ("smollm2", "<model>"),
            ("visitor", "<task>"),
        ];
        let pattern = examples.iter().fold(topic.to_owned(), |topic, (from, to)| topic.replace(from, to));
        assert!(page.contains(&format!("`{pattern}`")), "the page does not name the topic `{pattern}`");
        assert!(page.contains(&format!("../schemas/{name}.schema.json")), "the page does not link the schema {name}");
    }
}
