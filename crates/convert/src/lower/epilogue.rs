//! What happens to the sums of an INT8 node: bounds, and the activation's form.

use clawdbot_nn::graph::{Activation, Node};
use clawdbot_nn::model::PackedTensor;
use clawdbot_nn::program::{self, QuantizedActivation, QuantizedEpilogue};

use super::bump::Bump;
use super::{LowerError, Lowering};
use crate::quantize::{Grid, ValueGrid};

/// The grid of an I8 value of the program.
pub(super) fn grid_of(value: &program::Value) -> ValueGrid {
    ValueGrid { scales: value.scale.clone(), zero_point: value.zero_point }
}

/// The bounds of q that an activation comes down to in the grid of `result`.
pub(super) fn bounds(activation: Activation, result: &program::Value) -> QuantizedEpilogue {
    let (low, high) = activation.bounds();
    let [scale] = result.scale[..] else {
        // A scale a channel (or none, for floats): 0 is one step in all of them, and whoever chose the scales saw to it that
        // each channel's last step lies below the activation's upper bound.
        let rectified = low == 0.0 && !result.scale.is_empty();
        let low = if rectified { Grid { scale: 1.0, zero_point: result.zero_point }.step(0.0) } else { i8::MIN };
        return QuantizedEpilogue { low, ..QuantizedEpilogue::whole() };
    };
    let grid = Grid { scale, zero_point: result.zero_point };
    let low = if low.is_finite() { grid.step(low) } else { i8::MIN };
    let high = if high.is_finite() { grid.step(high) } else { i8::MAX };
    QuantizedEpilogue { low, high, activation: QuantizedActivation::Clamp }
}

/// What the table of a function of one number holds, from one grid to another.
pub(super) fn table(from: Grid, to: Grid, function: &dyn Fn(f64) -> f64) -> [i8; 256] {
    std::array::from_fn(|at| {
        let q = i32::try_from(at).unwrap_or(0) - 128;
        let real = f64::from(from.scale) * f64::from(q - from.zero_point);
        let steps = (function(real) / f64::from(to.scale)).round_ties_even() + f64::from(to.zero_point);
        steps.clamp(-128.0, 127.0) as i8
    })
}

impl Lowering<'_> {
    /// The epilogue of a layer with weights; `bump` where its activation has one, and then its sums have the bump's step.
    pub(super) fn layer_epilogue(
        &mut self,
        node: &Node,
        activation: Activation,
        result: &program::Value,
        bump: Option<&Bump>,
    ) -> Result<QuantizedEpilogue, LowerError> {
        if let Some(bump) = bump {
            let (table, gain) = (format!("{}.bump", node.name), format!("{}.gain", node.name));
            self.result.tensors.insert(table.clone(), PackedTensor::from_u8(vec![bump.table.len()], &bump.table)?);
            // As long as the scales, with which this is read.
            let padded = self.result.tensors.get(&format!("{}.scale", node.name));
            let padded = padded.map_or(0, |scale| scale.bytes().len() / 4);
            let mut gains = bump.gain.clone();
            if let [one] = gains[..] {
                gains = vec![one; result.channels()];
            }
            gains.resize(padded, 1);
            self.result.tensors.insert(gain.clone(), PackedTensor::from_i16(vec![padded], &gains)?);
            let (index_shift, fraction) = (bump.index_shift, bump.fraction);
            let activation = QuantizedActivation::Bump { index_shift, fraction, table, gain };
            return Ok(QuantizedEpilogue { activation, ..QuantizedEpilogue::whole() });
        }
        if let Activation::Leaky(slope) = activation {
            let activation = QuantizedActivation::Leaky { slope };
            return Ok(QuantizedEpilogue { activation, ..QuantizedEpilogue::whole() });
        }
        Ok(bounds(activation, result))
    }

    /// Appends a step that looks up a function of one number.
    pub(super) fn look_up(
        &mut self,
        name: String,
        from: program::ValueId,
        to: program::ValueId,
        function: &dyn Fn(f64) -> f64,
    ) -> Result<(), LowerError> {
        let [from_grid, to_grid] = [self.one_scale(&name, from)?, self.one_scale(&name, to)?];
        let elements = table(from_grid, to_grid, function);
        let table = format!("{name}.table");
        self.result.tensors.insert(table.clone(), PackedTensor::from_i8(vec![256], &elements)?);
        self.step(name, program::Op::ActivateI8 { table }, vec![from], to);
        Ok(())
    }

    /// The grid of an I8 value that must have one scale for all channels.
    pub(super) fn one_scale(&self, node: &str, value: program::ValueId) -> Result<Grid, LowerError> {
        let value = &self.result.program.values[value.0];
        match value.scale[..] {
            [scale] => Ok(Grid { scale, zero_point: value.zero_point }),
            _ => Err(LowerError::ChannelScales { node: node.to_owned(), value: value.name.clone() }),
        }
    }
}
