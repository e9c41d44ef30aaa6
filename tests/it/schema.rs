//! Every message that a test sees is held against its schema in `docs/schemas/`: [`assert_valid`] finds it by the topic.
//!
//! The published schemas let unknown fields through, because fields are added within version 1. Here they are closed:
//! a field that no schema describes fails.

use std::path::Path;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// Panics with all that is wrong when `payload` is not what `topic` promises.
pub(crate) fn assert_valid(topic: &str, payload: &[u8]) {
    if let Err(problems) = check(topic, payload) {
        panic!("{topic}: {problems}\n{}", String::from_utf8_lossy(payload));
    }
}

/// What is wrong with `payload` on `topic`.
pub(crate) fn check(topic: &str, payload: &[u8]) -> Result<(), String> {
    let name = schema_of(topic).ok_or("no schema describes this topic")?;
    let value = if name == "status" {
        Value::String(String::from_utf8(payload.to_vec()).map_err(|error| error.to_string())?)
    } else {
        serde_json::from_slice(payload).map_err(|error| format!("not JSON: {error}"))?
    };
    let problems: Vec<String> =
        validator(name).iter_errors(&value).map(|error| format!("at `{}`: {error}", error.instance_path())).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// The schema's name, by the levels after `<prefix>/<node>`.
fn schema_of(topic: &str) -> Option<&'static str> {
    let levels: Vec<&str> = topic.split('/').collect();
    Some(match levels.as_slice() {
        [.., "camera", _, "event"] => "camera_event",
        [.., "camera", _, "status"] => "camera_status",
        [.., "camera", _, "state"] => "camera_state",
        [.., "sensor", _, "state"] => "sensor_state",
        [.., "reply", _, _] => "reply",
        [.., "stream", _, _] => "stream",
        [.., "llm", _, "status"] => "llm_status",
        [.., "llm", _, "result"] => "llm_result",
        [_, .., "cmd", "ask"] => "ask",
        [_, .., "status"] => "status",
        [_, .., "info"] => "info",
        [_, .., "health"] => "health",
        [_, .., "stats"] => "stats",
        _ => return None,
    })
}

fn validator(name: &str) -> Validator {
    let envelope = load("envelope");
    let id = envelope["$id"].as_str().expect("the envelope has an $id").to_owned();
    let registry = Registry::new().add(id, envelope).expect("a valid URI").prepare().expect("a valid envelope schema");
    let mut schema = load(name);
    close(&mut schema);
    jsonschema::options().with_registry(&registry).build(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{name}.schema.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    schema
}

/// Forbids, in every object schema with named properties, the properties that it does not name.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.contains_key("properties") && object.get("type") == Some(&json!("object")) {
        object.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    for keyword in ["properties", "$defs"] {
        if let Some(schemas) = object.get_mut(keyword).and_then(Value::as_object_mut) {
            schemas.values_mut().for_each(close);
        }
    }
    for keyword in ["additionalProperties", "items"] {
        if let Some(schema) = object.get_mut(keyword) {
            close(schema);
        }
    }
}
