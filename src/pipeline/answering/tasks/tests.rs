use clawdbot_flow::clock::Wall;
use clawdbot_flow::detection::BoundingBox;
use clawdbot_flow::event::CameraEvent;

use super::*;

const fn at(seconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_secs(seconds))
}

fn object(camera: &str, label: &str, change: Change, seconds: u64) -> Event {
    Event::Object(ObjectEvent {
        camera: camera.to_owned(),
        change,
        object: 1,
        label: label.to_owned(),
        score: 0.871_23,
        bounding_box: BoundingBox { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 },
        captured_at: at(seconds),
        captured_wall: Wall::default(),
        frame_sequence: 1,
        latency_ms: 5.0,
    })
}

fn reading(sensor: &str, value: f64, seconds: u64) -> Event {
    let unit = "°C".to_owned();
    Event::Reading(Reading { sensor: sensor.to_owned(), value, unit, read_at: at(seconds), read_wall: Wall::default() })
}

fn task(id: &str, trigger: Trigger, prompt: &str) -> TaskOptions {
    TaskOptions {
        id: id.to_owned(),
        trigger,
        prompt: PromptTemplate::new(prompt).unwrap(),
        system: Some("Be short.".to_owned()),
        schema: Some("{}".to_owned()),
        answer_max: Some(20),
        temperature: 0.0,
        cooldown: Duration::from_secs(10),
        deadline: Duration::from_secs(30),
        priority: 4,
    }
}

fn visitor() -> Trigger {
    Trigger::Object {
        cameras: vec!["front".to_owned()],
        labels: vec!["Person".to_owned(), "dog".to_owned()],
        changes: vec![Change::New],
    }
}

/// What was asked, by task.
fn asked(questions: &[Question]) -> Vec<(String, String)> {
    let said = |question: &Question| {
        let Asker::Task(task) = &question.asker else { panic!("{question:?}") };
        let Matter::Conversation(turns) = &question.matter else { panic!("{question:?}") };
        (task.clone(), turns.last().unwrap().content.clone())
    };
    questions.iter().map(said).collect()
}

#[test]
fn an_object_raises_a_question_with_what_was_before() {
    let prompt = "{{ event.label }} {{ event.score }} at {{ event.camera }} {{ event.seconds_ago }} s ago; before: {% for e in \
                  events %}{{ e.label }} {{ e.change }}, {% endfor %}soc {{ readings.soc.value }}";
    let mut tasks = Tasks::new(&[task("visitor", visitor(), prompt)], at(0));
    assert_eq!(tasks.hear(reading("soc", 61.5, 1), at(1)), []);
    assert_eq!(tasks.hear(object("front", "cat", Change::New, 2), at(2)), [], "not one of its labels");
    assert_eq!(tasks.hear(object("back", "person", Change::New, 3), at(3)), [], "not its camera");
    assert_eq!(tasks.hear(object("front", "person", Change::End, 4), at(4)), [], "not its change");
    let questions = tasks.hear(object("front", "person", Change::New, 5), at(7));
    let wanted = "person 0.871 at front 2 s ago; before: cat new, person new, person end, soc 61.5";
    assert_eq!(asked(&questions), [("visitor".to_owned(), wanted.to_owned())]);
    let question = &questions[0];
    assert_eq!((question.deadline, question.priority, question.answer_max), (Some(at(37)), 4, Some(20)));
    assert_eq!(question.schema.as_deref(), Some("{}"));
    assert!(tasks.hear(object("front", "dog", Change::New, 16), at(16)).is_empty(), "it cools down");
    assert_eq!(tasks.hear(object("front", "dog", Change::New, 17), at(17)).len(), 1);
    let gone =
        CameraEvent { camera: "front".to_owned(), online: false, reason: None, at: at(18), at_wall: Wall::default() };
    assert_eq!(tasks.hear(Event::Camera(gone), at(40)), []);
}

#[test]
fn a_sensor_fires_when_it_crosses_the_threshold_and_not_while_it_stays() {
    let trigger = Trigger::Sensor { sensor: "soc".to_owned(), above: Some(75.0), below: Some(0.0) };
    let mut tasks = Tasks::new(&[task("hot", trigger, "{{ task }} {{ readings.soc.value }}")], at(0));
    let mut fires = |value, seconds| asked(&tasks.hear(reading("soc", value, seconds), at(seconds))).len();
    assert_eq!(fires(60.0, 1), 0);
    assert_eq!(fires(76.0, 20), 1);
    assert_eq!(fires(80.0, 40), 0, "it stays beyond");
    assert_eq!(fires(70.0, 60), 0);
    assert_eq!(fires(76.0, 80), 1);
    assert_eq!(fires(70.0, 81), 0);
    assert_eq!(fires(76.0, 82), 0, "it cools down");
    assert_eq!(fires(70.0, 100), 0);
    assert_eq!(fires(-1.0, 120), 1);
    // The prompt knows the value that fired it.
    let questions = tasks.hear(reading("soc", 5.0, 140), at(140));
    assert!(questions.is_empty());
    let questions = tasks.hear(reading("soc", 99.0, 160), at(160));
    assert_eq!(asked(&questions), [("hot".to_owned(), "hot 99.0".to_owned())]);
}

#[test]
fn time_fires_and_does_not_catch_up() {
    let trigger = Trigger::Every(Duration::from_secs(60));
    let mut tasks = Tasks::new(&[task("hourly", trigger, "{{ events | length }} events")], at(5));
    assert_eq!(tasks.due(at(64)), []);
    assert_eq!(asked(&tasks.due(at(65))), [("hourly".to_owned(), "0 events".to_owned())]);
    assert_eq!(tasks.due(at(66)), []);
    assert_eq!(tasks.due(at(1000)).len(), 1, "what was missed is asked once");
    assert_eq!(tasks.due(at(1059)), []);
}

#[test]
fn only_the_last_events_are_remembered() {
    let trigger = Trigger::Every(Duration::from_secs(1));
    let mut tasks = Tasks::new(&[task("count", trigger, "{{ events | length }} {{ events[0].seconds_ago }}")], at(0));
    for seconds in 0..100 {
        tasks.hear(object("front", "cat", Change::New, seconds), at(seconds));
    }
    assert_eq!(asked(&tasks.due(at(100)))[0].1, "32 32");
}

#[test]
fn a_prompt_that_cannot_be_filled_in_asks_nothing() {
    // Until the sensor has spoken there is no such reading.
    let trigger = Trigger::Every(Duration::from_secs(10));
    let mut tasks = Tasks::new(&[task("early", trigger, "{{ readings.soc.value }}")], at(0));
    assert_eq!(tasks.due(at(10)), []);
    tasks.hear(reading("soc", 5.0, 11), at(11));
    assert_eq!(tasks.due(at(20)).len(), 1);
}

#[test]
fn a_rehearsal_finds_slips() {
    let filled = |prompt: &str, trigger: &Trigger| {
        rehearse(&PromptTemplate::new(prompt).unwrap(), trigger, &["soc".to_owned()]).is_ok()
    };
    let every = Trigger::Every(Duration::from_secs(10));
    assert!(filled("{{ event.label }} {{ events[0].camera }} {{ readings.soc.unit }}", &visitor()));
    assert!(!filled("{{ event.labl }}", &visitor()));
    assert!(!filled("{{ event.label }}", &every), "time brings no event");
    assert!(!filled("{{ readings.hall.value }}", &every), "there is no such sensor");
}
