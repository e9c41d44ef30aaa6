use super::super::message::Kind;
use super::*;

fn value(topic: &str, payload: &str) -> Message {
    Message { topic: topic.to_owned(), payload: payload.as_bytes().to_vec(), kind: Kind::State }
}

fn sent(values: &mut LastValues) -> Vec<String> {
    std::iter::from_fn(|| values.take_next())
        .map(|(_, message)| format!("{}={}", message.topic, String::from_utf8(message.payload).unwrap()))
        .collect()
}

#[test]
fn a_newer_value_replaces_one_that_waits() {
    let mut values = LastValues::default();
    values.set(value("a", "1")).unwrap();
    values.set(value("b", "1")).unwrap();
    values.set(value("a", "2")).unwrap();
    assert_eq!(sent(&mut values), ["a=2", "b=1"]);
    assert_eq!(values.superseded(), 1);
}

#[test]
fn every_last_value_is_sent_again_after_a_connect() {
    let mut values = LastValues::default();
    values.set(value("a", "1")).unwrap();
    values.set(value("b", "1")).unwrap();
    let (first, _) = values.take_next().unwrap();
    assert!(values.acknowledge(first));
    values.all_due();
    let (again, message) = values.take_next().unwrap();
    assert_eq!(message.topic, "a");
    assert!(!values.acknowledge(again), "its first acknowledgement was counted");
    assert_eq!(sent(&mut values), ["b=1"]);
}

#[test]
fn a_value_in_flight_is_counted_once_whatever_becomes_of_it() {
    let mut values = LastValues::default();
    values.set(value("a", "1")).unwrap();
    let (first, _) = values.take_next().unwrap();
    values.set(value("a", "2")).unwrap();
    assert_eq!(values.superseded(), 0, "1 may still arrive");
    values.lost(first);
    assert_eq!(values.superseded(), 1);
    let (second, _) = values.take_next().unwrap();
    assert!(values.acknowledge(second));
    assert_eq!((values.superseded(), values.unacknowledged()), (1, 0));
}

#[test]
fn topics_are_bounded() {
    let mut values = LastValues::default();
    for number in 0..RETAINED_TOPICS_MAX {
        values.set(value(&number.to_string(), "x")).unwrap();
    }
    assert_eq!(values.set(value("one more", "x")), Err(Full));
    assert_eq!(values.set(value("7", "y")), Ok(()), "a known topic still takes values");
}
