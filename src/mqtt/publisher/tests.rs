use super::super::message::Kind;
use super::*;

fn message(payload_bytes: usize) -> Message {
    Message {
        topic: "clawdbot/v1/porch/camera/front/event".to_owned(),
        payload: vec![b'x'; payload_bytes],
        kind: Kind::Event,
    }
}

#[test]
fn a_message_too_large_for_a_packet_is_refused_before_the_queue_and_counted() {
    let (publisher, mut inbox) = channel();
    let refused = publisher.publish(message(MQTT_PACKET_BYTES_MAX)).unwrap_err();
    assert!(matches!(refused, Refused::TooLarge { .. }), "{refused}");
    assert!(refused.to_string().contains("camera/front/event"), "{refused}");
    assert!(inbox.messages.try_recv().is_err(), "nothing was queued");
    assert_eq!(publisher.link().state().dropped, 1);
}

#[test]
fn the_largest_message_that_fits_is_taken() {
    let (publisher, mut inbox) = channel();
    let overhead = message(0).packet_bytes();
    assert_eq!(publisher.publish(message(MQTT_PACKET_BYTES_MAX - overhead)), Ok(()));
    assert!(inbox.messages.try_recv().is_ok());
}

#[test]
fn a_full_inbox_refuses_without_waiting_and_an_ended_client_says_so() {
    let (publisher, inbox) = channel();
    for _ in 0..INBOX_MESSAGES_MAX {
        assert_eq!(publisher.publish(message(1)), Ok(()));
    }
    assert!(matches!(publisher.publish(message(1)), Err(Refused::Full { .. })));
    drop(inbox);
    assert!(matches!(publisher.publish(message(1)), Err(Refused::Closed { .. })));
    assert_eq!(publisher.link().state().dropped, 2);
}
