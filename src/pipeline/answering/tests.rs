//! The answering thread's parts over a small model of invented weights, step by step and without a thread.

use clawdbot_flow::clock::ManualClock;
use clawdbot_flow::question::{Choice, Matter, Speaker, Turn};
use clawdbot_llm::engine::Request;
use clawdbot_llm::sampler::{Sampling, SamplingOptions};
use serde_json::Value;

use super::*;
use crate::mqtt::payload::Composer;
use crate::mqtt::topics::Topics;
use crate::mqtt::{self, Inbox, Message};
use crate::pipeline::language::tests::made_up;

/// All that [`Lent`] borrows.
struct Daemon {
    clock: Arc<ManualClock>,
    root: Root,
    questions: Questions,
    way: Way,
    workers: Arc<Workers>,
    events: Queue<Event>,
    telling: Telling,
    inbox: Inbox,
    options: Options,
    /// The model's, and an empty root.
    _folder: tempfile::TempDir,
}

impl Daemon {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let root = Root::new(folder.path());
        let composer = Composer::new(Topics::new("clawdbot/v1", "test"), clock.clone(), &root, 7);
        let (publisher, inbox) = mqtt::channel();
        let options = Options {
            model: made_up::model(folder.path()),
            context: Some(128),
            slots: 2,
            format: Format::I8,
            answer_max: 4,
            temperature: 0.0,
            system: None,
            idle_unload: None,
            beside_cameras: true,
        };
        Self {
            clock,
            root,
            questions: Questions::new(),
            way: Way::new(),
            workers: Arc::new(Workers::new()),
            events: Queue::new(4, clawdbot_flow::queue::WhenFull::DropOldest),
            telling: Telling::new(Arc::new(composer), publisher),
            inbox,
            options,
            _folder: folder,
        }
    }

    fn lent(&self) -> Lent<'_> {
        Lent {
            clock: self.clock.as_ref(),
            root: &self.root,
            questions: &self.questions,
            way: &self.way,
            workers: &self.workers,
            isa: Isa::detect(),
            name: "made-up",
            events: &self.events,
            telling: &self.telling,
            state_folder: None,
            seed: 1,
            heartbeat: &|| {},
        }
    }
}

/// `data` of those of `messages` whose topic ends with `topic`, oldest first.
fn data(messages: &[Message], topic: &str) -> Vec<Value> {
    let on_topic = messages.iter().filter(|message| message.topic.ends_with(topic));
    on_topic.map(|message| serde_json::from_slice::<Value>(&message.payload).unwrap()["data"].clone()).collect()
}

fn question(id: &str) -> Question {
    let turn = Turn { speaker: Speaker::User, content: "Who was here?".to_owned() };
    Question {
        asker: Asker::Client { client: "me".to_owned(), id: id.to_owned() },
        matter: Matter::Conversation(vec![turn]),
        answer_max: Some(3),
        choice: Choice::default(),
        stops: Vec::new(),
        schema: None,
        asked_at: Monotonic::default(),
        deadline: None,
        priority: 0,
        streams: false,
    }
}

/// Rounds until nobody wants anything.
fn settle(answering: &mut Answering<'_>) {
    for _ in 0..200 {
        answering.round();
        if answering.waiting.is_empty() && answering.under_way.is_empty() && !answering.warming.is_at_work() {
            return;
        }
    }
    panic!("it never comes to rest");
}

/// Makes every pass from now on fail: a slot is to compute a token that no row of the embedding has. It stands for whatever
/// keeps a pass from taking place, be it always the same.
fn spoil(answering: &mut Answering<'_>) {
    let sampling = Sampling::new(SamplingOptions { temperature: 0.0, ..SamplingOptions::default() }).unwrap();
    let request = Request { prompt: vec![u32::MAX], answer_max: 1, sampling, stops: Vec::new(), priority: u8::MAX };
    answering.loaded.as_mut().unwrap().engine.admit(&request).unwrap();
}

#[test]
fn a_beginning_whose_pass_fails_is_not_tried_for_ever() {
    let mut daemon = Daemon::new();
    let lent = daemon.lent();
    let mut answering = Answering::new(&daemon.options, &[], &lent);
    answering.load().unwrap();
    answering.rest();
    assert!(answering.warming.is_at_work(), "nobody asks, so the beginning of conversations is computed");
    spoil(&mut answering);

    answering.step();
    assert!(answering.loaded.is_none() && !answering.warming.is_at_work(), "the next pass would fail like this one");
    let asked = answering.asked;
    answering.round();
    assert!(answering.loaded.is_none() && answering.asked == asked, "it rests until somebody asks");

    // Who asks then meets a fresh engine, and beginnings are computed again.
    answering.ask(question("after"));
    settle(&mut answering);
    assert!(answering.loaded.is_some());
    drop(answering);
    let told = daemon.inbox.drain();
    let states: Vec<Value> = data(&told, "llm/made-up/status").iter().map(|status| status["state"].clone()).collect();
    assert_eq!(states, ["ready", "unloaded", "ready"]);
    let reply = &data(&told, "reply/me/after")[0];
    assert_eq!((&reply["end"], &reply["answer_tokens"]), (&"length".into(), &3.into()), "{reply}");
}

#[test]
fn questions_under_way_hear_of_a_failed_pass_and_can_be_asked_again() {
    let mut daemon = Daemon::new();
    let lent = daemon.lent();
    let mut answering = Answering::new(&daemon.options, &[], &lent);
    answering.ask(question("1"));
    answering.admit();
    assert_eq!(answering.under_way.len(), 1);
    spoil(&mut answering);
    answering.step();
    assert!(answering.under_way.is_empty());
    answering.ask(question("1"));
    settle(&mut answering);
    drop(answering);
    let replies = data(&daemon.inbox.drain(), "reply/me/1");
    let ends: Vec<&Value> = replies.iter().map(|reply| &reply["end"]).collect();
    assert_eq!(ends, ["failed", "length"]);
    let reason = replies[0]["reason"].as_str().unwrap();
    assert!(reason.contains("the language model failed: token 4294967295 is not one of the model's"), "{reason}");
}

/// A task that is due each second, and the model that does not come to answer: what is dropped is counted and told, not too often.
#[test]
fn dropped_triggers_are_counted_and_told() {
    let mut daemon = Daemon::new();
    let lent = daemon.lent();
    let second = Duration::from_secs(1);
    let task = TaskOptions {
        id: "watch".to_owned(),
        trigger: tasks::Trigger::Every(second),
        prompt: clawdbot_llm::template::prompt::PromptTemplate::new("What is there?").unwrap(),
        system: None,
        schema: None,
        answer_max: Some(2),
        temperature: 0.0,
        cooldown: Duration::ZERO,
        deadline: Duration::from_secs(600),
        priority: 0,
    };
    let mut answering = Answering::new(&daemon.options, &[task], &lent);
    answering.tell_status("unloaded", None);
    for _ in 0..30 {
        daemon.clock.advance(second);
        answering.look_round();
        answering.tell_counts();
    }
    assert_eq!(answering.waiting.len(), 1, "the first one waits for its answer, and 29 came meanwhile");
    // Of six readings four are heard.
    for _ in 0..6 {
        lent.events.push(Event::Reading(reading())).unwrap();
    }
    settle(&mut answering);
    // With as many others waiting as may, the next trigger finds no place.
    for at in 0..WAITING_MAX {
        answering.ask(question(&at.to_string()));
    }
    daemon.clock.advance(10 * second);
    answering.look_round();
    answering.tell_counts();
    drop(answering);
    let statuses = data(&daemon.inbox.drain(), "llm/made-up/status");
    let told = |status: &Value| (status["tasks"]["watch"]["dropped"].as_u64(), status["events_dropped"].as_u64());
    let told: Vec<_> = statuses.iter().map(told).collect();
    // At first, after ten seconds and each ten more, when it was loaded, and at last.
    assert_eq!(told.first(), Some(&(Some(0), Some(0))));
    assert_eq!(told.last(), Some(&(Some(30), Some(2))), "{told:?}");
    assert_eq!(told.len(), 6, "{told:?}");
}

fn reading() -> clawdbot_flow::reading::Reading {
    clawdbot_flow::reading::Reading {
        sensor: "soc".to_owned(),
        value: 1.0,
        unit: String::new(),
        read_at: Monotonic::default(),
        read_wall: clawdbot_flow::clock::Wall::default(),
    }
}
