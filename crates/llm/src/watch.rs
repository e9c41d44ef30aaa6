//! What the matrices of a pass read, told to who asks: a converter measures it to know which weights matter.

use std::fmt::Debug;

/// A matrix of the model, by who reads it. Matrices of attention and of the feed-forward part carry their layer's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// q, k and v.
    Qkv(usize),
    /// What attention's results go through.
    Output(usize),
    /// Gate and up.
    GateUp(usize),
    /// Down.
    Down(usize),
    /// The head, which may be the embedding.
    Head,
}

impl Reader {
    /// By the name of the bundle's tensor; `None` for the embedding, which reads nothing.
    #[must_use]
    pub fn of(tensor: &str) -> Option<Self> {
        if tensor == "head" {
            return Some(Self::Head);
        }
        let (layer, part) = tensor.strip_prefix("layers.")?.split_once('.')?;
        let layer = layer.parse().ok()?;
        match part {
            "attention.qkv" => Some(Self::Qkv(layer)),
            "attention.output" => Some(Self::Output(layer)),
            "feed_forward.gate_up" => Some(Self::GateUp(layer)),
            "feed_forward.down" => Some(Self::Down(layer)),
            _ => None,
        }
    }
}

/// Who is told. It is called in the middle of a pass, so what it does counts as the pass's time.
pub trait Watch: Debug + Send + Sync {
    /// `reader` is about to read `values`, `[K/8][T][8]` of `tokens` tokens (docs/decisions/0005-language-model.md).
    fn reads(&mut self, reader: Reader, tokens: usize, values: &[f32]);
}

/// Tells, if there is somebody.
pub(crate) fn tell(watch: &mut Option<Box<dyn Watch>>, reader: Reader, tokens: usize, values: &[f32]) {
    if let Some(watch) = watch {
        watch.reads(reader, tokens, values);
    }
}
