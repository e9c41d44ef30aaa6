//! How sums become I8.

use std::ops::Range;

use clawdbot_kernels::epilogue::{Activation, Requantize, Residual};

use super::preparation::Preparation;
use super::{Context, Operand};
use crate::executor::memory::Memory;
use crate::program::{QuantizedActivation, QuantizedEpilogue};

/// An epilogue with its tensors at hand.
#[derive(Clone, Debug)]
pub(super) struct Epilogue {
    pub(super) zero_point: i32,
    pub(super) low: i8,
    pub(super) high: i8,
    form: Form,
    residual: Option<Fused>,
}

/// See [`QuantizedActivation`]; the tables are copies.
#[derive(Clone, Debug)]
enum Form {
    Clamp,
    Leaky { slope: f32 },
    Bump { index_shift: u32, fraction: u32, table: Box<[u8; 64]>, gain: Range<usize> },
    Table(Box<[i8; 256]>),
}

/// A residual that is added in the epilogue.
#[derive(Clone, Debug)]
struct Fused {
    operand: Operand,
    /// Its scale / the result's.
    scale: f32,
    zero_point: i32,
}

/// The table called `name`.
pub(super) fn table(preparation: &Preparation<'_>, name: &str) -> Option<Box<[i8; 256]>> {
    preparation.model.tensor(name)?.as_i8()?.first_chunk().copied().map(Box::new)
}

impl Epilogue {
    /// Without a residual.
    pub(super) fn new(preparation: &Preparation<'_>, epilogue: &QuantizedEpilogue) -> Option<Self> {
        let form = match &epilogue.activation {
            QuantizedActivation::Clamp => Form::Clamp,
            QuantizedActivation::Leaky { slope } => Form::Leaky { slope: *slope },
            QuantizedActivation::Table { table: name } => Form::Table(table(preparation, name)?),
            QuantizedActivation::Bump { index_shift, fraction, table, gain } => Form::Bump {
                index_shift: *index_shift,
                fraction: *fraction,
                table: Box::new(*preparation.model.tensor(table)?.as_u8()?.first_chunk()?),
                gain: preparation.tensor(gain)?,
            },
        };
        let QuantizedEpilogue { low, high, .. } = *epilogue;
        Some(Self { zero_point: preparation.output().zero_point, low, high, form, residual: None })
    }

    /// With the step's second input, if it has one, as residual.
    pub(super) fn with_residual(preparation: &Preparation<'_>, epilogue: &QuantizedEpilogue) -> Option<Self> {
        let residual = match preparation.input(1) {
            Some(value) => Some(Fused {
                operand: preparation.operand(1)?,
                scale: value.scale.first()? / preparation.output().scale.first()?,
                zero_point: value.zero_point,
            }),
            None => None,
        };
        Some(Self { residual, ..Self::new(preparation, epilogue)? })
    }

    /// The table, where that is the form.
    pub(super) fn table(&self) -> Option<&[i8; 256]> {
        if let Form::Table(table) = &self.form { Some(table) } else { None }
    }

    /// The law's numbers for a band of the result that begins at `pixel`.
    pub(super) fn requantize<'a>(
        &'a self,
        context: &Context<'a>,
        memory: &Memory<'a>,
        scale: &'a [f32],
        pixel: usize,
    ) -> Requantize<'a> {
        let residual = self.residual.as_ref().map(|residual| {
            let stride = residual.operand.stride;
            let data = &memory.elements(&residual.operand.range)[pixel * stride..];
            Residual { data, stride, scale: residual.scale, zero_point: residual.zero_point }
        });
        let activation = match &self.form {
            Form::Clamp => Activation::Clamp,
            Form::Leaky { slope } => Activation::Leaky { slope: *slope },
            Form::Table(table) => Activation::Table(table),
            Form::Bump { index_shift, fraction, table, gain } => {
                let gain = context.tensor(gain);
                Activation::Bump { index_shift: *index_shift, table, fraction: *fraction, gain }
            }
        };
        let Self { zero_point, low, high, .. } = *self;
        Requantize { scale, zero_point, low, high, activation, residual }
    }
}
