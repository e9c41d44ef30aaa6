//! Which tensors an architecture has, in the order in which a bundle stores them, and how each is packed.

use super::{Architecture, NormPlacement, QueryKeyNorm};
use crate::tensor::DataType;

/// Rows of one packed tile.
const TILE: usize = 8;
/// Columns that share a scale.
const GROUP: usize = 32;

/// What an embedding's row is multiplied with, channel by channel; see [`Architecture::optional_tensors`].
pub const EMBEDDING_SCALE: &str = "embedding_scale";

/// How a matrix is stored. N is its rows padded to 8 with zeros, K its columns; the shape tells which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// F16 `[N/8][K][8]`.
    F16,
    /// U8 `[N/8][K/32][272]`: F16 scale of 8 rows, then 8 tiles of 8 rows x 4 columns, -127..=127.
    Int8,
    /// U8 `[N/8][K/32][144]`: F16 scale of 8 rows, then 4 tiles of 8 rows x 8 columns, offset 8, columns 0..4 of a tile in
    /// the low nibbles.
    Int4,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F16, Self::Int8, Self::Int4];

    /// As the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// Type and shape of a matrix of `rows` x `columns`, the latter a multiple of 32.
    #[must_use]
    pub fn packed(self, rows: usize, columns: usize) -> (DataType, Vec<usize>) {
        let tiles = rows.div_ceil(TILE);
        match self {
            Self::F16 => (DataType::F16, vec![tiles, columns, TILE]),
            Self::Int8 => (DataType::U8, vec![tiles, columns / GROUP, 2 * TILE + GROUP * TILE]),
            Self::Int4 => (DataType::U8, vec![tiles, columns / GROUP, 2 * TILE + GROUP * TILE / 2]),
        }
    }

    /// Which one a tensor of this type and shape is, if it holds `rows` x `columns`.
    #[must_use]
    pub fn of(data_type: DataType, shape: &[usize], rows: usize, columns: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| {
            let (wanted_type, wanted_shape) = precision.packed(rows, columns);
            wanted_type == data_type && wanted_shape == shape
        })
    }
}

/// A tensor that an architecture has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorWanted {
    /// `layers.3.attention.qkv`.
    pub name: String,
    /// What it holds.
    pub form: TensorForm,
}

/// What a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorForm {
    /// Weights, packed in any [`Precision`].
    Matrix {
        /// Results, N.
        rows: usize,
        /// Values that each result reads, K.
        columns: usize,
    },
    /// F32 `[length]`: a norm's weights, or a bias.
    Floats {
        /// How many.
        length: usize,
    },
}

impl TensorForm {
    /// How many numbers it holds.
    #[must_use]
    pub const fn parameters(self) -> u64 {
        match self {
            Self::Matrix { rows, columns } => rows as u64 * columns as u64,
            Self::Floats { length } => length as u64,
        }
    }
}

impl Architecture {
    /// Every tensor but the tokenizer, in the order in which a bundle stores them: first all norms and biases, which are
    /// small and read at once, then the matrices in the order in which a token meets them.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorWanted> {
        let floats = |name: String, length| TensorWanted { name, form: TensorForm::Floats { length } };
        let matrix = |name: String, rows, columns| TensorWanted { name, form: TensorForm::Matrix { rows, columns } };
        let &Self { width, feed_forward, vocabulary, .. } = self;
        let mut wanted = Vec::new();
        for layer in 0..self.layers.len() {
            for (part, length) in self.layer_floats() {
                wanted.push(floats(format!("layers.{layer}.{part}"), length));
            }
        }
        wanted.push(floats(String::from("norm"), width));
        wanted.push(matrix(String::from("embedding"), vocabulary, width));
        for layer in 0..self.layers.len() {
            let matrices = [
                ("attention.qkv", self.qkv_rows(), width),
                ("attention.output", width, self.query_rows()),
                ("feed_forward.gate_up", 2 * feed_forward, width),
                ("feed_forward.down", width, feed_forward),
            ];
            for (part, rows, columns) in matrices {
                wanted.push(matrix(format!("layers.{layer}.{part}"), rows, columns));
            }
        }
        if !self.tied_embedding {
            wanted.push(matrix(String::from("head"), vocabulary, width));
        }
        wanted
    }

    /// Tensors that a bundle may have besides. Where the head is the embedding, a converter that scales the head's columns
    /// (the last norm undoes it) says by [`EMBEDDING_SCALE`] how the embedding's rows become what they were: F32 `[width]`.
    #[must_use]
    pub fn optional_tensors(&self) -> Vec<TensorWanted> {
        if !self.tied_embedding {
            return Vec::new();
        }
        vec![TensorWanted { name: EMBEDDING_SCALE.to_owned(), form: TensorForm::Floats { length: self.width } }]
    }

    fn layer_floats(&self) -> Vec<(&'static str, usize)> {
        let mut parts = Vec::new();
        if self.norms != NormPlacement::After {
            parts.extend([("attention.norm", self.width), ("feed_forward.norm", self.width)]);
        }
        if self.norms != NormPlacement::Before {
            parts.extend([("attention.after_norm", self.width), ("feed_forward.after_norm", self.width)]);
        }
        if self.qkv_bias {
            parts.push(("attention.qkv_bias", self.qkv_rows()));
        }
        let norms = match self.query_key_norm {
            QueryKeyNorm::None => None,
            QueryKeyNorm::PerHead => Some((self.head_dim, self.head_dim)),
            QueryKeyNorm::Whole => Some((self.query_rows(), self.key_rows())),
        };
        if let Some((query, key)) = norms {
            parts.extend([("attention.query_norm", query), ("attention.key_norm", key)]);
        }
        parts
    }
}
