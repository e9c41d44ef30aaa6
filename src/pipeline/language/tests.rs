pub(crate) mod made_up;

use std::io::Write as _;
use std::path::Path;

use clawdbot_nn::metadata::language::Precision;

use super::*;

/// SmolLM2's tokenizer, which may not be part of the repository; `None`, said aloud, where it is missing and may be.
fn tokenizer() -> Option<Tokenizer> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/llm/smollm2-tokenizer.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(Tokenizer::new(&text, 49_152).unwrap()),
        Err(error) => {
            assert!(std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_none(), "{}: {error}", path.display());
            // Written past the test runner's capture, which shows nothing of a test that passes.
            std::io::stderr().write_all(format!("SKIPPED: {}: {error}\n", path.display()).as_bytes()).unwrap();
            None
        }
    }
}

/// Passes that a model takes to write `answer` behind `prompt`: each gives the guesses that are right and a token of its own.
fn passes(lookup: &Lookup, prompt: &[u32], answer: &[u32]) -> usize {
    let all = [prompt, answer].concat();
    // The pass that ends the prompt gives the first token.
    let (mut known, mut passes, mut guesses) = (prompt.len() + 1, 1, Vec::new());
    while known < all.len() {
        lookup.draft(&all[..known], &mut guesses);
        let right = guesses.iter().zip(&all[known..]).take_while(|(guess, token)| guess == token).count();
        known += right + 1;
        passes += 1;
    }
    passes
}

/// Of the example in docs/reference/generate.md, if the model makes no mistake and no schema spares it a token.
#[test]
fn the_right_summary_of_events_comes_at_two_tokens_a_pass_and_more() {
    let Some(tokenizer) = tokenizer() else { return };
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/examples").join(name);
        tokenizer.encode_foreign(std::fs::read_to_string(path).unwrap().trim_end()).unwrap()
    };
    let (prompt, answer) = (read("events.txt"), read("events.answer.json"));
    let lookup = Lookup::new(RUNS[0], RUNS[1], GUESSES).unwrap();
    let guessed = passes(&lookup, &prompt, &answer);
    assert_eq!((answer.len(), guessed), (125, 36), "docs/reference/generate.md tells the figure");
    let none = Lookup::new(RUNS[0], RUNS[1], 0).unwrap();
    assert_eq!(passes(&none, &prompt, &answer), answer.len());
}

/// The embedding does not count: the recipe `int4` keeps it in INT8.
#[test]
fn a_recipe_is_told_by_the_layers() {
    let told = |precision: &dyn Fn(&str) -> Precision| {
        let folder = tempfile::tempdir().unwrap();
        recipe(&LanguageBundle::open(&made_up::model_of(folder.path(), precision)).unwrap())
    };
    let embedding = |name: &str| name == "embedding";
    assert_eq!(told(&|_| Precision::F16), "f16");
    assert_eq!(told(&|_| Precision::Int8), "int8");
    assert_eq!(told(&|name| if embedding(name) { Precision::Int8 } else { Precision::Int4 }), "int4");
    assert_eq!(told(&|name| if name.ends_with("qkv") { Precision::Int8 } else { Precision::Int4 }), "mixed");
}

#[test]
fn a_context_is_the_model_s_or_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let model = open_model(&made_up::model(folder.path())).unwrap();
    assert_eq!((context(&model, None).unwrap(), context(&model, Some(100)).unwrap()), (512, 100));
    assert!(matches!(context(&model, Some(513)), Err(LanguageError::Context { wanted: 513, max: 512 })));
}
