//! A language model that is ready to answer: a bundle, its tokenizer, its chat template and an engine over it.

#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;

use std::path::Path;
use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::constrain::{Constrainer, ConstraintError};
use clawdbot_llm::engine::{Engine, Refused};
use clawdbot_llm::forward::{Forward, Limits};
use clawdbot_llm::kv_cache::{KvCache, Shape};
use clawdbot_llm::lookup::Lookup;
use clawdbot_llm::model::{MissingTensor, Model};
use clawdbot_llm::template::{ChatTemplate, Conversation, Message, TemplateError};
use clawdbot_llm::tokenizer::{Tokenizer, TokenizerError};
use clawdbot_nn::bundle::BundleError;
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::metadata::language::{Language, SpecialTokens};
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
    /// It only goes on from texts.
    #[error(
        "the model has no chat template, so it is not made to answer; let it go on from a prompt, or take one that has"
    )]
    NoTemplate,
    /// Its answers cannot be held to a schema, or the schema is none.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// A question does not fit.
    #[error(transparent)]
    Refused(#[from] Refused),
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

/// Bytes that [`engine`] takes beside the weights: keys, values, and buffers as far as they count.
///
/// # Errors
/// As [`engine`].
pub(crate) fn memory_bytes(model: &Model, options: Options) -> Result<u64, LanguageError> {
    let architecture = model.architecture();
    let pages = options.slots * Shape::pages(context(model, options.context)?);
    let cache = pages * Forward::cache_shape(model, options.format).page_bytes();
    let rows = 4 * architecture.width + 3 * architecture.qkv_rows() + 4 * architecture.feed_forward;
    let logits = options.pass.min(options.slots * (GUESSES + 1)) + 5 * options.slots + 1;
    Ok((cache + 4 * (rows * options.pass + logits * architecture.vocabulary)) as u64)
}

/// The recipe that the model in `bundle` was packed by: that of all its layers' matrices, else `mixed`. The embedding and the head
/// have their own precision under most recipes.
pub(crate) fn recipe(bundle: &LanguageBundle) -> &'static str {
    let of_layers = bundle.names().filter(|name| name.starts_with("layers."));
    let mut precisions = of_layers.filter_map(|name| bundle.matrix(name)).map(|matrix| matrix.precision);
    match precisions.next() {
        Some(first) if precisions.all(|precision| precision == first) => first.name(),
        _ => "mixed",
    }
}

/// Positions of a sequence, where so many are `wanted`.
///
/// # Errors
/// When the model was made for fewer.
pub(crate) fn context(model: &Model, wanted: Option<usize>) -> Result<usize, LanguageError> {
    let max = model.architecture().context;
    let context = wanted.unwrap_or(max.min(CONTEXT));
    if context > max { Err(LanguageError::Context { wanted: context, max }) } else { Ok(context) }
}

fn forward(
    model: &Arc<Model>,
    workers: Arc<Workers>,
    isa: Isa,
    options: Options,
    logits: usize,
) -> Result<(Forward, KvCache), LanguageError> {
    let context = context(model, options.context)?;
    let limits = Limits { tokens: options.pass, logits, context };
    let forward = Forward::new(Arc::clone(model), workers, isa, limits);
    let pages = u32::try_from(options.slots * Shape::pages(context)).unwrap_or(u32::MAX);
    Ok((forward, KvCache::new(Forward::cache_shape(model, options.format), pages)))
}

/// A model's way from text to tokens.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) template: Option<ChatTemplate>,
    /// The model's control tokens.
    pub(crate) special: SpecialTokens,
    vocabulary: usize,
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
        let (special, vocabulary) = (tokens.clone(), architecture.vocabulary);
        Ok(Self { tokenizer: Arc::new(tokenizer), template, special, vocabulary })
    }

    /// The tokens that ask for an answer to `messages`, in the model's own chat form. Their texts are foreign: none of them
    /// can spell a control token.
    ///
    /// # Errors
    /// When the model has no such form, or the messages do not fit it.
    pub(crate) fn conversation(&self, messages: &[Message]) -> Result<Vec<u32>, LanguageError> {
        let template = self.template.as_ref().ok_or(LanguageError::NoTemplate)?;
        let conversation = Conversation { messages, add_generation_prompt: true, date: None, thinking: None };
        let rendered = template.render(self.tokenizer.marking(), &conversation)?;
        Ok(self.tokenizer.encode(&rendered.text)?)
    }

    /// The tokens of a text that the model is to go on from; foreign, too.
    ///
    /// # Errors
    /// When it is too long.
    pub(crate) fn beginning(&self, text: &str) -> Result<Vec<u32>, LanguageError> {
        let ids = self.tokenizer.encode_foreign(text)?;
        Ok(self.special.begin.filter(|_| self.special.add_begin).into_iter().chain(ids).collect())
    }

    /// What holds answers to a schema. Takes a second for large vocabularies, so it is made once, and only when wanted.
    ///
    /// # Errors
    /// When the vocabulary is not one that can be walked.
    pub(crate) fn constrainer(&self) -> Result<Constrainer, LanguageError> {
        Ok(Constrainer::new(Arc::clone(&self.tokenizer), self.vocabulary, &self.special.stops)?)
    }
}
