use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_nn::metadata::language::{Architecture, Precision};
use clawdbot_nn::workers::Workers;

use super::*;
use crate::constrain::Constrainer;
use crate::fixtures::{byte_level, tokenizer};
use crate::forward::tests::{model, plain, text};
use crate::sampler::SamplingOptions;

fn engine(slots: usize, pass: usize, pages: u32, lookup: Option<Lookup>) -> Engine {
    engine_of(plain(), slots, pass, pages, lookup)
}

fn engine_of(architecture: Architecture, slots: usize, pass: usize, pages: u32, lookup: Option<Lookup>) -> Engine {
    let model = model(architecture, Precision::Int8);
    let cache = KvCache::new(Forward::cache_shape(&model, Format::I8), pages);
    let limits = Limits { tokens: pass, logits: pass, context: 128 };
    let forward = Forward::new(model, Arc::new(Workers::new()), Isa::detect(), limits);
    Engine::new(forward, cache, slots, lookup)
}

fn sampling(temperature: f32, seed: u64) -> Sampling {
    Sampling::new(SamplingOptions { temperature, seed, ..SamplingOptions::default() }).unwrap()
}

fn request(prompt: Vec<u32>, temperature: f32) -> Request {
    Request { prompt, answer_max: 24, sampling: sampling(temperature, 5), stops: Vec::new(), priority: 0 }
}

/// Steps until all have ended; each ticket's tokens and end.
fn answers(engine: &mut Engine, tickets: &[Ticket]) -> Vec<(Vec<u32>, End)> {
    let mut told = Vec::new();
    while engine.step(Pace::ALONE, &mut told).unwrap() {}
    let of = |wanted: &Ticket| {
        let tokens = told.iter().filter_map(|told| match told {
            Told::Token { ticket, token } if ticket == wanted => Some(*token),
            _ => None,
        });
        let end = told.iter().find_map(|told| match told {
            Told::Ended { ticket, reason, .. } if ticket == wanted => Some(reason.clone()),
            _ => None,
        });
        (tokens.collect(), end.unwrap())
    };
    tickets.iter().map(of).collect()
}

fn alone(request: &Request) -> Vec<u32> {
    let mut engine = engine(1, 64, 16, None);
    let ticket = engine.admit(request).unwrap();
    let (tokens, end) = answers(&mut engine, &[ticket]).remove(0);
    assert_eq!((tokens.len(), end), (24, End::Length));
    tokens
}

#[test]
fn an_answer_does_not_depend_on_company_pieces_or_guesses() {
    for temperature in [0.0, 0.8] {
        let requests: Vec<Request> = [(40, 3), (7, 20), (90, 11)]
            .map(|(length, first)| request(text(length, first), temperature))
            .into_iter()
            .collect();
        let wanted: Vec<Vec<u32>> = requests.iter().map(alone).collect();
        let lookup = Lookup::new(1, 4, 6).unwrap();
        for (pass, lookup) in [(64, None), (16, None), (16, Some(lookup)), (64, Some(lookup)), (3, Some(lookup))] {
            let mut engine = engine(3, pass, 32, lookup);
            let tickets: Vec<Ticket> = requests.iter().map(|request| engine.admit(request).unwrap()).collect();
            let found = answers(&mut engine, &tickets);
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(&found.0, wanted, "temperature {temperature}, passes of {pass}, {lookup:?}");
            }
        }
    }
}

/// Greedy answers of a random network soon repeat themselves, which lookup guesses.
#[test]
fn guesses_save_passes() {
    let lookup = Lookup::new(1, 4, 6).unwrap();
    let mut engine = engine(1, 64, 16, Some(lookup));
    let repeated: Vec<u32> = (0..60).map(|at| at % 5).collect();
    let ticket = engine.admit(&Request { answer_max: 60, ..request(repeated, 0.0) }).unwrap();
    let mut told = Vec::new();
    while engine.step(Pace::ALONE, &mut told).unwrap() {}
    let Some(Told::Ended { ticket: ended, work, .. }) = told.last().cloned() else { panic!("{told:?}") };
    assert_eq!((ended, work.answered), (ticket, 60));
    assert!(work.guessed > 0 && work.passes < work.answered, "{work:?}");
}

/// A random network that knows nothing of JSON answers by the schema, whatever the passes and the guesses, and in fewer
/// passes than tokens: what the schema leaves no choice about is computed with the token before.
#[test]
fn an_answer_by_a_schema_holds_to_it_and_forced_tokens_cost_no_pass() {
    let tokenizer = Arc::new(tokenizer(&byte_level()));
    let constrainer = Constrainer::new(Arc::clone(&tokenizer), 300, &[264]).unwrap();
    let schema = r#"{"type": "object", "additionalProperties": false, "required": ["label", "urgent"], "properties": {
        "label": {"enum": ["person", "car"]}, "urgent": {"type": "boolean"}}}"#;
    let architecture = || Architecture { vocabulary: 300, ..plain() };
    let lookup = Lookup::new(1, 4, 6).unwrap();
    for seed in 0..4 {
        let mut answers = Vec::new();
        for (pass, lookup) in [(64, None), (5, None), (64, Some(lookup)), (7, Some(lookup))] {
            let mut engine = engine_of(architecture(), 2, pass, 16, lookup);
            let asked = Request {
                answer_max: 80,
                sampling: sampling(1.0, seed),
                stops: vec![264],
                ..request(tokenizer.encode_foreign("who? {\"label\":\"car\"}").unwrap(), 0.0)
            };
            let ticket = engine.admit(&asked).unwrap();
            assert!(engine.constrain(ticket, constrainer.constraint(schema).unwrap()));
            // Another answer in the same passes changes nothing.
            let other = engine.admit(&request(text(9, 4), 0.0)).unwrap();
            let mut told = Vec::new();
            while engine.step(Pace::ALONE, &mut told).unwrap() {}
            let ids = |wanted| {
                let token = |told: &Told| match told {
                    Told::Token { ticket, token } if *ticket == wanted => Some(*token),
                    _ => None,
                };
                told.iter().filter_map(token).collect::<Vec<u32>>()
            };
            let work = told.iter().find_map(|told| match told {
                Told::Ended { ticket: ended, work, reason: End::Stop } if *ended == ticket => Some(*work),
                _ => None,
            });
            let work = work.unwrap_or_else(|| panic!("{told:?}"));
            let answer = tokenizer.decode(&ids(ticket), true);
            let event: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert!(event["urgent"].is_boolean() && ["person", "car"].contains(&event["label"].as_str().unwrap()));
            assert!(work.forced >= 18 && work.answered == ids(ticket).len(), "{work:?}");
            assert!(work.passes + work.forced <= work.answered, "{work:?}");
            assert_eq!(ids(other).len(), 24);
            answers.push(answer);
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {answers:?}");
    }
}

#[test]
fn an_answer_by_a_schema_that_is_cut_short_ends_by_its_length() {
    let tokenizer = Arc::new(tokenizer(&byte_level()));
    let constrainer = Constrainer::new(Arc::clone(&tokenizer), 300, &[264]).unwrap();
    let mut engine = engine_of(Architecture { vocabulary: 300, ..plain() }, 1, 16, 16, None);
    let ticket = engine.admit(&Request { answer_max: 5, ..request(vec![7, 8], 0.0) }).unwrap();
    let schema = r#"{"type": "object", "required": ["label"], "properties": {"label": {"const": "person"}}}"#;
    assert!(engine.constrain(ticket, constrainer.constraint(schema).unwrap()));
    let (tokens, end) = answers(&mut engine, &[ticket]).remove(0);
    assert_eq!((tokens.len(), end), (5, End::Length));
    assert!(!engine.constrain(ticket, constrainer.constraint(schema).unwrap()), "its ticket means nothing any more");
}

#[test]
fn a_prompt_s_known_beginning_is_not_computed_again() {
    let mut engine = engine(2, 64, 32, None);
    let mut prompt = text(50, 3);
    let first = engine.admit(&request(prompt.clone(), 0.0)).unwrap();
    assert_eq!(engine.work(first).unwrap().reused, 0);
    let before = answers(&mut engine, &[first]).remove(0);
    let again = engine.admit(&request(prompt.clone(), 0.0)).unwrap();
    assert_eq!(engine.work(again).unwrap().reused, 49);
    assert_eq!(answers(&mut engine, &[again]).remove(0), before);
    // A conversation that goes on: the answer is part of the next prompt.
    prompt.extend(&before.0);
    prompt.extend([7, 8, 9]);
    let wanted = alone(&request(prompt.clone(), 0.0));
    let next = engine.admit(&request(prompt.clone(), 0.0)).unwrap();
    // The last token of an answer was chosen and never computed.
    assert_eq!(engine.work(next).unwrap().reused, 50 + 23);
    assert_eq!(answers(&mut engine, &[next]).remove(0).0, wanted);
}

#[test]
fn what_is_remembered_gives_way() {
    // 5 pages: one answer of 74 positions needs 3, the remembered ones must go.
    let mut engine = engine(1, 64, 5, None);
    for first in 0..6 {
        let request = request(text(50, first), 0.0);
        let ticket = engine.admit(&request).unwrap();
        assert_eq!(answers(&mut engine, &[ticket]).remove(0).0, alone(&request), "{first}");
    }
}

#[test]
fn a_cancelled_answer_leaves_no_trace() {
    let mut engine = engine(2, 16, 16, None);
    let request = request(text(40, 3), 0.0);
    let (kept, cancelled) = (engine.admit(&request).unwrap(), engine.admit(&request).unwrap());
    let mut told = Vec::new();
    for _ in 0..2 {
        assert!(engine.step(Pace::ALONE, &mut told).unwrap());
    }
    engine.cancel(cancelled);
    assert_eq!((engine.at_work(), engine.work(cancelled)), (1, None));
    engine.cancel(cancelled);
    let other = engine.admit(&request).unwrap();
    assert_ne!(other, cancelled);
    let found = answers(&mut engine, &[kept, other]);
    assert_eq!(found[0], found[1]);
}

#[test]
fn refusals_say_the_sum() {
    let mut engine = engine(2, 16, 6, None);
    let told = |engine: &mut Engine, prompt, answer_max| {
        let request = Request { answer_max, ..request(text(prompt, 1), 0.0) };
        engine.admit(&request).map_err(|refused| refused.to_string())
    };
    assert!(told(&mut engine, 0, 1).unwrap_err().contains("no tokens"));
    assert!(told(&mut engine, 100, 29).unwrap_err().contains("prompt of 100 tokens and an answer of 29"));
    told(&mut engine, 100, 20).unwrap();
    assert_eq!(
        told(&mut engine, 64, 20).unwrap_err(),
        "3 pages of keys and values are wanted, but 4 of 6 are promised to other answers; ask again when one has ended, \
         or give the model a larger cache"
    );
    told(&mut engine, 40, 20).unwrap();
    assert!(told(&mut engine, 1, 1).unwrap_err().contains("all 2 slots are answering"));
}

#[test]
fn stop_tokens_end_an_answer_and_are_not_part_of_it() {
    let whole = alone(&request(text(40, 3), 0.0));
    let stop = whole[5];
    let before = whole.iter().position(|&token| token == stop).unwrap();
    let mut engine = engine(1, 64, 16, Some(Lookup::new(1, 4, 6).unwrap()));
    let ticket = engine.admit(&Request { stops: vec![stop], ..request(text(40, 3), 0.0) }).unwrap();
    assert_eq!(answers(&mut engine, &[ticket]), [(whole[..before].to_vec(), End::Stop)]);
}

#[test]
fn a_snapshot_makes_another_engine_remember() {
    let mut first = engine(1, 64, 8, None);
    let asked = request(text(50, 3), 0.0);
    assert_eq!((first.known(&asked.prompt), first.snapshot(&asked.prompt)), (0, None));
    let ticket = first.admit(&asked).unwrap();
    let wanted = answers(&mut first, &[ticket]).remove(0);
    assert_eq!(first.known(&asked.prompt), 49);
    let snapshot = first.snapshot(&asked.prompt).unwrap();
    assert_eq!(snapshot.tokens, asked.prompt[..49]);

    let mut second = engine(1, 64, 8, None);
    assert!(second.restore(&snapshot));
    let ticket = second.admit(&asked).unwrap();
    assert_eq!(second.work(ticket).unwrap().reused, 49);
    assert_eq!(answers(&mut second, &[ticket]).remove(0), wanted);

    let broken = |tokens: Vec<u32>, pages: Vec<u8>| Snapshot { tokens, pages };
    let Snapshot { tokens, pages } = snapshot;
    for bad in [
        broken(Vec::new(), Vec::new()),
        broken(tokens.clone(), pages[1..].to_vec()),
        broken(tokens[..20].to_vec(), pages.clone()),
        broken(vec![1; 129], pages),
    ] {
        assert!(!engine(1, 64, 8, None).restore(&bad), "{} tokens, {} bytes", bad.tokens.len(), bad.pages.len());
    }
}
