//! Arrays that are known before the network runs: constants as the file stores them, and what is computed of them.

use half::f16;

use super::OnnxError;
use super::messages::{ElementType, RANK_MAX, Tensor};
use super::wire::words;

/// No array has more elements: 2^28 are 1 GiB of floats, far beyond any board.
pub(super) const ELEMENTS_MAX: usize = 1 << 28;

/// The elements of an [`Array`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Elements {
    /// Of every float type.
    Floats(Vec<f32>),
    /// Of every integer type, and of BOOL as 0 and 1.
    Integers(Vec<i64>),
}

/// The steps that floats were dequantised from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    /// One, or one for each place along `axis`.
    pub(super) scales: Vec<f32>,
    /// Counted from 0.
    pub(super) axis: usize,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    /// The length of each axis, in the file's order; 0 is possible.
    pub(super) shape: Vec<usize>,
    pub(super) elements: Elements,
    pub(super) element_type: ElementType,
    /// For floats that came quantised.
    pub(super) grid: Option<Grid>,
}

impl Elements {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Floats(all) => all.len(),
            Self::Integers(all) => all.len(),
        }
    }

    /// The elements at `places`, each within range.
    pub(super) fn pick(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Floats(all) => Self::Floats(places.map(|at| all[at]).collect()),
            Self::Integers(all) => Self::Integers(places.map(|at| all[at]).collect()),
        }
    }
}

impl Array {
    pub(super) const fn integers(shape: Vec<usize>, all: Vec<i64>) -> Self {
        Self { shape, elements: Elements::Integers(all), element_type: ElementType::Int64, grid: None }
    }

    pub(super) const fn floats(shape: Vec<usize>, all: Vec<f32>) -> Self {
        Self { shape, elements: Elements::Floats(all), element_type: ElementType::Float, grid: None }
    }

    /// The elements if they are integers.
    pub(super) fn as_integers(&self) -> Option<&[i64]> {
        match &self.elements {
            Elements::Integers(all) => Some(all),
            Elements::Floats(_) => None,
        }
    }

    /// The elements as floats.
    #[expect(clippy::cast_precision_loss, reason = "integers that meet floats are counts and steps")]
    pub(super) fn to_floats(&self) -> Vec<f32> {
        match &self.elements {
            Elements::Floats(all) => all.clone(),
            Elements::Integers(all) => all.iter().map(|&x| x as f32).collect(),
        }
    }

    /// The element if there is only one, as float.
    pub(super) fn single(&self) -> Option<f32> {
        (self.elements.len() == 1).then(|| self.to_floats()[0])
    }
}

/// Bytes that an element takes in `raw_data` or an external file; `None` for types that are not read.
pub(super) const fn stored_size(element_type: ElementType) -> Option<usize> {
    match element_type {
        ElementType::Uint8 | ElementType::Int8 | ElementType::Bool => Some(1),
        ElementType::Float16 => Some(2),
        ElementType::Float | ElementType::Int32 => Some(4),
        ElementType::Int64 | ElementType::Double => Some(8),
        ElementType::Other(_) => None,
    }
}

/// The shape that a tensor claims, and how many elements that is.
pub(super) fn claimed(name: &str, tensor: &Tensor<'_>) -> Result<(Vec<usize>, usize), OnnxError> {
    let error = || OnnxError::Shape { value: name.to_owned(), shape: format!("{:?}", tensor.dims) };
    if tensor.dims.len() > RANK_MAX {
        return Err(error());
    }
    let shape = tensor.dims.iter().map(|&side| usize::try_from(side).map_err(|_| error()));
    let shape = shape.collect::<Result<Vec<usize>, _>>()?;
    let count = count(&shape).ok_or_else(error)?;
    Ok((shape, count))
}

/// How many elements a shape holds; `None` beyond [`ELEMENTS_MAX`].
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    product.filter(|&product| product <= ELEMENTS_MAX)
}

/// The array that a tensor stores; `external` is its content where that lies in another file.
pub(super) fn decode(name: &str, tensor: &Tensor<'_>, external: Option<&[u8]>) -> Result<Array, OnnxError> {
    let (shape, count) = claimed(name, tensor)?;
    let element_type = tensor.element_type;
    let Some(size) = stored_size(element_type) else {
        return Err(OnnxError::ElementType { value: name.to_owned(), element_type: element_type.name() });
    };
    let elements = match external.or(tensor.raw) {
        Some(bytes) if count.checked_mul(size) == Some(bytes.len()) => from_bytes(element_type, bytes),
        Some(bytes) => return Err(wrong_size(name, tensor, count.saturating_mul(size), bytes.len(), "bytes")),
        None => typed(tensor),
    };
    if elements.len() != count {
        return Err(wrong_size(name, tensor, count, elements.len(), "elements"));
    }
    Ok(Array { shape, elements, element_type, grid: None })
}

fn wrong_size(name: &str, tensor: &Tensor<'_>, wanted: usize, found: usize, unit: &'static str) -> OnnxError {
    OnnxError::ConstantSize {
        value: name.to_owned(),
        shape: tensor.dims.clone(),
        element_type: tensor.element_type.name(),
        wanted,
        found,
        unit,
    }
}

fn from_bytes(element_type: ElementType, bytes: &[u8]) -> Elements {
    match element_type {
        ElementType::Float => Elements::Floats(words(bytes).map(f32::from_le_bytes).collect()),
        ElementType::Float16 => Elements::Floats(words(bytes).map(|x| f16::from_le_bytes(x).to_f32()).collect()),
        ElementType::Double => Elements::Floats(words(bytes).map(|x| narrow(f64::from_le_bytes(x))).collect()),
        ElementType::Int32 => Elements::Integers(words(bytes).map(|x| i64::from(i32::from_le_bytes(x))).collect()),
        ElementType::Int64 => Elements::Integers(words(bytes).map(i64::from_le_bytes).collect()),
        ElementType::Int8 => Elements::Integers(bytes.iter().map(|&x| i64::from(x.cast_signed())).collect()),
        ElementType::Uint8 | ElementType::Bool | ElementType::Other(_) => {
            Elements::Integers(bytes.iter().map(|&x| i64::from(x)).collect())
        }
    }
}

/// What the fields for each type hold.
fn typed(tensor: &Tensor<'_>) -> Elements {
    match tensor.element_type {
        ElementType::Float => Elements::Floats(tensor.floats.clone()),
        ElementType::Double => Elements::Floats(tensor.doubles.iter().map(|&x| narrow(x)).collect()),
        ElementType::Float16 => {
            let bits = |&x: &i64| f16::from_bits(u16::try_from(x & 0xffff).unwrap_or_default());
            Elements::Floats(tensor.integers.iter().map(|x| bits(x).to_f32()).collect())
        }
        _ => Elements::Integers(tensor.integers.clone()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
const fn narrow(x: f64) -> f32 {
    x as f32
}

impl Array {
    /// The same elements under a shape that holds as many.
    pub(super) fn reshaped(&self, shape: Vec<usize>) -> Self {
        let grid = self.grid.clone().filter(|grid| grid.scales.len() == 1 || shape == self.shape);
        Self { shape, elements: self.elements.clone(), element_type: self.element_type, grid }
    }

    /// Axis k of the result is axis `order[k]`.
    pub(super) fn permuted(&self, order: &[usize]) -> Self {
        let strides = strides(&self.shape);
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let steps: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        let elements = self.elements.pick(places(&shape, &steps, 0));
        let grid = self.grid.clone().map(|grid| Grid {
            axis: order.iter().position(|&axis| axis == grid.axis).unwrap_or(grid.axis),
            scales: grid.scales,
        });
        Self { shape, elements, element_type: self.element_type, grid }
    }

    /// Broadcast to a shape that it broadcasts to.
    pub(super) fn expanded(&self, shape: &[usize]) -> Self {
        let padding = shape.len() - self.shape.len();
        let strides = strides(&self.shape);
        let step = |axis: usize| match axis.checked_sub(padding) {
            Some(axis) if self.shape[axis] != 1 => strides[axis],
            _ => 0,
        };
        let steps: Vec<usize> = (0..shape.len()).map(step).collect();
        let elements = self.elements.pick(places(shape, &steps, 0));
        Self { shape: shape.to_vec(), elements, element_type: self.element_type, grid: None }
    }
}

/// How far apart the elements of each axis lie.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// Where the elements of `shape` lie, in row-major order: `start`, and a step along each axis.
pub(super) fn places(shape: &[usize], steps: &[usize], start: usize) -> impl Iterator<Item = usize> {
    let total: usize = shape.iter().product();
    let (shape, steps) = (shape.to_vec(), steps.to_vec());
    let mut place = vec![0_usize; shape.len()];
    let mut at = start;
    (0..total).map(move |_| {
        let here = at;
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            at += steps[axis];
            if place[axis] < shape[axis] {
                break;
            }
            at -= steps[axis] * place[axis];
            place[axis] = 0;
        }
        here
    })
}
