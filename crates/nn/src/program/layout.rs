//! How a program's values lie in memory, and how windows map sides. The sums here cannot overflow on a verified program.

use super::{Value, Window, channel_stride};
use crate::tensor::DataType;

impl Value {
    /// Length of the last axis (1 for a scalar).
    #[must_use]
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Product of all axes but the last.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, rest)| rest.iter().product())
    }

    /// Elements from pixel to pixel in memory: [`channel_stride`] for I8, the channels themselves for F32.
    #[must_use]
    pub fn stride(&self) -> usize {
        match self.data_type {
            DataType::I8 => channel_stride(self.channels()),
            _ => self.channels(),
        }
    }

    /// Elements in memory, those between the channels' end and the stride included.
    #[must_use]
    pub fn stored_elements(&self) -> usize {
        self.pixels() * self.stride()
    }

    /// Bytes in memory.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.stored_elements() * self.data_type.bytes()
    }
}

impl Window {
    /// A 1x1 kernel with step 1 and no padding: what a GEMM computes.
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0, 0, 0]
    }

    /// Rows and columns of the result over an input of `size` rows and columns; `None` when the kernel does not fit, a
    /// side of it is 0, or the sums overflow.
    #[must_use]
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let side = |axis: usize| -> Option<usize> {
            let padded = size[axis].checked_add(self.padding[axis])?.checked_add(self.padding[axis + 2])?;
            let room = padded.checked_sub(self.kernel[axis])?;
            if self.kernel[axis] == 0 {
                return None;
            }
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        Some([side(0)?, side(1)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, padding: [usize; 4]) -> Window {
        Window { kernel: [kernel; 2], stride: [stride; 2], padding }
    }

    #[test]
    fn windows_map_sides() {
        assert_eq!(window(3, 2, [0, 0, 1, 1]).output_size([300, 300]), Some([150, 150]));
        assert_eq!(window(3, 1, [1, 1, 1, 1]).output_size([19, 10]), Some([19, 10]));
        assert_eq!(window(3, 1, [0, 0, 0, 0]).output_size([2, 2]), None);
        assert_eq!(window(1, 0, [0, 0, 0, 0]).output_size([2, 2]), None);
        assert_eq!(window(0, 1, [0, 0, 0, 0]).output_size([2, 2]), None);
        assert_eq!(window(3, 1, [usize::MAX, 0, 1, 0]).output_size([2, 2]), None);
    }

    #[test]
    fn i8_pixels_are_padded_and_floats_are_not() {
        let value = |data_type, channels| Value {
            name: String::from("x"),
            shape: vec![1, 2, 3, channels],
            data_type,
            scale: Vec::new(),
            zero_point: 0,
        };
        assert_eq!(value(DataType::I8, 3).stored_bytes(), 24);
        assert_eq!(value(DataType::I8, 17).stored_bytes(), 6 * 32);
        assert_eq!(value(DataType::F32, 3).stored_bytes(), 72);
    }
}
