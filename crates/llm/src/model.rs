//! An opened language model as the forward pass reads it: every name looked up once, small vectors copied, matrices used in
//! place.

use std::ops::Range;
use std::sync::Arc;

use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::metadata::language::{Architecture, EMBEDDING_SCALE, Precision};

/// A matrix of the bundle: where it lies and how it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matrix {
    pub(crate) precision: Precision,
    /// N without padding.
    pub(crate) rows: usize,
    /// K, a multiple of 32.
    pub(crate) columns: usize,
    range: Range<usize>,
}

impl Matrix {
    /// Tiles of eight rows.
    pub(crate) const fn tiles(&self) -> usize {
        self.rows.div_ceil(8)
    }
}

/// What a layer has beside its matrices; absent where the architecture has no such thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floats {
    pub(crate) attention_norm: Option<Vec<f32>>,
    pub(crate) attention_after_norm: Option<Vec<f32>>,
    pub(crate) feed_forward_norm: Option<Vec<f32>>,
    pub(crate) feed_forward_after_norm: Option<Vec<f32>>,
    pub(crate) qkv_bias: Option<Vec<f32>>,
    pub(crate) query_norm: Option<Vec<f32>>,
    pub(crate) key_norm: Option<Vec<f32>>,
}

/// One layer.
#[derive(Clone, Debug)]
pub(crate) struct LayerWeights {
    pub(crate) qkv: Matrix,
    pub(crate) output: Matrix,
    pub(crate) gate_up: Matrix,
    pub(crate) down: Matrix,
    pub(crate) floats: Floats,
}

/// See the module. Share it as `Arc`.
#[derive(Debug)]
pub struct Model {
    bundle: Arc<LanguageBundle>,
    pub(crate) embedding: Matrix,
    /// The embedding where the model ties them.
    pub(crate) head: Matrix,
    pub(crate) norm: Vec<f32>,
    /// What the values of an embedding's row are multiplied with, where the head wants other columns than the stream.
    pub(crate) embedding_scale: Option<Vec<f32>>,
    pub(crate) layers: Vec<LayerWeights>,
}

/// A bundle that lacks what its architecture promises. The reader of bundles refuses such a file, so this is a bug.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the bundle has no tensor `{0}`; convert the model again")]
pub struct MissingTensor(pub String);

impl Model {
    /// Looks all tensors of the bundle up.
    ///
    /// # Errors
    /// When one is not there.
    pub fn new(bundle: Arc<LanguageBundle>) -> Result<Self, MissingTensor> {
        let architecture = &bundle.language().architecture;
        let matrix = |name: &str| matrix(&bundle, name);
        let layer = |index: usize| {
            let part = |part: &str| matrix(&format!("layers.{index}.{part}"));
            Ok(LayerWeights {
                qkv: part("attention.qkv")?,
                output: part("attention.output")?,
                gate_up: part("feed_forward.gate_up")?,
                down: part("feed_forward.down")?,
                floats: floats(&bundle, index),
            })
        };
        let embedding = matrix("embedding")?;
        let head = if architecture.tied_embedding { embedding.clone() } else { matrix("head")? };
        let norm = bundle.floats("norm").ok_or_else(|| MissingTensor(String::from("norm")))?.to_vec();
        let embedding_scale = bundle.floats(EMBEDDING_SCALE).map(<[f32]>::to_vec);
        let layers = (0..architecture.layers.len()).map(layer).collect::<Result<_, _>>()?;
        Ok(Self { embedding, head, norm, embedding_scale, layers, bundle })
    }

    /// What it computes.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.bundle.language().architecture
    }

    /// The file it lies in.
    #[must_use]
    pub const fn bundle(&self) -> &Arc<LanguageBundle> {
        &self.bundle
    }

    pub(crate) fn bytes(&self, matrix: &Matrix) -> &[u8] {
        &self.bundle.bytes()[matrix.range.clone()]
    }
}

fn matrix(bundle: &LanguageBundle, name: &str) -> Result<Matrix, MissingTensor> {
    let missing = || MissingTensor(name.to_owned());
    let (view, range) = (bundle.matrix(name).ok_or_else(missing)?, bundle.range(name).ok_or_else(missing)?);
    Ok(Matrix { precision: view.precision, rows: view.rows, columns: view.columns, range })
}

fn floats(bundle: &LanguageBundle, layer: usize) -> Floats {
    let part = |part: &str| bundle.floats(&format!("layers.{layer}.{part}")).map(<[f32]>::to_vec);
    Floats {
        attention_norm: part("attention.norm"),
        attention_after_norm: part("attention.after_norm"),
        feed_forward_norm: part("feed_forward.norm"),
        feed_forward_after_norm: part("feed_forward.after_norm"),
        qkv_bias: part("attention.qkv_bias"),
        query_norm: part("attention.query_norm"),
        key_norm: part("attention.key_norm"),
    }
}
