use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::question::{Choice, Matter};

use super::*;

fn ask(id: usize) -> Command {
    Command::Ask(Box::new(Question {
        asker: Asker::Client { client: "me".to_owned(), id: id.to_string() },
        matter: Matter::Beginning("Once".to_owned()),
        answer_max: None,
        choice: Choice::default(),
        stops: Vec::new(),
        schema: None,
        asked_at: Monotonic::default(),
        deadline: None,
        priority: 0,
        streams: false,
    }))
}

fn cancel() -> Command {
    Command::Cancel { client: "me".to_owned(), id: "1".to_owned() }
}

#[test]
fn a_burst_beyond_the_bound_is_told_at_once() {
    let questions = Questions::new();
    for id in 0..COMMANDS_MAX {
        assert!(questions.put(ask(id)).is_ok());
    }
    let busy = questions.put(ask(99)).unwrap_err().expect("whoever asks is told");
    assert_eq!(
        (busy.end, busy.asker),
        (AnswerEnd::Busy, Asker::Client { client: "me".to_owned(), id: "99".to_owned() })
    );
    assert!(questions.put(cancel()).unwrap_err().is_none());
    for _ in 0..COMMANDS_MAX {
        assert!(questions.take(Duration::ZERO).is_ok());
    }
    assert!(matches!(questions.take(Duration::ZERO), Err(Empty::TimedOut)));
}

#[test]
fn a_long_pass_is_broken_off_for_a_cancel_and_for_the_end_only() {
    let questions = Questions::new();
    questions.put(ask(1)).unwrap();
    assert!(!questions.is_urgent());
    questions.put(cancel()).unwrap();
    assert!(questions.is_urgent());
    questions.take(Duration::ZERO).unwrap();
    assert!(questions.is_urgent(), "the cancel is not taken yet");
    questions.take(Duration::ZERO).unwrap();
    assert!(!questions.is_urgent());
    questions.close();
    assert!(questions.is_urgent());
    assert!(matches!(questions.take(Duration::ZERO), Err(Empty::Closed)));
    assert!(questions.is_urgent(), "the end stays urgent");
}
