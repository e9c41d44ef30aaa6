//! What the matrices of a model read on a text: the mean square of each column's input.
//!
//! The model is written once more in F16, beside the bundle that is wanted, and run from there: mapped, it takes no more
//! memory than the machine likes to spare, whatever its size. The file goes away in the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clawdbot_kernels::linear::ROWS;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::forward::{Forward, Limits, Span, Wanted};
use clawdbot_llm::kv_cache::{KvCache, Sequence, Shape};
use clawdbot_llm::model::Model;
use clawdbot_llm::pace::Pace;
use clawdbot_llm::tokenizer::Tokenizer;
use clawdbot_llm::watch::{Reader, Watch};
use clawdbot_nn::bundle::language::LanguageBundle;

use super::{LanguageDraft, LanguageError, LanguageProgress, LanguageTarget, write};
use crate::network::Compute;

/// Tokens that see each other.
const WINDOW: usize = 512;
/// Tokens that are taken of a text.
const TOKENS_MAX: usize = 4096;
/// Pages of a window.
const PAGES: u32 = Shape::pages(WINDOW) as u32;
/// Fewer say too little.
const TOKENS_MIN: usize = 256;

/// For every matrix the mean squares of its columns' inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calibration {
    pub(super) tokens: usize,
    pub(super) squares: BTreeMap<Reader, Vec<f32>>,
}

/// A file that goes away.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        // It may never have been written; where it can't be removed, the next conversion writes over it.
        drop(std::fs::remove_file(&self.0));
    }
}

/// Sums of squares, as they are told.
#[derive(Clone, Debug, Default)]
struct Sums(Arc<Mutex<BTreeMap<Reader, Vec<f64>>>>);

impl Watch for Sums {
    fn reads(&mut self, reader: Reader, tokens: usize, values: &[f32]) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = sums.entry(reader).or_insert_with(|| vec![0.0; values.len() / tokens]);
        for (sums, eights) in sums.as_chunks_mut::<ROWS>().0.iter_mut().zip(values.chunks_exact(ROWS * tokens)) {
            for eight in eights.as_chunks::<ROWS>().0 {
                sums.iter_mut().zip(eight).for_each(|(sum, &value)| *sum += f64::from(value) * f64::from(value));
            }
        }
    }
}

/// Runs the model on `text`; what it writes lies beside `output`.
pub(super) fn calibrate(
    draft: &LanguageDraft,
    text: &str,
    output: &Path,
    compute: &Compute,
    progress: &mut dyn FnMut(LanguageProgress),
) -> Result<Calibration, LanguageError> {
    let tokens = tokens(draft, text)?;
    let mut beside = output.as_os_str().to_owned();
    beside.push(".calibration");
    let path = Passing(beside.into());
    let plan = write::Plan::plain(LanguageTarget::F16);
    write::write(draft, &draft.origin, &path.0, &plan, compute, progress)?;
    let bundle = LanguageBundle::open(&path.0)?;
    let model = Model::new(Arc::new(bundle)).map_err(|error| LanguageError::Calibration(error.to_string()))?;
    let model = Arc::new(model);
    let limits = Limits { tokens: WINDOW, logits: WINDOW, context: WINDOW };
    let mut cache = KvCache::new(Forward::cache_shape(&model, Format::F16), PAGES);
    let mut forward = Forward::new(model, Arc::clone(&compute.workers), compute.isa, limits);
    let sums = Sums::default();
    forward.watch(Box::new(sums.clone()));
    let mut sequence = Sequence::with_capacity(WINDOW);
    let mut done = 0;
    for window in tokens.chunks(WINDOW) {
        let span = Span { sequence: &mut sequence, tokens: window, logits: Wanted::All };
        let result = forward.run(&mut cache, &mut [span], Pace::ALONE);
        result.map_err(|error| LanguageError::Calibration(error.to_string()))?;
        cache.release(&mut sequence);
        done += window.len();
        progress(LanguageProgress::Read(done as u64, tokens.len() as u64));
    }
    let sums = std::mem::take(&mut *sums.0.lock().unwrap_or_else(PoisonError::into_inner));
    let mean = |sums: Vec<f64>| sums.into_iter().map(|sum| (sum / done as f64) as f32).collect();
    Ok(Calibration { tokens: done, squares: sums.into_iter().map(|(reader, sums)| (reader, mean(sums))).collect() })
}

/// The text's first tokens.
fn tokens(draft: &LanguageDraft, text: &str) -> Result<Vec<u32>, LanguageError> {
    let why = |reason: &str| LanguageError::Calibration(reason.to_owned());
    let vocabulary = draft.language.architecture.vocabulary;
    let tokenizer =
        draft.tokenizer().ok_or_else(|| why("the model came without a tokenizer, so it cannot read text"))?;
    let tokenizer = Tokenizer::new(tokenizer, vocabulary).map_err(|error| why(&error.to_string()))?;
    let mut tokens = tokenizer.encode_foreign(text).map_err(|error| why(&error.to_string()))?;
    tokens.truncate(TOKENS_MAX);
    if tokens.len() < TOKENS_MIN {
        let found = tokens.len();
        return Err(why(&format!("the text has {found} tokens, and {TOKENS_MIN} are the least; give a longer one")));
    }
    Ok(tokens)
}
