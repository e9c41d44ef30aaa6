//! A dense array with a shape: what importers read and the converter computes with. The executor's activations live in
//! its arena instead.

use serde::{Deserialize, Serialize};

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// IEEE binary32.
    F32,
    /// IEEE binary16; stored only, computed as F32.
    F16,
    /// Signed byte.
    I8,
    /// Signed 32-bit integer.
    I32,
    /// Signed 16-bit integer; in packed tensors only.
    I16,
    /// Byte; in packed tensors only.
    U8,
}

impl DataType {
    /// Size of one element in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }
}

/// The elements of a [`Tensor`], row-major (the last axis is contiguous).
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// See [`DataType::F32`]. Importers widen F16 to this.
    F32(Vec<f32>),
    /// See [`DataType::I8`].
    I8(Vec<i8>),
    /// See [`DataType::I32`]; shapes, axes and biases.
    I32(Vec<i32>),
}

/// Elements and their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    elements: Elements,
}

/// The shape does not hold as many elements as were given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the shape {shape:?} does not hold {elements} elements")]
pub struct ShapeMismatch {
    shape: Vec<usize>,
    elements: usize,
}

impl ShapeMismatch {
    pub(crate) const fn new(shape: Vec<usize>, elements: usize) -> Self {
        Self { shape, elements }
    }
}

impl Tensor {
    /// A tensor of `shape`. A scalar has the empty shape and one element.
    ///
    /// # Errors
    /// When the product of `shape` overflows or is not the number of elements.
    pub fn new(shape: Vec<usize>, elements: Elements) -> Result<Self, ShapeMismatch> {
        let count = match &elements {
            Elements::F32(elements) => elements.len(),
            Elements::I8(elements) => elements.len(),
            Elements::I32(elements) => elements.len(),
        };
        let product = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        if product == Some(count) {
            Ok(Self { shape, elements })
        } else {
            Err(ShapeMismatch { shape, elements: count })
        }
    }

    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    #[must_use]
    pub const fn elements(&self) -> &Elements {
        &self.elements
    }

    /// The elements as floats; `None` for another type.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.elements {
            Elements::F32(elements) => Some(elements),
            Elements::I8(_) | Elements::I32(_) => None,
        }
    }
}
