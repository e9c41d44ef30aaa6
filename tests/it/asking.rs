//! Questions to the language model over MQTT: the real program, a real broker, a real model, a camera beside it.

use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

use crate::accuracy::data;
use crate::daemon::{CLIP, PATIENCE, start, terminate, terminate_while};
use crate::language::converted;
use crate::schema::assert_valid;

/// A client of the broker that asks and listens.
struct Asker {
    client: Client,
    connection: Connection,
    heard: Vec<(String, Value)>,
}

impl Asker {
    /// Connects, and waits until the node is there.
    fn new(port: u16) -> Self {
        let mut options = MqttOptions::new("asker", "127.0.0.1", port);
        // All that is published, its own commands included, comes back to it.
        options.set_max_packet_size(2 * 1024 * 1024, 2 * 1024 * 1024);
        let (client, connection) = Client::new(options, 64);
        let mut asker = Self { client, connection, heard: Vec::new() };
        asker.wait("the node", |topic, _| topic == "status");
        asker
    }

    fn ask(&self, question: &Value) {
        self.command("ask", question.to_string(), false);
    }

    fn command(&self, verb: &str, payload: String, retain: bool) {
        self.client.try_publish(format!("clawdbot/v1/test/cmd/{verb}"), QoS::AtLeastOnce, retain, payload).unwrap();
    }

    /// What comes next that `wanted` means; all that was heard on the way stays in `heard`.
    fn wait(&mut self, what: &str, mut wanted: impl FnMut(&str, &Value) -> bool) -> Value {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.connection.recv_timeout(Duration::from_secs(1)) {
                Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    self.client.try_subscribe("clawdbot/v1/test/#", QoS::AtLeastOnce).unwrap();
                }
                Ok(Ok(Event::Incoming(Packet::Publish(message)))) if !message.topic.contains("/cmd/") => {
                    assert_valid(&message.topic, &message.payload);
                    let topic = message.topic.trim_start_matches("clawdbot/v1/test/").to_owned();
                    let value: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
                    self.heard.push((topic.clone(), value.clone()));
                    if wanted(&topic, &value) {
                        return value;
                    }
                }
                Ok(Err(_)) => std::thread::sleep(Duration::from_millis(100)),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        panic!("{what} did not come within {PATIENCE:?}");
    }

    /// The data of the reply to this client's question.
    fn reply(&mut self, client: &str, id: &str) -> Value {
        let topic = format!("reply/{client}/{id}");
        // It may have come while another one was waited for.
        if let Some(at) = self.heard.iter().position(|(heard, _)| *heard == topic) {
            return self.heard.remove(at).1["data"].clone();
        }
        let reply = self.wait(&topic, |heard, _| heard == topic);
        self.heard.retain(|(heard, _)| *heard != topic);
        reply["data"].clone()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn a_node_without_a_language_model_says_so() {
    let mut daemon = start(CLIP, &[]);
    let mut asker = Asker::new(daemon.port);
    asker.ask(&json!({"client": "me", "id": "1", "prompt": "Who?"}));
    let reply = asker.reply("me", "1");
    assert_eq!(text(&reply, "end"), "refused");
    assert!(text(&reply, "reason").contains("set llm.model"), "{reply}");
    terminate(&mut daemon);
}

#[test]
fn questions_are_answered_while_a_camera_looks() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = converted(&data, folder.path(), "int4");
    let schema = r#"{"type": "object", "additionalProperties": false, "required": ["label", "urgent"], "properties": {
        "label": {"enum": ["Person", "Cat", "Coffee cup"]}, "urgent": {"type": "boolean"}}}"#;
    std::fs::write(folder.path().join("schema.json"), schema).unwrap();
    let task = format!(
        "[llm]\nmodel = \"{bundle}\"\ncontext = 1024\nslots = 2\n[[llm.task]]\nid = \"visitor\"\non = \"object\"\ncooldown_s = 3600\n\
         prompt = \"Saw {{{{ event.label }}}}. Report it.\"\nschema = \"{}\"\n",
        folder.path().join("schema.json").display()
    );
    let mut daemon = start(&format!("{CLIP}{task}"), &[]);
    let mut asker = Asker::new(daemon.port);

    // An event asks by itself, and the answer holds to the schema.
    let result = asker.wait("the task's result", |topic, _| topic == "llm/visitor/result")["data"].clone();
    assert_eq!((text(&result, "end"), text(&result, "task")), ("stop", "visitor"));
    assert!(result["json"]["urgent"].is_boolean(), "{result}");
    assert!(
        result["passes"].as_u64().unwrap() < result["answer_tokens"].as_u64().unwrap(),
        "keys are forced: {result}"
    );

    streamed_and_repeated(&mut asker);
    let long = json!({"client": "me", "id": "long", "prompt": "Count.", "max_tokens": 900, "schema": endless()});
    cancelled_late_and_busy(&mut asker, &long);
    refused(&mut asker);

    // Frames went on being analysed, and waited little for the model.
    let stats = asker.wait("stats", |topic, _| topic == "stats")["data"].clone();
    assert!(stats["cameras"]["clip"]["detected_fps"].as_f64().unwrap() > 1.0, "{stats}");
    assert!(stats["language"]["frames_held"].is_u64(), "{stats}");
    let status = asker.heard.iter().rev().find(|(topic, _)| topic.ends_with("/status") && topic.starts_with("llm/"));
    let status = &status.expect("a status").1["data"];
    assert_eq!(status["state"], "ready");
    assert!(status["tasks"]["visitor"]["dropped"].is_u64() && status["events_dropped"].is_u64(), "{status}");
    let info = &asker.heard.iter().find(|(topic, _)| topic == "info").expect("an info").1["data"];
    let model = &info["language_models"][0];
    assert_eq!((&model["precision"], &model["context"]), (&json!("int4"), &json!(1024)), "{info}");
    assert_eq!(model["bytes"], std::fs::metadata(&bundle).unwrap().len(), "{info}");

    // Whoever waits at a stop is told.
    let last = json!({"client": "me", "id": "last", "prompt": "Count.", "max_tokens": 900, "schema": endless(), "stream": true});
    asker.ask(&last);
    asker.wait("a first piece", |topic, _| topic == "stream/me/last");
    // Read while the daemon stops, since its broker ends with it.
    let took = terminate_while(&mut daemon, || {
        let told = asker.reply("me", "last");
        assert_eq!((text(&told, "end"), text(&told, "reason")), ("cancelled", "the daemon stops"), "{told}");
    });
    assert!(took < Duration::from_secs(6), "SIGTERM took {took:?}");
}

/// A schema no answer of 900 tokens fulfils: a model asked for a story may be content with one sentence.
fn endless() -> Value {
    json!({"type": "array", "items": {"type": "integer", "minimum": 100}, "minItems": 900})
}

/// The pieces of an answer make the answer; the same seed gives it again, beside another client with the same id.
fn streamed_and_repeated(asker: &mut Asker) {
    let question = |client: &str, stream: bool| {
        json!({"client": client, "id": "1", "prompt": "What is the capital of France?", "temperature": 0.8, "seed": 3,
            "max_tokens": 16, "stream": stream})
    };
    asker.ask(&question("me", true));
    asker.ask(&question("you", false));
    let (mine, yours) = (asker.reply("me", "1"), asker.reply("you", "1"));
    assert_eq!(text(&mine, "text"), text(&yours, "text"));
    assert!(!text(&mine, "text").is_empty() && mine["answer_tokens"].as_u64().unwrap() <= 16);
    let pieces: Vec<&Value> =
        asker.heard.iter().filter(|(topic, _)| topic == "stream/me/1").map(|(_, value)| &value["data"]).collect();
    assert!(pieces.iter().enumerate().all(|(at, piece)| piece["index"] == at), "{pieces:?}");
    let said: String = pieces.iter().map(|piece| text(piece, "text")).collect();
    assert_eq!(said, text(&mine, "text"));
    assert!(!asker.heard.iter().any(|(topic, _)| topic == "stream/you/1"), "nobody asked for pieces");
    asker.ask(&question("me", false));
    let again = asker.reply("me", "1");
    assert_eq!(text(&again, "text"), text(&mine, "text"));
    assert!(again["reused_tokens"].as_u64().unwrap() + 1 >= again["prompt_tokens"].as_u64().unwrap(), "{again}");
}

fn cancelled_late_and_busy(asker: &mut Asker, long: &Value) {
    let mut second = long.clone();
    second["id"] = json!("second");
    // Of the same topic twice: the second is the broker's repetition.
    asker.ask(long);
    asker.ask(long);
    asker.ask(&second);
    let mut late = long.clone();
    (late["id"], late["deadline_ms"]) = (json!("late"), json!(300));
    asker.ask(&late);
    let late = asker.reply("me", "late");
    assert_eq!(text(&late, "end"), "deadline", "both slots are taken: {late}");
    for at in 0..20 {
        asker.ask(&json!({"client": "crowd", "id": at.to_string(), "prompt": "Hi", "max_tokens": 1}));
    }
    for at in 16..20 {
        let busy = asker.reply("crowd", &at.to_string());
        assert_eq!(text(&busy, "end"), "busy", "{at}: {busy}");
    }
    for id in ["long", "second"] {
        asker.command("cancel", json!({"client": "me", "id": id}).to_string(), false);
        let cancelled = asker.reply("me", id);
        assert_eq!(text(&cancelled, "end"), "cancelled", "{cancelled}");
    }
    // The task asked once and rests for an hour, so nobody else waits.
    for at in 0..16 {
        let answered = asker.reply("crowd", &at.to_string());
        assert_eq!(answered["answer_tokens"], 1, "{at}: {answered}");
    }
    assert!(!asker.heard.iter().any(|(topic, _)| topic == "reply/me/long"), "one question, one reply");
}

fn refused(asker: &mut Asker) {
    let mut refusal = |question: Value, reason: &str| {
        asker.ask(&question);
        let reply = asker.reply("me", "bad");
        assert_eq!(text(&reply, "end"), "refused", "{reply}");
        assert!(text(&reply, "reason").contains(reason), "{reply}");
    };
    let bad = |field: &str, value: Value| {
        let mut question = json!({"client": "me", "id": "bad", "prompt": "Who?"});
        question[field] = value;
        question
    };
    refusal(bad("prompt", json!("word ".repeat(1100))), "prompt and answer together may have 1024");
    refusal(bad("prompt", json!("a".repeat(1 << 20))), "262144 are the most");
    refusal(bad("max_tokens", json!(5000)), "do not fit into the context of 1024");
    refusal(bad("schema", json!({"type": "objekt"})), "the schema cannot be used");
    refusal(bad("temperature", json!(-1)), "temperature is -1");
    refusal(bad("stop", json!([""])), "stop string 0 (from 0) is empty");
    refusal(bad("surprise", json!(1)), "unknown field `surprise`");
    // Nobody can be told of these, and nothing comes of them.
    asker.command("ask", "no JSON".to_owned(), false);
    asker.command("dance", "{}".to_owned(), false);
    asker.command("ask", json!({"client": "me", "id": "old", "prompt": "Hi"}).to_string(), true);
    asker.ask(&json!({"client": "me", "id": "new", "prompt": "Hi", "max_tokens": 2}));
    asker.reply("me", "new");
    // The embedded broker hands a fresh publish on as what it is; only a stored one carries the flag.
    asker.command("ask", String::new(), true);
}
