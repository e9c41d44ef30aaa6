use proptest::prelude::*;

use super::*;
use crate::fixtures::{by_characters, byte_level, smollm2, tokenizer};
use crate::sampler::{Random, Sampler, Sampling, SamplingOptions};

const EVENT: &str = r#"{"type": "object", "additionalProperties": false, "required": ["label", "count", "urgent"], "properties": {
    "label": {"enum": ["person", "car"]}, "count": {"type": "integer", "minimum": 0, "maximum": 20}, "urgent": {"type": "boolean"}}}"#;

fn constrainer() -> Constrainer {
    Constrainer::new(Arc::new(tokenizer(&byte_level())), 300, &[264]).unwrap()
}

/// An answer of a model that knows nothing: random logits under the mask, forced tokens taken as they come.
fn babble(constrainer: &Constrainer, tokenizer: &Tokenizer, schema: &str, seed: u64) -> (String, usize) {
    let (mut constraint, mut mask) = (constrainer.constraint(schema).unwrap(), constrainer.mask());
    let sampling =
        Sampling::new(SamplingOptions { temperature: 1.0, top_k: 0, top_p: 1.0, seed, ..SamplingOptions::default() });
    let vocabulary = constrainer.vocabulary;
    let mut sampler = Sampler::new(sampling.unwrap(), vocabulary);
    let mut random = Random::new(seed);
    let (mut ids, mut forced) = (Vec::new(), 0);
    while !constraint.has_ended() {
        let must = constraint.forced();
        if !must.is_empty() {
            assert_eq!(constraint.allowed_run(&must), Ok(must.len()));
            constraint.accept(&must).unwrap();
            forced += must.len();
            ids.extend(must);
            continue;
        }
        constraint.allowed(&mut mask).unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "any logits will do")]
        let logits: Vec<f32> = (0..vocabulary).map(|_| random.unit() as f32).collect();
        let id = sampler.sample(&logits, Some(&mask)).unwrap();
        constraint.accept(&[id]).unwrap();
        ids.push(id);
        assert!(ids.len() < 1000);
    }
    assert!(constraint.is_complete());
    (tokenizer.decode(&ids, false), forced)
}

#[track_caller]
fn check_event(answer: &str) {
    let event: Value = serde_json::from_str(answer).unwrap();
    assert!(["person", "car"].contains(&event["label"].as_str().unwrap()), "{answer}");
    assert!(event["count"].as_u64().unwrap() <= 20 && event["urgent"].is_boolean(), "{answer}");
    assert!(!answer.contains(char::is_whitespace), "{answer}");
}

#[test]
fn whatever_the_model_says_holds_to_the_schema() {
    let (constrainer, tokenizer) = (constrainer(), tokenizer(&byte_level()));
    for seed in 0..20 {
        let (answer, forced) = babble(&constrainer, &tokenizer, EVENT, seed);
        check_event(&answer);
        assert!(forced >= 20, "keys and punctuation are forced: {forced} in {answer}");
    }
}

#[test]
fn smollm2_is_held_to_a_schema() {
    let Some(tokenizer) = smollm2() else {
        return;
    };
    let json = crate::fixtures::data("llm/smollm2-tokenizer.json").unwrap();
    let shared = Arc::new(Tokenizer::new(&json, 49_152).unwrap());
    let constrainer = Constrainer::new(shared, 49_152, &[2, 0]).unwrap();
    let (answer, forced) = babble(&constrainer, tokenizer, EVENT, 3);
    check_event(&answer);
    assert!(forced >= 5, "{forced} in {answer}");
}

#[test]
fn no_control_token_is_part_of_a_string() {
    let constrainer = constrainer();
    let mut constraint = constrainer.constraint(r#"{"type": "string"}"#).unwrap();
    let mut mask = constrainer.mask();
    constraint.accept(&[u32::from(b'"')]).unwrap();
    constraint.allowed(&mut mask).unwrap();
    assert!(mask.allows(97) && !(264..300).any(|id| mask.allows(id)), "text, but no control token and no white space");
    assert!(!constraint.is_complete());
    constraint.accept(&[u32::from(b'"')]).unwrap();
    assert!(constraint.is_complete());
    constraint.allowed(&mut mask).unwrap();
    assert!(mask.allows(264) && !mask.allows(97), "then the end and nothing else");
}

#[test]
fn characters_are_constrained_without_forcing() {
    let json = by_characters();
    let vocabulary = json["model"]["vocab"].as_object().unwrap().len();
    let constrainer = Constrainer::new(Arc::new(tokenizer(&json)), vocabulary, &[2]).unwrap();
    let mut constraint = constrainer.constraint(r#"{"enum": ["hello"]}"#).unwrap();
    assert_eq!(constraint.forced(), Vec::<u32>::new());
    let mut mask = constrainer.mask();
    constraint.allowed(&mut mask).unwrap();
    assert!(mask.allows(3 + u32::from(b'"')), "as a byte");
}

#[test]
fn what_is_no_schema_is_named() {
    let constrainer = constrainer();
    let refused = |schema: &str| constrainer.constraint(schema).err().unwrap().to_string();
    assert!(refused("{").starts_with("the schema is not JSON"));
    assert_eq!(refused("[]"), "the schema is a list, but a JSON Schema is an object; correct it");
    assert!(refused("false").contains("nothing satisfies") && refused("7").contains("a number"));
    assert!(refused(r#"{"type": "banana"}"#).contains("banana"));
    assert!(refused(r#"{"type": 7}"#).starts_with("the schema cannot be used"));
    assert!(refused(r#"{"$ref": "https://example.org/x"}"#).starts_with("the schema cannot be used"));
    assert!(refused(r#"{"type": "string", "pattern": "("}"#).starts_with("the schema cannot be used"));
    assert!(refused(r#"{"type": "integer", "minimum": 5, "maximum": 4}"#).starts_with("the schema cannot be used"));
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(SCHEMA_BYTES_MAX));
    assert!(refused(&long).contains("262144 are the most"));
    assert!(constrainer.constraint("true").is_ok());
}

#[test]
fn a_token_that_is_not_allowed_is_an_error() {
    let mut constraint = constrainer().constraint(EVENT).unwrap();
    assert_eq!(constraint.allowed_run(&[97]), Ok(0));
    assert!(matches!(constraint.accept(&[97]), Err(ConstraintError::Answer(_))));
}

#[test]
fn a_vocabulary_that_does_not_fit_is_named() {
    let new = |vocabulary, ends: &[u32]| {
        Constrainer::new(Arc::new(tokenizer(&byte_level())), vocabulary, ends).err().unwrap()
    };
    assert!(new(300, &[]).to_string().contains("no token that ends an answer"));
    assert!(new(300, &[300]).to_string().contains("its end 300 is none of its 300 tokens"));
    assert!(new(1 << 24, &[264]).to_string().contains("are the most"));
}

proptest! {
    #[test]
    fn damaged_schemas_never_panic(at in 0_usize..280, piece in "[{}\\[\\]\",:a-z0-9$]{0,5}") {
        use std::sync::LazyLock;
        static CONSTRAINER: LazyLock<Constrainer> = LazyLock::new(constrainer);
        let at = at.min(EVENT.len());
        let schema = format!("{}{piece}{}", &EVENT[..at], &EVENT[(at + 1).min(EVENT.len())..]);
        if let Ok(mut constraint) = CONSTRAINER.constraint(&schema) {
            constraint.allowed(&mut CONSTRAINER.mask()).ok();
        }
    }
}
