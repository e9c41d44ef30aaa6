//! Looking at a value after it was computed.

use crate::program::Value;

/// A value and its elements in memory.
#[derive(Clone, Copy, Debug)]
pub struct ValueView<'a> {
    /// Name, shape, scale and zero point.
    pub value: &'a Value,
    /// The elements, with `stride` from pixel to pixel.
    pub elements: Elements<'a>,
    /// [`Value::stride`] for inputs and outputs; wider where the value is part of another.
    pub stride: usize,
}

/// The elements of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Elements<'a> {
    /// `[pixels][stride]`; bytes beyond the channels mean nothing.
    I8(&'a [i8]),
    /// Dense.
    F32(&'a [f32]),
}

impl<'a> ValueView<'a> {
    /// The floats; `None` for I8.
    #[must_use]
    pub const fn as_f32(&self) -> Option<&'a [f32]> {
        match self.elements {
            Elements::F32(elements) => Some(elements),
            Elements::I8(_) => None,
        }
    }

    /// The signed bytes, padding channels included; `None` for F32.
    #[must_use]
    pub const fn as_i8(&self) -> Option<&'a [i8]> {
        match self.elements {
            Elements::I8(elements) => Some(elements),
            Elements::F32(_) => None,
        }
    }

    /// The real numbers, dense, in row-major order.
    pub fn reals(&self) -> impl Iterator<Item = f32> + 'a {
        let value = self.value;
        let (channels, stride) = (value.channels(), self.stride);
        let elements = self.elements;
        (0..value.pixels() * channels).map(move |at| {
            let (pixel, channel) = (at / channels, at % channels);
            match elements {
                Elements::F32(elements) => elements[at],
                Elements::I8(elements) => value.real(elements[pixel * stride + channel], channel),
            }
        })
    }
}

impl Value {
    /// The real number that `q` stands for in `channel` of this I8 value.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "q - zero point lies in -255..=255")]
    pub fn real(&self, q: i8, channel: usize) -> f32 {
        let scale = if self.scale.len() == 1 { self.scale[0] } else { self.scale[channel] };
        scale * (i32::from(q) - self.zero_point) as f32
    }
}
