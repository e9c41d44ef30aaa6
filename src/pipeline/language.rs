//! A language model that is ready to answer: a bundle, its tokenizer, its chat template and an engine over it.

use std::path::Path;
use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::engine::Engine;
use clawdbot_llm::forward::{Forward, Limits};
use clawdbot_llm::kv_cache::{KvCache, Shape};
use clawdbot_llm::lookup::Lookup;
use clawdbot_llm::model::{MissingTensor, Model};
use clawdbot_llm::template::{ChatTemplate, TemplateError};
use clawdbot_llm::tokenizer::{Tokenizer, TokenizerError};
use clawdbot_nn::bundle::BundleError;
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::metadata::language::Language;
use clawdbot_nn::workers::Workers;

/// Lookup compares runs of 2 to 5 tokens: shorter ones are chance, longer ones are found by their end.
const RUNS: [usize; 2] = [2, 5];
/// Guesses of a pass: what costs about as much as one token where weights come from memory (`llm.md` section 3).
const GUESSES: usize = 6;

/// Why there is no language model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LanguageError {
    /// The file is no good.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It lacks a part.
    #[error(transparent)]
    Missing(#[from] MissingTensor),
    /// Its tokenizer is no good.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Its chat template is no good.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It was converted without a tokenizer.
    #[error(
        "the model came without a tokenizer, so it cannot read text; convert it again from a folder with its tokenizer.json"
    )]
    NoTokenizer,
    /// Nothing fits.
    #[error("a context of {wanted} is wanted, but the model was made for {max} positions; ask for that or less")]
    Context {
        /// As asked for.
        wanted: usize,
        /// The model's.
        max: usize,
    },
}

/// For how much memory is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Positions of a sequence; the model's own, but at most 4096, without.
    pub(crate) context: Option<usize>,
    /// Answers at once.
    pub(crate) slots: usize,
    /// Tokens of one pass.
    pub(crate) pass: usize,
    /// How keys and values are kept.
    pub(crate) format: Format,
    /// Whether to guess at next tokens.
    pub(crate) lookup: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { context: None, slots: 1, pass: 64, format: Format::I8, lookup: true }
    }
}

/// The context that is opened where nobody says which.
const CONTEXT: usize = 4096;

/// Maps the bundle at `path`.
///
/// # Errors
/// When it is no language model's bundle.
pub(crate) fn open_model(path: &Path) -> Result<Arc<Model>, LanguageError> {
    Ok(Arc::new(Model::new(Arc::new(LanguageBundle::open(path)?))?))
}

/// An engine over `model`.
///
/// # Errors
/// When the context is larger than the model's.
pub(crate) fn engine(
    model: &Arc<Model>,
    workers: Arc<Workers>,
    isa: Isa,
    options: Options,
) -> Result<Engine, LanguageError> {
    // A prompt's pieces want one row each, an answer one for each guess.
    let logits = options.pass.min(options.slots * (GUESSES + 1));
    let (forward, cache) = forward(model, workers, isa, options, logits)?;
    let lookup = options.lookup.then(|| Lookup::new(RUNS[0], RUNS[1], GUESSES).ok()).flatten();
    Ok(Engine::new(forward, cache, options.slots, lookup))
}

/// A forward pass and its cache, for a caller who wants logits of every token.
///
/// # Errors
/// As [`engine`].
pub(crate) fn forward_for_all(
    model: &Arc<Model>,
    workers: Arc<Workers>,
    isa: Isa,
    options: Options,
) -> Result<(Forward, KvCache), LanguageError> {
    forward(model, workers, isa, options, options.pass)
}

fn forward(
    model: &Arc<Model>,
    workers: Arc<Workers>,
    isa: Isa,
    options: Options,
    logits: usize,
) -> Result<(Forward, KvCache), LanguageError> {
    let max = model.architecture().context;
    let context = options.context.unwrap_or(max.min(CONTEXT));
    if context > max {
        return Err(LanguageError::Context { wanted: context, max });
    }
    let limits = Limits { tokens: options.pass, logits, context };
    let forward = Forward::new(Arc::clone(model), workers, isa, limits);
    let pages = u32::try_from(options.slots * Shape::pages(context)).unwrap_or(u32::MAX);
    Ok((forward, KvCache::new(Forward::cache_shape(model, options.format), pages)))
}

/// A model's way from text to tokens.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
}

impl Words {
    /// Of the model in `bundle`.
    ///
    /// # Errors
    /// When it has no tokenizer, or one that makes no sense.
    pub(crate) fn new(bundle: &LanguageBundle) -> Result<Self, LanguageError> {
        let Language { architecture, tokens, chat_template, .. } = bundle.language();
        let text = bundle.tokenizer().ok_or(LanguageError::NoTokenizer)?;
        let tokenizer = Tokenizer::new(text, architecture.vocabulary)?;
        let spelt = |id: Option<u32>| {
            id.map(|id| String::from_utf8_lossy(tokenizer.bytes(id)).into_owned()).unwrap_or_default()
        };
        let (begin, end) = (spelt(tokens.begin), spelt(tokens.stops.first().copied()));
        let template = chat_template.as_ref().map(|source| ChatTemplate::new(source, &begin, &end)).transpose()?;
        Ok(Self { tokenizer, template })
    }
}
