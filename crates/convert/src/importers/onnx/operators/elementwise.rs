//! Operators whose results depend on single elements: activations, sums and products.

use std::rc::Rc;

use clawdbot_nn::graph::{Activation, Op, ValueId};

use super::super::array::Array;
use super::super::builder::{Builder, Known};
use super::super::layout::{PICTURE, View};
use super::super::messages::ElementType;
use super::super::shapes::broadcast;
use super::{Call, Fault, clamp};

/// 1/6, as TensorFlow and PyTorch round it, within this relative distance.
const SIXTH_TOLERANCE: f32 = 1e-5;

/// Applies an activation to a value, whatever its order.
fn activate<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    x: &View,
    activation: Activation,
) -> Result<(), Fault> {
    if activation == Activation::None {
        return builder.define(call.output()?, Known::Activation(x.clone())).map_err(Fault::from);
    }
    emit(builder, call, Op::Activate(activation), x, vec![x.value])
}

/// Adds a node whose result is laid out like `x`, of which `inputs` have the own shape.
fn emit<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    op: Op,
    x: &View,
    inputs: Vec<ValueId>,
) -> Result<(), Fault> {
    let shape = builder.shape_of(inputs[0]).to_vec();
    let value = builder.emit(call.name()?, call.output()?, op, inputs, shape)?;
    builder.define(call.output()?, Known::Activation(x.of(value))).map_err(Fault::from)
}

pub(super) fn identity<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = match builder.constant_if(call.input(0)?)? {
        Some(array) => Known::Constant(array),
        None => Known::Activation(builder.activation(call.input(0)?)?),
    };
    builder.define(call.output()?, x).map_err(Fault::from)
}

/// Between floats, which are all the same here.
pub(super) fn cast<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let to = ElementType::from_schema(call.integer_or("to", 0)?);
    if to.is_float() {
        identity(builder, call)
    } else {
        Err(Fault::Unsupported(format!(" of a value to {}", to.name())))
    }
}

pub(super) fn not_of_values<'a>(_: &mut Builder<'_, 'a>, _: &Call<'_, 'a>) -> Result<(), Fault> {
    Err(Fault::Unsupported(" of values that are not constant".to_owned()))
}

/// The functions of operators that are nothing but an activation of their first operand.
macro_rules! activations {
    ($($(#[$attribute:meta])* $name:ident($call:ident, $builder:ident) => $activation:expr;)*) => {$(
        $(#[$attribute])*
        pub(super) fn $name<'a>($builder: &mut Builder<'_, 'a>, $call: &Call<'_, 'a>) -> Result<(), Fault> {
            let x = $builder.activation($call.input(0)?)?;
            let activation = $activation;
            activate($builder, $call, &x, activation)
        }
    )*};
}

activations! {
    relu(call, builder) => Activation::Relu;
    sigmoid(call, builder) => Activation::Logistic;
    tanh(call, builder) => Activation::Tanh;
    hard_swish(call, builder) => Activation::HardSwish;
    leaky_relu(call, builder) => leaky(call.node.float("alpha")?.unwrap_or(0.01))?;
    clip(call, builder) => bounds(builder, call)?;
    hard_sigmoid(call, builder) => Activation::HardSigmoid {
        slope: call.node.float("alpha")?.unwrap_or(0.2),
        offset: call.node.float("beta")?.unwrap_or(0.5),
    };
    gelu(call, builder) => match call.node.text("approximate")? {
        None | Some("none") => Activation::Gelu,
        Some(other) => return Err(Fault::Unsupported(format!(" with the approximation {other:?}"))),
    };
}

fn leaky(slope: f32) -> Result<Activation, Fault> {
    match slope {
        0.0 => Ok(Activation::Relu),
        1.0 => Ok(Activation::None),
        slope if slope > 0.0 && slope < 1.0 => Ok(Activation::Leaky(slope)),
        _ => Err(Fault::Unsupported(format!(" with the slope {slope} (only 0 to 1)"))),
    }
}

/// Of a Clip: attributes before opset 11, operands since.
fn bounds<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<Activation, Fault> {
    let mut bound = |attribute: &str, position: usize, none: f32| {
        let bound = match (call.node.float(attribute)?, call.optional(position)) {
            (Some(bound), _) => bound,
            (None, Some(name)) => {
                let single = builder.constant(name)?.single();
                single.ok_or_else(|| Fault::Bad(format!("its bound `{name}` has not one element")))?
            }
            (None, None) => none,
        };
        // The largest float is how exporters write "no bound".
        Ok::<f32, Fault>(if bound.abs() >= f32::MAX { f32::INFINITY.copysign(bound) } else { bound })
    };
    let (low, high) = (bound("min", 1, f32::NEG_INFINITY)?, bound("max", 2, f32::INFINITY)?);
    if low <= high && low < f32::INFINITY && high > f32::NEG_INFINITY {
        return Ok(clamp(low, high));
    }
    Err(Fault::Bad(format!("its bounds are {low} and {high}")))
}

pub(super) fn maximum<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let (x, bound) = value_and_bound(builder, call)?;
    activate(builder, call, &x, clamp(bound, f32::INFINITY))
}

pub(super) fn minimum<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let (x, bound) = value_and_bound(builder, call)?;
    activate(builder, call, &x, clamp(f32::NEG_INFINITY, bound))
}

fn value_and_bound<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(View, f32), Fault> {
    let (x, constant) = match builder.constant_if(call.input(0)?)? {
        Some(constant) => (call.input(1)?, Some(constant)),
        None => (call.input(0)?, builder.constant_if(call.input(1)?)?),
    };
    let bound = constant.and_then(|constant| constant.single()).filter(|bound| bound.is_finite());
    match bound {
        Some(bound) if call.node.inputs.len() == 2 => Ok((builder.activation(x)?, bound)),
        _ => Err(Fault::Unsupported(" of anything but a value and a constant of one element".to_owned())),
    }
}

pub(super) fn p_relu<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let slopes = builder.constant(call.input(1)?)?.to_floats();
    let same = slopes.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
    match slopes.first() {
        Some(&slope) if same => activate(builder, call, &x, leaky(slope)?),
        _ => Err(Fault::Unsupported(" with a slope for each channel".to_owned())),
    }
}

pub(super) fn negate<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let x = builder.activation(call.input(0)?)?;
    let result = with_constant(builder, call, call.output()?, &x, &Array::floats(vec![], vec![-1.0]), Op::Multiply)?;
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

const ADD: Op = Op::Add { activation: Activation::None };

pub(super) fn add<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let result = match operands(builder, call)? {
        Operands::Values(a, b) => values(builder, call, &a, &b, ADD)?,
        Operands::ConstantSecond(x, c) | Operands::ConstantFirst(c, x) => {
            with_constant(builder, call, call.output()?, &x, &c, ADD)?
        }
    };
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

pub(super) fn subtract<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let minus = Array::floats(vec![], vec![-1.0]);
    let negated = format!("{} negated", call.output()?);
    let result = match operands(builder, call)? {
        Operands::Values(a, b) => {
            let b = with_constant(builder, call, &negated, &b, &minus, Op::Multiply)?;
            values(builder, call, &a, &b, ADD)?
        }
        Operands::ConstantSecond(x, c) => {
            let offsets = c.to_floats().iter().map(|x| -x).collect();
            with_constant(builder, call, call.output()?, &x, &Array::floats(c.shape.clone(), offsets), ADD)?
        }
        Operands::ConstantFirst(c, x) => {
            let x = with_constant(builder, call, &negated, &x, &minus, Op::Multiply)?;
            with_constant(builder, call, call.output()?, &x, &c, ADD)?
        }
    };
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

pub(super) fn multiply<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    match operands(builder, call)? {
        Operands::ConstantSecond(x, c) | Operands::ConstantFirst(c, x) => scale(builder, call, &x, &c),
        Operands::Values(a, b) => {
            if let Some((x, activation)) = gated(builder, &a, &b).or_else(|| gated(builder, &b, &a)) {
                return activate(builder, call, &x, activation);
            }
            let result = values(builder, call, &a, &b, Op::Multiply)?;
            builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
        }
    }
}

pub(super) fn divide<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    match operands(builder, call)? {
        Operands::ConstantSecond(x, c) => {
            let factors = c.to_floats().iter().map(|x| 1.0 / x).collect();
            scale(builder, call, &x, &Array::floats(c.shape.clone(), factors))
        }
        _ => Err(Fault::Unsupported(" by a value that is not constant".to_owned())),
    }
}

/// Inference's batch normalisation: a factor and an offset for each channel, Ioffe and Szegedy, 2015.
pub(super) fn batch_normalization<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    call.require("training_mode", 0)?;
    call.require("spatial", 1)?;
    let x = builder.activation(call.input(0)?)?;
    let mut parameters = Vec::new();
    for position in 1..5 {
        parameters.push(builder.constant(call.input(position)?)?.to_floats());
    }
    let channels = x.shape.get(1).copied().unwrap_or(0);
    let [scale, offset, mean, variance] = &parameters[..] else { return Err(Fault::Bad("no parameters".to_owned())) };
    if parameters.iter().any(|parameter| parameter.len() != channels) {
        return Err(Fault::Bad(format!("its parameters are not one for each of {channels} channels")));
    }
    let epsilon = call.node.float("epsilon")?.unwrap_or(1e-5);
    let factors: Vec<f32> =
        scale.iter().zip(variance).map(|(scale, variance)| scale / (variance + epsilon).sqrt()).collect();
    let offsets =
        offset.iter().zip(mean).zip(&factors).map(|((offset, mean), factor)| offset - mean * factor).collect();
    // One for each place along axis 1, the channels.
    let shape: Vec<usize> = (1..x.shape.len()).map(|axis| if axis == 1 { channels } else { 1 }).collect();
    let name = format!("{} scaled", call.output()?);
    let scaled = with_constant(builder, call, &name, &x, &Array::floats(shape.clone(), factors), Op::Multiply)?;
    let result = with_constant(builder, call, call.output()?, &scaled, &Array::floats(shape, offsets), ADD)?;
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

enum Operands {
    Values(View, View),
    ConstantSecond(View, Rc<Array>),
    ConstantFirst(Rc<Array>, View),
}

fn operands<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<Operands, Fault> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    Ok(match (builder.constant_if(a)?, builder.constant_if(b)?) {
        (Some(first), _) => Operands::ConstantFirst(first, builder.activation(b)?),
        (None, Some(second)) => Operands::ConstantSecond(builder.activation(a)?, second),
        (None, None) => Operands::Values(builder.activation(a)?, builder.activation(b)?),
    })
}

/// What x becomes when it is multiplied by `gate`, if that is an activation of x itself: swish and its hard form.
fn gated(builder: &Builder<'_, '_>, x: &View, gate: &View) -> Option<(View, Activation)> {
    let (activation, of) = builder.activated(gate.value)?;
    let same = of == x.value && gate.shape == x.shape && gate.order == x.order;
    let product = match activation {
        Activation::Logistic => Activation::Silu,
        Activation::HardSigmoid { slope, offset } if is_sixth(slope) && offset == 0.5 => Activation::HardSwish,
        _ => return None,
    };
    same.then(|| (x.clone(), product))
}

fn is_sixth(factor: f32) -> bool {
    (factor * 6.0 - 1.0).abs() < SIXTH_TOLERANCE
}

/// x times a constant: that may end one of the long forms of the hard sigmoid and swish, (ReLU6(x + 3)) / 6 and x ReLU6(x + 3) / 6.
fn scale<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>, x: &View, factor: &Array) -> Result<(), Fault> {
    if factor.single().is_some_and(is_sixth) && factor.shape.len() <= x.shape.len() {
        if let Some(of) = raised_relu6(builder, x.value) {
            let activation = Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };
            return emit(builder, call, Op::Activate(activation), x, vec![of]);
        }
        let swish = builder.producer(x.value).filter(|node| node.op == Op::Multiply).and_then(|node| {
            let &[a, b] = &node.inputs[..] else { return None };
            (raised_relu6(builder, b) == Some(a)).then_some(a).or((raised_relu6(builder, a) == Some(b)).then_some(b))
        });
        if let Some(of) = swish {
            return emit(builder, call, Op::Activate(Activation::HardSwish), x, vec![of]);
        }
    }
    let result = with_constant(builder, call, call.output()?, x, factor, Op::Multiply)?;
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

/// Of what `value` is ReLU6(x + 3).
fn raised_relu6(builder: &Builder<'_, '_>, value: ValueId) -> Option<ValueId> {
    let (Activation::Relu6, sum) = builder.activated(value)? else { return None };
    let node = builder.producer(sum).filter(|node| node.op == ADD)?;
    let &[x, three] = &node.inputs[..] else { return None };
    (builder.graph_constant(three)? == [3.0]).then_some(x)
}

/// x and a constant under `op`, a sum or a product; the result is called `name`.
fn with_constant<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    name: &str,
    x: &View,
    constant: &Array,
    op: Op,
) -> Result<View, Fault> {
    let shape = broadcast(&x.shape, &constant.shape)?;
    if shape.iter().product::<usize>() != x.shape.iter().product::<usize>() {
        return Err(Fault::Unsupported(format!(
            " of {:?} and a constant {:?}, which is larger",
            x.shape, constant.shape
        )));
    }
    let x = builder.reshape(x, &shape)?;
    let padding = shape.len() - constant.shape.len();
    let varies: Vec<usize> =
        (0..constant.shape.len()).filter(|&axis| constant.shape[axis] != 1).map(|axis| axis + padding).collect();
    let (x, value, constant_shape, elements) = match varies[..] {
        [] => (x.clone(), x.value, vec![], constant.to_floats()),
        [axis] => {
            let mut order: Vec<usize> = x.order.iter().copied().filter(|&other| other != axis).collect();
            order.push(axis);
            let x = builder.arrange(&x, &order)?;
            let fits = builder.shape_of(x.value).last() == Some(&shape[axis]);
            let value = if fits { x.value } else { builder.materialise(&x)? };
            (x, value, vec![shape[axis]], constant.to_floats())
        }
        _ => {
            let value = builder.materialise(&x)?;
            builder.spend(shape.iter().product())?;
            let physical = x.physical();
            let whole = constant.expanded(&shape).permuted(&x.order);
            (x, value, physical, whole.to_floats())
        }
    };
    let constant = builder.new_constant(format!("{name} constant"), constant_shape, elements, None)?;
    let value_shape = builder.shape_of(value).to_vec();
    let value = builder.emit(call.name()?, name, op, vec![value, constant], value_shape)?;
    Ok(x.of(value))
}

/// Two values under `op`, a sum or a product.
fn values<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>, a: &View, b: &View, op: Op) -> Result<View, Fault> {
    let shape = broadcast(&a.shape, &b.shape)?;
    let same = |x: &View| x.shape.iter().product::<usize>() == shape.iter().product::<usize>();
    let (a, b) = if same(a) { (a, b) } else { (b, a) };
    if !same(a) {
        return Err(Fault::Unsupported(format!(" of values of the unlike shapes {:?} and {:?}", a.shape, b.shape)));
    }
    let a = builder.reshape(a, &shape)?;
    if same(b) {
        let b = builder.reshape(b, &shape)?;
        let b = builder.arrange(&b, &a.order)?;
        let alike = builder.shape_of(a.value) == builder.shape_of(b.value);
        let inputs =
            if alike { vec![a.value, b.value] } else { vec![builder.materialise(&a)?, builder.materialise(&b)?] };
        let own = builder.shape_of(inputs[0]).to_vec();
        let value = builder.emit(call.name()?, call.output()?, op, inputs, own)?;
        return Ok(a.of(value));
    }
    let padded: Vec<usize> =
        std::iter::repeat_n(1, shape.len() - b.shape.len()).chain(b.shape.iter().copied()).collect();
    let is_pixel = matches!((&shape[..], &padded[..]), (&[1, c, _, _], &[1, other, 1, 1]) if c == other);
    if op != Op::Multiply || !is_pixel {
        return Err(Fault::Unsupported(format!(" of values of the unlike shapes {:?} and {:?}", a.shape, b.shape)));
    }
    let a = builder.arrange(&a, &PICTURE)?;
    let b = builder.reshape(b, &padded)?;
    let b = builder.arrange(&b, &PICTURE)?;
    let inputs = vec![builder.materialise(&a)?, builder.materialise(&b)?];
    let physical = a.physical();
    let value = builder.emit(call.name()?, call.output()?, op, inputs, physical)?;
    Ok(a.of(value))
}
