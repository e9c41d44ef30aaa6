use proptest::prelude::*;

use super::*;

const NOW: Monotonic = Monotonic::from_origin(Duration::from_secs(5));

fn ask(json: &str) -> Result<Question, Misunderstood> {
    match parse("ask", json.as_bytes(), NOW)? {
        Command::Ask(question) => Ok(*question),
        other @ Command::Cancel { .. } => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(json: &str, reason: &str) -> Option<Asker> {
    let misunderstood = ask(json).unwrap_err();
    assert!(misunderstood.reason.contains(reason), "{}", misunderstood.reason);
    misunderstood.asker
}

#[test]
fn a_question_says_who_asks_what_and_how() {
    let question =
        ask(r#"{"client": "ha", "id": "42", "system": "Be short.", "prompt": "Who is there?", "max_tokens": 9,
        "temperature": 0, "seed": 7, "stop": ["\n"], "schema": {"type": "object"}, "deadline_ms": 1500, "priority": 3,
        "stream": true}"#)
        .unwrap();
    assert_eq!(question.asker, Asker::Client { client: "ha".to_owned(), id: "42".to_owned() });
    let Matter::Conversation(turns) = &question.matter else { panic!("{question:?}") };
    let said: Vec<(Speaker, &str)> = turns.iter().map(|turn| (turn.speaker, turn.content.as_str())).collect();
    assert_eq!(said, [(Speaker::System, "Be short."), (Speaker::User, "Who is there?")]);
    assert_eq!((question.answer_max, question.priority, question.streams), (Some(9), 3, true));
    assert_eq!((question.choice.temperature, question.choice.seed, question.choice.top_p), (Some(0.0), Some(7), None));
    assert_eq!(question.schema.as_deref(), Some(r#"{"type":"object"}"#));
    assert_eq!(question.deadline, Some(Monotonic::from_origin(Duration::from_millis(6500))));
    let question = ask(r#"{"client": "ha", "id": "43", "prompt": "Once", "raw": true}"#).unwrap();
    assert_eq!((question.matter, question.deadline), (Matter::Beginning("Once".to_owned()), None));
}

#[test]
fn whoever_can_be_told_is_told_what_is_wrong() {
    let ha = Some(Asker::Client { client: "ha".to_owned(), id: "1".to_owned() });
    for (json, reason) in [
        (r#"{"client": "ha", "id": "1"}"#, "give either `prompt`, or `messages`"),
        (r#"{"client": "ha", "id": "1", "prompt": "a", "messages": []}"#, "give either"),
        (r#"{"client": "ha", "id": "1", "messages": []}"#, "there are 0 messages"),
        (r#"{"client": "ha", "id": "1", "prompt": "a", "max_token": 5}"#, "unknown field `max_token`"),
        (r#"{"client": "ha", "id": "1", "prompt": "a", "max_tokens": 0}"#, "max_tokens is 0"),
        (r#"{"client": "ha", "id": "1", "prompt": "a", "deadline_ms": 0}"#, "deadline_ms is 0"),
        (r#"{"client": "ha", "id": "1", "prompt": 5}"#, "invalid type: integer `5`, expected a string"),
        (r#"{"client": "ha", "id": "1", "messages": [{"role": "root", "content": ""}]}"#, "unknown variant `root`"),
        (r#"{"client": "ha", "id": "1", "prompt": "a", "system": "b", "raw": true}"#, "takes no system text"),
    ] {
        assert_eq!(refused(json, reason), ha, "{json}");
    }
    let long = format!(r#"{{"client": "ha", "id": "1", "prompt": "{}"}}"#, "a".repeat(1 << 20));
    assert_eq!(refused(&long, "the command has 1048617 bytes, but 262144 are the most"), ha);
    for (json, reason) in [
        (r#"{"client": "ha/#", "id": "1", "prompt": "a"}"#, "client is \"ha/#\""),
        (r#"{"client": "ha", "id": "", "prompt": "a"}"#, "id is \"\""),
        ("[]", "not what it must be"),
        ("", "not what it must be"),
        ("\u{fffd}", "not what it must be"),
    ] {
        assert_eq!(refused(json, reason), None, "{json}");
    }
    assert!(parse("reboot", b"{}", NOW).unwrap_err().reason.contains("no command \"reboot\"; there are: ask, cancel"));
}

#[test]
fn cancelling_names_the_question() {
    let command = parse("cancel", br#"{"client": "ha", "id": "1"}"#, NOW);
    assert_eq!(command, Ok(Command::Cancel { client: "ha".to_owned(), id: "1".to_owned() }));
    assert!(parse("cancel", br#"{"client": "ha"}"#, NOW).unwrap_err().reason.contains("missing field `id`"));
}

proptest! {
    #[test]
    fn no_payload_makes_it_panic(verb in "ask|cancel|.{0,5}", payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = parse(&verb, &payload, NOW);
    }
}
