use proptest::prelude::*;

use super::super::backoff::{WAIT_CONFLICT, WAIT_MAX};
use super::*;

const STATUS: &str = "clawdbot/v1/porch/status";

fn at(milliseconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_millis(milliseconds))
}

fn session() -> Session {
    Session::new("porch-3f9a1c".to_owned(), STATUS.to_owned(), 7)
}

fn connected() -> Session {
    let mut session = session();
    assert_eq!(session.on(Input::Wake, at(0)), [Action::Connect]);
    let actions = session.on(Input::Connected, at(1));
    assert_eq!(sent(&actions), ["status=online"]);
    session.on(Input::Taken(1), at(1));
    session.on(Input::Acknowledged(1), at(1));
    session
}

fn message(kind: Kind, topic: &str, payload: &str) -> Input {
    Input::Publish(Message { topic: topic.to_owned(), payload: payload.as_bytes().to_vec(), kind })
}

fn event(number: usize) -> Input {
    message(Kind::Event, "event", &number.to_string())
}

/// `topic=payload` of each message sent, the node's prefix cut off.
fn sent(actions: &[Action]) -> Vec<String> {
    let text = |message: &Message| {
        let topic = message.topic.rsplit('/').next().unwrap();
        format!("{topic}={}", String::from_utf8_lossy(&message.payload))
    };
    actions
        .iter()
        .filter_map(|action| if let Action::Send(message) = action { Some(text(message)) } else { None })
        .collect()
}

#[test]
fn nothing_is_sent_before_the_broker_says_yes() {
    let mut session = session();
    assert_eq!(session.on(event(1), at(0)), []);
    assert_eq!(session.on(message(Kind::State, "health", "fine"), at(0)), []);
    assert_eq!(session.on(message(Kind::Sample, "stats", "1"), at(0)), []);
    assert_eq!(session.link().dropped, 1, "a sample without a connection");
    session.on(Input::Wake, at(0));
    assert_eq!(sent(&session.on(Input::Connected, at(5))), ["status=online", "event=1", "health=fine"]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_and_states_again_always() {
    let mut session = connected();
    for number in 0..3 {
        session.on(event(number), at(10));
    }
    for packet_id in 2..=4 {
        session.on(Input::Taken(packet_id), at(11));
    }
    session.on(Input::Acknowledged(2), at(12));
    session.on(Input::Lost("gone".to_owned()), at(5_000));
    let retry = session.deadline().unwrap();
    assert_eq!(session.on(Input::Wake, retry), [Action::Connect]);
    assert_eq!(sent(&session.on(Input::Connected, retry)), ["status=online", "event=1", "event=2"]);
}

#[test]
fn at_most_sixteen_are_in_flight() {
    let mut session = connected();
    let mut in_flight = 0;
    for number in 0..100 {
        in_flight += session.on(event(number), at(10)).len();
    }
    assert_eq!(in_flight, IN_FLIGHT_MAX);
    session.on(Input::Taken(9), at(11));
    assert_eq!(sent(&session.on(Input::Acknowledged(9), at(11))), ["event=16"]);
}

#[test]
fn samples_that_nobody_takes_are_dropped_and_a_new_connection_starts_afresh() {
    let mut session = connected();
    let sample = || message(Kind::Sample, "stats", "x");
    for _ in 0..SAMPLES_MAX {
        assert_eq!(sent(&session.on(sample(), at(10))), ["stats=x"]);
    }
    assert_eq!(session.on(sample(), at(10)), []);
    assert_eq!(session.link().dropped, 1);
    session.on(Input::Taken(0), at(11));
    assert_eq!(sent(&session.on(sample(), at(11))), ["stats=x"]);
    session.on(Input::Lost("gone".to_owned()), at(9_000));
    let retry = session.deadline().unwrap();
    session.on(Input::Wake, retry);
    session.on(Input::Connected, retry);
    assert_eq!(sent(&session.on(sample(), retry)), ["stats=x"]);
}

#[test]
fn packet_ids_of_an_earlier_connection_mean_nothing() {
    let mut session = connected();
    session.on(event(0), at(10));
    session.on(Input::Taken(2), at(10));
    session.on(Input::Lost("gone".to_owned()), at(20_000));
    session.on(Input::Acknowledged(2), at(20_000));
    let retry = session.deadline().unwrap();
    session.on(Input::Wake, retry);
    session.on(Input::Connected, retry);
    session.on(Input::Acknowledged(2), retry);
    assert_eq!(session.link().queued, 1, "the event is still ours");
}

#[test]
fn a_silent_broker_is_left_after_thirty_seconds() {
    let mut session = connected();
    session.on(event(0), at(1_000));
    session.on(Input::Taken(2), at(1_000));
    assert_eq!(session.deadline(), Some(at(31_000)));
    assert_eq!(session.on(Input::Wake, at(30_999)), []);
    assert_eq!(session.on(Input::Wake, at(31_000)), [Action::Drop]);
    assert!(session.link().last_error.unwrap().contains("unacknowledged for 30 s"));
    assert!(session.deadline().is_some(), "a retry is due");
}

#[test]
fn a_client_id_used_twice_is_named_and_slows_us_down() {
    let mut session = session();
    let mut now = at(0);
    for _ in 0..3 {
        session.on(Input::Wake, now);
        session.on(Input::Connected, now);
        session.on(Input::Lost("the broker closed the connection".to_owned()), now.plus(Duration::from_secs(1)));
        now = session.deadline().unwrap();
    }
    let link = session.link();
    assert!(link.last_error.as_deref().unwrap().contains("another client uses the MQTT client id porch-3f9a1c"));
    assert!(link.next_retry.unwrap() >= at(0).plus(WAIT_CONFLICT));
}

#[test]
fn failed_connects_are_visible_and_slow_down() {
    let mut session = session();
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(session.on(Input::Wake, now), [Action::Connect]);
        session.on(Input::Lost("nobody there".to_owned()), now);
        let retry = session.deadline().unwrap();
        waits.push(retry.since(now));
        now = retry;
    }
    assert_eq!(session.link().attempts, 8);
    assert_eq!(session.link().last_error.as_deref(), Some("nobody there"));
    assert!(waits[0] < Duration::from_secs(2) && waits[7] > Duration::from_secs(20) && waits[7] < WAIT_MAX * 2);
}

#[test]
fn a_stop_empties_the_queues_then_says_offline_then_parts() {
    let mut session = connected();
    session.on(event(0), at(10));
    assert_eq!(session.on(Input::Stop, at(20)), []);
    session.on(Input::Taken(2), at(21));
    assert_eq!(sent(&session.on(Input::Acknowledged(2), at(22))), ["status=offline"]);
    session.on(Input::Taken(3), at(23));
    assert_eq!(session.on(Input::Acknowledged(3), at(24)), [Action::Part]);
    assert_eq!(session.link().queued, 0);
    assert_eq!(session.on(event(1), at(25)), []);
    assert_eq!(session.link().dropped, 1);
}

#[test]
fn a_stop_ends_within_its_time_though_the_broker_sleeps() {
    let mut session = connected();
    session.on(event(0), at(0));
    session.on(Input::Stop, at(0));
    let flushed = session.deadline().unwrap();
    assert_eq!(flushed, Monotonic::default().plus(FLUSH_WITHIN));
    assert_eq!(sent(&session.on(Input::Wake, flushed)), ["status=offline"]);
    let farewell = session.deadline().unwrap();
    assert_eq!(session.on(Input::Wake, farewell), [Action::Part]);
    assert!(farewell.since_origin() < Duration::from_secs(5));
    assert_eq!(session.link().queued, 2, "what stayed unsent is still counted");
}

#[test]
fn a_stop_without_a_broker_ends_at_once() {
    assert_eq!(session().on(Input::Stop, at(0)), [Action::End]);
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        1 => Just(Input::Connected),
        1 => Just(Input::Lost("gone".to_owned())),
        4 => (0_usize..4).prop_map(|number| message(Kind::State, &format!("state/{number}"), "x")),
        4 => (0_usize..9).prop_map(event),
        1 => Just(message(Kind::Sample, "stats", "x")),
        6 => (0_u16..24).prop_map(Input::Taken),
        6 => (0_u16..24).prop_map(Input::Acknowledged),
        2 => Just(Input::Wake),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: every QoS 1 message is acknowledged, replaced, dropped or still here.
    #[test]
    fn every_message_is_accounted_for(
        inputs in proptest::collection::vec((any_input(), 0_u64..2_000), 0..300),
        stop_after in 0_usize..600,
    ) {
        let mut session = session();
        let mut now = at(0);
        // `online` counts as published by the session itself, and so does `offline` later.
        let (mut accepted, mut samples_dropped) = (1, 0);
        for (index, (input, milliseconds)) in inputs.into_iter().enumerate() {
            now = now.plus(Duration::from_millis(milliseconds));
            let input = if index == stop_after { Input::Stop } else { input };
            let is_sample = matches!(&input, Input::Publish(message) if message.kind == Kind::Sample);
            accepted += u64::from(matches!(&input, Input::Publish(_)) && !is_sample);
            let dropped_before = session.link().dropped;
            let actions = session.on(input, now);
            accepted += u64::from(sent(&actions).iter().any(|sent| sent == "status=offline"));
            if is_sample {
                samples_dropped += session.link().dropped - dropped_before;
            }
            let link = session.link();
            prop_assert!(session.in_flight.len() <= IN_FLIGHT_MAX + 1);
            prop_assert_eq!(
                accepted,
                link.acknowledged + link.superseded + (link.dropped - samples_dropped) + link.queued,
                "{:?}", link
            );
        }
    }

    /// A broker that takes and acknowledges, sometimes out of order, and goes at the worst moments: every event arrives,
    /// and the first arrivals are in the order of publishing.
    #[test]
    fn events_arrive_in_order_though_the_broker_comes_and_goes(
        steps in proptest::collection::vec(0_u8..10, 1..400),
    ) {
        let mut session = session();
        let mut broker = ModelBroker::default();
        let mut published = 0;
        let mut now = at(0);
        for step in steps.into_iter().chain(std::iter::repeat_n(9, 2_000)) {
            now = now.plus(Duration::from_millis(50));
            let input = match step {
                0 => { broker.close(); Input::Lost("gone".to_owned()) }
                1..=3 => { published += 1; event(published - 1) }
                _ => broker.step(usize::from(step)).unwrap_or(Input::Wake),
            };
            let actions = session.on(input, now);
            broker.carry_out(actions);
        }
        prop_assert_eq!(session.link().queued, 0);
        let expected: Vec<String> = (0..published).map(|number| format!("event={number}")).collect();
        prop_assert_eq!(broker.first_arrivals(), expected);
    }
}

/// A broker that believes whatever it was sent.
#[derive(Default)]
struct ModelBroker {
    connecting: bool,
    connected: bool,
    wire: VecDeque<Message>,
    unacknowledged: Vec<u16>,
    next_packet_id: u16,
    arrived: Vec<Message>,
}

impl ModelBroker {
    fn close(&mut self) {
        self.connecting = false;
        self.connected = false;
        self.wire.clear();
        self.unacknowledged.clear();
        self.next_packet_id = 0;
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Connect => self.connecting = true,
                Action::Send(message) => {
                    assert!(self.connected, "nothing is sent without a connection");
                    self.wire.push_back(message);
                }
                Action::Drop | Action::Part | Action::End => self.close(),
            }
        }
    }

    fn step(&mut self, choice: usize) -> Option<Input> {
        if self.connecting {
            self.connecting = false;
            self.connected = true;
            return Some(Input::Connected);
        }
        if let Some(message) = self.wire.pop_front() {
            self.arrived.push(message);
            self.next_packet_id += 1;
            self.unacknowledged.push(self.next_packet_id);
            return Some(Input::Taken(self.next_packet_id));
        }
        let index = choice.checked_rem(self.unacknowledged.len())?;
        Some(Input::Acknowledged(self.unacknowledged.remove(index)))
    }

    fn first_arrivals(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for message in self.arrived.iter().filter(|message| message.topic == "event") {
            let text = format!("event={}", String::from_utf8_lossy(&message.payload));
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        seen
    }
}
