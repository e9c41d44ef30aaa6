//! QDQ models: QuantizeLinear and DequantizeLinear around values say on which grid each lies. The values stay floats; the
//! grids go into the graph's `quantizations`, in the domain of signed bytes.

use std::rc::Rc;

use clawdbot_nn::graph::{Activation, Op, Quantization, ValueId};

use super::super::array::{Array, Elements, Grid, strides};
use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::super::messages::ElementType;
use super::{Call, Fault, axis, clamp};

/// How many of a value's makers are looked at for an activation.
const MAKERS_MAX: usize = 64;

/// Scales and zero points, one each or one for each place along `axis`.
struct Parameters {
    scales: Vec<f32>,
    points: Vec<i64>,
    axis: usize,
    /// Of what is quantised.
    element_type: ElementType,
}

impl Parameters {
    fn read<'a>(
        builder: &mut Builder<'_, 'a>,
        call: &Call<'_, 'a>,
        shape: &[usize],
        stored: Option<ElementType>,
    ) -> Result<Self, Fault> {
        call.require("block_size", 0)?;
        let scales = builder.constant(call.input(1)?)?.to_floats();
        if scales.is_empty() || scales.iter().any(|scale| !scale.is_normal() || *scale <= 0.0) {
            return Err(Fault::Bad(format!("its scale `{}` is not a positive normal number", call.input(1)?)));
        }
        let (points, element_type) = match call.optional(2) {
            Some(name) => {
                let array = builder.constant(name)?;
                let points =
                    array.as_integers().ok_or_else(|| Fault::Bad(format!("its zero point `{name}` is a float")))?;
                (points.to_vec(), stored.unwrap_or(array.element_type))
            }
            None => (vec![0; scales.len()], stored.unwrap_or(ElementType::Uint8)),
        };
        if points.len() != scales.len() && points.len() != 1 {
            return Err(Fault::Bad(format!("it has {} scales but {} zero points", scales.len(), points.len())));
        }
        let along = match call.integer_or("axis", 1)? {
            _ if scales.len() == 1 => 0,
            number => axis(number, shape.len())?,
        };
        if scales.len() != 1 && shape.get(along) != Some(&scales.len()) {
            return Err(Fault::Bad(format!("it has {} scales along axis {along} of {shape:?}", scales.len())));
        }
        Ok(Self { scales, points, axis: along, element_type })
    }

    /// Smallest and largest step.
    fn range(&self) -> Result<(i64, i64), Fault> {
        match self.element_type {
            ElementType::Uint8 => Ok((0, 255)),
            ElementType::Int8 => Ok((-128, 127)),
            other => Err(Fault::Unsupported(format!(" to {} (only 8 bits)", other.name()))),
        }
    }

    /// Of a value, which has one scale.
    #[expect(clippy::cast_possible_truncation, reason = "steps have 8 bits")]
    fn grid(&self) -> Result<Quantization, Fault> {
        let (low, high) = self.range()?;
        match (&self.scales[..], self.points.first()) {
            (&[scale], Some(point)) if (low..=high).contains(point) => {
                Ok(Quantization { scale: vec![scale], zero_point: (point - (low + 128)) as i32 })
            }
            (&[_], _) => Err(Fault::Bad(format!("its zero point {:?} is not one of {low} to {high}", self.points))),
            _ => Err(Fault::Unsupported(" of a value with a scale for each channel".to_owned())),
        }
    }

    /// Calls `make` with each element's place, scale and zero point.
    fn each<T>(&self, shape: &[usize], make: impl Fn(usize, f32, i64) -> T) -> Vec<T> {
        let inner = strides(shape).get(self.axis).copied().unwrap_or(1).max(1);
        let count = shape.iter().product();
        let at = |index: usize| index / inner % self.scales.len();
        (0..count)
            .map(|index| make(index, self.scales[at(index)], self.points[at(index) % self.points.len()]))
            .collect()
    }
}

/// The shape of a value of the file, constant or not.
enum Operand {
    Constant(Rc<Array>),
    Value(View),
}

fn operand<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<Operand, Fault> {
    let name = call.input(0)?;
    Ok(match builder.constant_if(name)? {
        Some(array) => Operand::Constant(array),
        None => Operand::Value(builder.activation(name)?),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
pub(super) fn quantize<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let output = call.output()?;
    let x = match operand(builder, call)? {
        Operand::Value(x) => x,
        Operand::Constant(array) => {
            let parameters = Parameters::read(builder, call, &array.shape, None)?;
            let (low, high) = parameters.range()?;
            let all = array.to_floats();
            let step = |at: usize, scale: f32, point: i64| {
                ((all[at] / scale).round_ties_even() as i64).saturating_add(point).clamp(low, high)
            };
            let elements = Elements::Integers(parameters.each(&array.shape, step));
            builder.spend(elements.len())?;
            let element_type = parameters.element_type;
            let steps = Array { shape: array.shape.clone(), elements, element_type, grid: None };
            return builder.define(output, Known::Constant(steps.into())).map_err(Fault::from);
        }
    };
    let parameters = Parameters::read(builder, call, &x.shape, None)?;
    let grid = parameters.grid()?;
    let x = clamped(builder, output, &x, &grid)?;
    let x = match builder.grid(x.value) {
        None => x,
        Some(known) if *known == grid => x,
        Some(_) => {
            // A second grid needs a value of its own.
            let shape = builder.shape_of(x.value).to_vec();
            x.of(builder.emit(output, output, Op::Reshape, vec![x.value], shape)?)
        }
    };
    builder.set_grid(x.value, grid);
    builder.define(output, Known::Activation(x)).map_err(Fault::from)
}

#[expect(clippy::cast_precision_loss, reason = "steps of up to 32 bits are meant as floats")]
pub(super) fn dequantize<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let output = call.output()?;
    match operand(builder, call)? {
        Operand::Constant(array) => {
            let parameters = Parameters::read(builder, call, &array.shape, Some(array.element_type))?;
            let Some(steps) = array.as_integers() else {
                return Err(Fault::Bad(format!("its operand `{}` is a float already", call.input(0)?)));
            };
            let real = |at: usize, scale: f32, point: i64| scale * steps[at].saturating_sub(point) as f32;
            builder.spend(steps.len())?;
            let elements = Elements::Floats(parameters.each(&array.shape, real));
            let is_grid = matches!(array.element_type, ElementType::Uint8 | ElementType::Int8);
            let Parameters { scales, axis, .. } = parameters;
            let grid = is_grid.then_some(Grid { scales, axis });
            let reals = Array { shape: array.shape.clone(), elements, element_type: ElementType::Float, grid };
            builder.define(output, Known::Constant(reals.into())).map_err(Fault::from)
        }
        Operand::Value(x) => {
            let grid = Parameters::read(builder, call, &x.shape, None)?.grid()?;
            match builder.grid(x.value) {
                // What only moves quantised elements lies between.
                None => builder.set_grid(x.value, grid),
                Some(known) if *known == grid => {}
                Some(_) => {
                    return Err(Fault::Unsupported(" with another scale than the value was quantised with".to_owned()));
                }
            }
            builder.define(output, Known::Activation(x)).map_err(Fault::from)
        }
    }
}

/// Quantisers leave a ReLU out where the grid begins at zero and so does its work; floats need it.
fn clamped(builder: &mut Builder<'_, '_>, output: &str, x: &View, grid: &Quantization) -> Result<View, Fault> {
    if grid.zero_point != -128 || is_positive(builder, x.value) {
        return Ok(x.clone());
    }
    let high = 255.0 * grid.scale[0];
    let name = format!("{output} clamped");
    let shape = builder.shape_of(x.value).to_vec();
    let value = builder.emit(&name, &name, Op::Activate(clamp(0.0, high)), vec![x.value], shape)?;
    Ok(x.of(value))
}

/// Whether nothing below zero comes out of what makes a value (or it is an input, whose range is the caller's).
fn is_positive(builder: &Builder<'_, '_>, value: ValueId) -> bool {
    let (mut values, mut makers_left) = (vec![value], MAKERS_MAX);
    while let Some(value) = values.pop() {
        let Some(node) = builder.producer(value) else {
            if builder.is_input(value) {
                continue;
            }
            return false;
        };
        match &node.op {
            Op::Activate(Activation::Leaky(_) | Activation::None) => return false,
            Op::Activate(activation) if activation.bounds().0 >= 0.0 => {}
            Op::Softmax => {}
            Op::MaxPool(_)
            | Op::AveragePool { .. }
            | Op::GlobalAveragePool
            | Op::Resize(_)
            | Op::Slice { .. }
            | Op::Transpose { .. }
            | Op::ChannelShuffle { .. }
            | Op::Reshape
            | Op::Pad(_)
            | Op::Concatenate { .. }
                if makers_left > 0 =>
            {
                makers_left -= 1;
                values.extend(&node.inputs);
            }
            _ => return false,
        }
    }
    true
}
