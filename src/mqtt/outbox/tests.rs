use super::super::message::Kind;
use super::*;

fn message(number: usize, payload_bytes: usize) -> Message {
    Message { topic: format!("event/{number}"), payload: vec![0; payload_bytes], kind: Kind::Event }
}

fn topics(outbox: &mut Outbox) -> Vec<String> {
    std::iter::from_fn(|| outbox.take_next()).map(|(_, message)| message.topic).collect()
}

#[test]
fn what_is_not_acknowledged_is_handed_out_again_in_order() {
    let mut outbox = Outbox::default();
    for number in 0..4 {
        assert_eq!(outbox.push(message(number, 1)), 0);
    }
    let ids: Vec<EntryId> = std::iter::from_fn(|| outbox.take_next()).map(|(id, _)| id).collect();
    outbox.acknowledge(ids[2]);
    outbox.acknowledge(ids[2]);
    outbox.acknowledge(ids[0]);
    outbox.rewind();
    assert_eq!(topics(&mut outbox), ["event/1", "event/3"]);
}

#[test]
fn the_oldest_that_is_not_in_flight_makes_room() {
    let mut outbox = Outbox::default();
    for number in 0..OUTBOX_MESSAGES_MAX {
        assert_eq!(outbox.push(message(number, 1)), 0);
    }
    let (in_flight, _) = outbox.take_next().unwrap();
    assert_eq!(outbox.push(message(OUTBOX_MESSAGES_MAX, 1)), 1);
    assert_eq!(outbox.len(), OUTBOX_MESSAGES_MAX);
    outbox.acknowledge(in_flight);
    assert_eq!(outbox.take_next().unwrap().1.topic, "event/2", "0 was acknowledged, 1 made room");
}

#[test]
fn bytes_are_bounded_too() {
    let mut outbox = Outbox::default();
    let large = MQTT_PACKET_BYTES_MAX - 32;
    let mut dropped = 0;
    for number in 0..100 {
        dropped += outbox.push(message(number, large));
    }
    assert_eq!(outbox.len(), OUTBOX_BYTES_MAX / message(99, large).packet_bytes());
    assert_eq!(dropped, 100 - u64::try_from(outbox.len()).unwrap());
    for (id, _) in std::iter::from_fn(|| outbox.take_next()).collect::<Vec<_>>() {
        outbox.acknowledge(id);
    }
    assert_eq!((outbox.len(), outbox.bytes), (0, 0));
}
