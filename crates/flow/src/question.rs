//! What is asked of the language model, and by whom.

use crate::clock::Monotonic;

/// A question on its way to a slot of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Who wants to know; where the answer goes.
    pub asker: Asker,
    /// What is asked.
    pub matter: Matter,
    /// Most tokens of the answer; the configured number without.
    pub answer_max: Option<usize>,
    /// How tokens are chosen.
    pub choice: Choice,
    /// The answer ends before any of these texts.
    pub stops: Vec<String>,
    /// The JSON Schema, as text, that the answer is held to.
    pub schema: Option<String>,
    /// When it was asked.
    pub asked_at: Monotonic,
    /// When nobody will want the answer any more.
    pub deadline: Option<Monotonic>,
    /// Of two that wait, the higher one goes first.
    pub priority: u8,
    /// Whether the asker listens while the answer grows.
    pub streams: bool,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// A client of the broker; both are levels of a topic.
    Client {
        /// Which.
        client: String,
        /// Its own name for the question.
        id: String,
    },
    /// A task of the configuration, by its id.
    Task(String),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// A conversation that the model is to answer; at least one turn.
    Conversation(Vec<Turn>),
    /// A text that the model is to go on from.
    Beginning(String),
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// Sets the scene.
    System,
    /// Asks.
    User,
    /// The model, earlier.
    Assistant,
}

/// How tokens are chosen; what is absent is the model's default. Ranges are checked by the sampler.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choice {
    /// 0 takes the likeliest.
    pub temperature: Option<f32>,
    /// Only so many likeliest; 0 for all.
    pub top_k: Option<u32>,
    /// Only the fewest likeliest with this share of the probability.
    pub top_p: Option<f32>,
    /// Only those with this share of the likeliest one's probability.
    pub min_p: Option<f32>,
    /// How much tokens that occurred are held back; 1 for not at all.
    pub repetition_penalty: Option<f32>,
    /// Of the random numbers.
    pub seed: Option<u64>,
}
