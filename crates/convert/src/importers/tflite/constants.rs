//! The elements of constants, and the grids of quantised tensors.

use clawdbot_nn::graph::Quantization;
use clawdbot_nn::tensor::{Elements, Tensor};
use half::f16;

use super::TfliteError;
use super::schema::{self, ElementType};

/// The grid of a quantised activation in the I8 domain; `None` for floats, and where the zero point lies outside. Bytes
/// without a scale stand for themselves.
pub(super) fn activation_grid(tensor: &schema::Tensor<'_>) -> Option<Quantization> {
    let offset = match tensor.element_type {
        ElementType::Int8 => 0,
        ElementType::UInt8 => 128,
        _ => return None,
    };
    let Some(quantization) = &tensor.quantization else {
        return Some(Quantization { scale: vec![1.0], zero_point: -offset });
    };
    let point = quantization.zero_point.first().copied().unwrap_or(0);
    let zero_point = i32::try_from(point).ok()?.checked_sub(offset)?;
    let sound = quantization.scale.len() == 1 && (-128..=127).contains(&zero_point);
    sound.then(|| Quantization { scale: quantization.scale.clone(), zero_point })
}

/// The steps of a weight constant, one for each of `count` slices along `axis`; `None` for floats, and where the file
/// slices along another axis.
pub(super) fn weight_scales(tensor: &schema::Tensor<'_>, axis: usize, count: usize) -> Option<Vec<f32>> {
    let quantization = tensor.quantization.as_ref()?;
    match (tensor.element_type, &quantization.scale[..]) {
        (ElementType::Int8 | ElementType::UInt8, &[scale]) => Some(vec![scale; count]),
        (ElementType::Int8 | ElementType::UInt8, scales) if scales.len() == count && quantization.axis == axis => {
            Some(scales.to_vec())
        }
        _ => None,
    }
}

/// A constant's elements: floats, or integers without a scale.
pub(super) fn decode(description: &schema::Tensor<'_>, bytes: &[u8]) -> Result<Tensor, TfliteError> {
    let tensor = || description.name.to_owned();
    let count: usize = description.shape.iter().product();
    let size = match description.element_type {
        ElementType::Float32 | ElementType::Int32 => 4,
        ElementType::Float16 => 2,
        ElementType::Int64 => 8,
        ElementType::Int8 | ElementType::UInt8 => 1,
        ElementType::Other(_) => {
            let element_type = description.element_type.name();
            return Err(TfliteError::ConstantType { tensor: tensor(), element_type });
        }
    };
    if count.checked_mul(size) != Some(bytes.len()) {
        return Err(TfliteError::ConstantSize {
            tensor: tensor(),
            shape: description.shape.clone(),
            element_type: description.element_type.name(),
            wanted: count.saturating_mul(size),
            found: bytes.len(),
        });
    }
    let elements = match description.element_type {
        ElementType::Int32 => Elements::I32(words(bytes).map(i32::from_le_bytes).collect()),
        ElementType::Int64 => {
            // Shapes and axes: what does not fit 32 bits fits no network either, and is caught where it is used.
            Elements::I32(words(bytes).map(i64::from_le_bytes).map(|x| i32::try_from(x).unwrap_or(i32::MAX)).collect())
        }
        ElementType::Float16 => Elements::F32(words(bytes).map(|x| f16::from_le_bytes(x).to_f32()).collect()),
        ElementType::Int8 => Elements::F32(dequantize(description, bytes.iter().map(|&x| i16::from(x.cast_signed())))?),
        ElementType::UInt8 => Elements::F32(dequantize(description, bytes.iter().map(|&x| i16::from(x)))?),
        ElementType::Float32 | ElementType::Other(_) => Elements::F32(words(bytes).map(f32::from_le_bytes).collect()),
    };
    if let Elements::F32(elements) = &elements
        && elements.iter().any(|element| !element.is_finite())
    {
        return Err(TfliteError::NotFinite { tensor: tensor() });
    }
    Tensor::new(description.shape.clone(), elements)
        .map_err(|_| TfliteError::Shape { tensor: tensor(), shape: format!("{:?}", description.shape) })
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|chunk| {
        let mut word = [0; N];
        word.copy_from_slice(chunk);
        word
    })
}

/// The reals of quantised constants: scale * (q - zero point), one scale a slice along the quantised axis.
#[expect(clippy::cast_precision_loss, reason = "a zero point that matters has 8 bits")]
fn dequantize(
    description: &schema::Tensor<'_>,
    steps: impl ExactSizeIterator<Item = i16>,
) -> Result<Vec<f32>, TfliteError> {
    let Some(quantization) = &description.quantization else {
        let reason = format!("it is {} without a scale", description.element_type.name());
        return Err(TfliteError::Quantization { tensor: description.name.to_owned(), reason });
    };
    let (scales, points) = (&quantization.scale, &quantization.zero_point);
    let inner: usize = description.shape.iter().skip(quantization.axis + 1).product();
    let real = |(index, step): (usize, i16)| {
        let slice = if scales.len() == 1 { 0 } else { index / inner % scales.len() };
        let point = points.get(slice).or_else(|| points.first()).copied().unwrap_or(0);
        scales[slice] * (f32::from(step) - point as f32)
    };
    Ok(steps.enumerate().map(real).collect())
}
