//! What happens to a layer's sums: bounds, forms, and the tensors of these.

use super::step::Operands;
use super::{InvalidProgram, Lookup, Reason, tensors};
use crate::program::{Activation, QuantizedActivation, QuantizedEpilogue};
use crate::tensor::DataType::I8;

impl Operands<'_> {
    /// An INT8 layer's epilogue, whose tensors have a line for each of `padded` channels.
    pub(super) fn epilogue(
        &self,
        epilogue: &QuantizedEpilogue,
        padded: usize,
        lookup: Lookup<'_>,
    ) -> Result<(), InvalidProgram> {
        self.integer_bounds(epilogue)?;
        let form = &epilogue.activation;
        if !form.is_clamp() && self.output.data_type != I8 {
            return Err(self.fault(Reason::Form("an F32 result")));
        }
        let residual = self.inputs.len() > 1;
        match form {
            QuantizedActivation::Clamp => Ok(()),
            QuantizedActivation::Table { table } => tensors::table(self.step, lookup, table),
            _ if residual => Err(self.fault(Reason::Form("a residual"))),
            QuantizedActivation::Leaky { slope } if 0.0 < *slope && *slope < 1.0 && slope.is_normal() => Ok(()),
            QuantizedActivation::Leaky { slope } => Err(self.fault(Reason::Slope(*slope))),
            QuantizedActivation::Bump { index_shift, fraction, table, gain } => {
                if !(1..=8).contains(index_shift) || *fraction > 8 {
                    return Err(self.fault(Reason::Shifts(*index_shift, *fraction)));
                }
                tensors::bump(self.step, lookup, table)?;
                tensors::gain(self.step, lookup, gain, (padded, self.output.channels()))
            }
        }
    }

    /// The epilogue of a sum or product of two values: each has one scale, and the form is a clamp or a table.
    pub(super) fn plain_epilogue(
        &self,
        epilogue: &QuantizedEpilogue,
        lookup: Lookup<'_>,
    ) -> Result<(), InvalidProgram> {
        self.one_scale_each()?;
        self.integer_bounds(epilogue)?;
        match &epilogue.activation {
            QuantizedActivation::Clamp => Ok(()),
            QuantizedActivation::Table { table } => tensors::table(self.step, lookup, table),
            _ => Err(self.fault(Reason::Form("two inputs"))),
        }
    }

    fn integer_bounds(&self, epilogue: &QuantizedEpilogue) -> Result<(), InvalidProgram> {
        let (low, high) = (epilogue.low, epilogue.high);
        let ordered = low <= high;
        if ordered { Ok(()) } else { Err(self.fault(Reason::Bounds(f32::from(low), f32::from(high)))) }
    }

    /// A float activation: its numbers make sense.
    pub(super) fn activation(&self, activation: Activation) -> Result<(), InvalidProgram> {
        match activation {
            Activation::Clip { low, high } if low <= high => Ok(()),
            Activation::Clip { low, high } => Err(self.fault(Reason::Bounds(low, high))),
            Activation::Leaky(slope) if !(0.0..=1.0).contains(&slope) => Err(self.fault(Reason::Slope(slope))),
            Activation::HardSigmoid { slope, offset } if !(slope.is_finite() && offset.is_finite()) => {
                Err(self.fault(Reason::Slope(slope)))
            }
            _ => Ok(()),
        }
    }
}
