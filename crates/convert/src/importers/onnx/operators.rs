//! Which operators are known, and what each of them needs: a row of [`OPERATORS`] names the function that adds its node and
//! the one that computes it when all its operands are constant.

mod convolution;
mod elementwise;
mod matrix;
mod movement;
mod pooling;
mod quantize;
mod resize;
mod slicing;
mod softmax;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use clawdbot_nn::graph::Activation;

use super::OnnxError;
use super::array::Array;
use super::builder::{Builder, Known};
use super::fold;
use super::messages::Node;
use super::wire::WireError;

/// Node names that an error gives for each operator.
const NAMED_NODES_MAX: usize = 3;

/// What is wrong with a node; the builder adds which.
#[derive(Debug)]
pub(super) enum Fault {
    /// It exists, but not here; how it differs from the supported form, with a leading blank.
    Unsupported(String),
    /// It contradicts itself.
    Bad(String),
    /// Not its own fault. (Boxed: errors carry names.)
    File(Box<OnnxError>),
}

impl From<OnnxError> for Fault {
    fn from(error: OnnxError) -> Self {
        Self::File(Box::new(error))
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::from(OnnxError::from(error))
    }
}

/// A node and the version of its operator.
pub(super) struct Call<'m, 'a> {
    pub(super) node: &'m Node<'a>,
    pub(super) opset: i64,
}

impl<'a> Call<'_, 'a> {
    /// The operand at `position`; `None` where it is left out.
    pub(super) fn optional(&self, position: usize) -> Option<&'a str> {
        self.node.inputs.get(position).copied().filter(|name| !name.is_empty())
    }

    /// The operand at `position`.
    pub(super) fn input(&self, position: usize) -> Result<&'a str, Fault> {
        self.optional(position).ok_or_else(|| Fault::Bad(format!("it lacks operand {position}")))
    }

    /// Its first result.
    pub(super) fn output(&self) -> Result<&'a str, Fault> {
        let output = self.node.outputs.first().copied().filter(|name| !name.is_empty());
        output.ok_or_else(|| Fault::Bad("it has no result".to_owned()))
    }

    /// What its node is called; its result where the file gives no name.
    pub(super) fn name(&self) -> Result<&'a str, Fault> {
        if self.node.name.is_empty() { self.output() } else { Ok(self.node.name) }
    }

    /// Integers that are an attribute in older opsets and an operand in newer ones; `None` where they are left out.
    pub(super) fn integers(
        &self,
        builder: &mut Builder<'_, 'a>,
        attribute: &str,
        position: usize,
    ) -> Result<Option<Vec<i64>>, Fault> {
        if let Some(all) = self.node.integers(attribute)? {
            return Ok(Some(all));
        }
        let Some(name) = self.optional(position) else { return Ok(None) };
        let array = builder.constant(name)?;
        let integers = array.as_integers().ok_or_else(|| Fault::Bad(format!("its operand `{name}` is not integer")))?;
        Ok(Some(integers.to_vec()))
    }

    /// An integer attribute with its default.
    pub(super) fn integer_or(&self, attribute: &str, default: i64) -> Result<i64, Fault> {
        Ok(self.node.integer(attribute)?.unwrap_or(default))
    }

    /// Refuses a form of the operator: an attribute that has another value than `wanted` (also its default).
    pub(super) fn require(&self, attribute: &str, wanted: i64) -> Result<(), Fault> {
        match self.node.integer(attribute)? {
            Some(value) if value != wanted => Err(Fault::Unsupported(format!(" with {attribute} = {value}"))),
            _ => Ok(()),
        }
    }
}

/// An axis of `rank`, which counts from the end when it is negative.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let distance = usize::try_from(axis.unsigned_abs()).unwrap_or(usize::MAX);
    let found = if axis < 0 { rank.checked_sub(distance) } else { Some(distance) };
    found.filter(|&axis| axis < rank).ok_or_else(|| Fault::Bad(format!("axis {axis} is not one of {rank}")))
}

/// Adds the node of a call.
type Add = for<'a> fn(&mut Builder<'_, 'a>, &Call<'_, 'a>) -> Result<(), Fault>;
/// Computes the results of a call whose operands are constant.
type Fold = fn(&Call<'_, '_>, &[Option<Rc<Array>>]) -> Result<Vec<Array>, Fault>;

/// A row of the table of what is supported.
struct Operator {
    name: &'static str,
    add: Option<Add>,
    fold: Option<Fold>,
    /// For the documentation: what of it is supported.
    form: &'static str,
}

const fn layer(name: &'static str, add: Add, form: &'static str) -> Operator {
    Operator { name, add: Some(add), fold: None, form }
}

const fn both(name: &'static str, add: Add, fold: Fold, form: &'static str) -> Operator {
    Operator { name, add: Some(add), fold: Some(fold), form }
}

const fn constant(name: &'static str, fold: Fold, form: &'static str) -> Operator {
    Operator { name, add: None, fold: Some(fold), form }
}

/// In alphabetical order.
const OPERATORS: &[Operator] = &[
    both("Add", elementwise::add, fold::add, "two values of one shape; a value and a constant"),
    layer(
        "AveragePool",
        pooling::average,
        "two-dimensional; pads, auto_pad, ceil_mode, count_include_pad (not where ceil_mode adds cells)",
    ),
    layer("BatchNormalization", elementwise::batch_normalization, "of inference, with constant parameters"),
    both("Cast", elementwise::cast, fold::cast, "of constants; of values to floats, which does nothing"),
    constant("Ceil", fold::ceil, ""),
    layer("Clip", elementwise::clip, "constant bounds, as attributes or operands"),
    both("Concat", slicing::concatenate, fold::concatenate, "any axis"),
    layer("Constant", movement::constant, "a tensor, floats or integers"),
    constant("ConstantOfShape", fold::constant_of_shape, ""),
    layer(
        "Conv",
        convolution::convolution,
        "two-dimensional, constant weights; groups and dilation by zeros in the weights where those stay below 2^20; pads, auto_pad",
    ),
    layer("DepthToSpace", movement::depth_to_space, "DCR and CRD"),
    layer(
        "DequantizeLinear",
        quantize::dequantize,
        "8 bits; of constants also 32 bits; per tensor, of constants also per axis",
    ),
    both("Div", elementwise::divide, fold::divide, "by a constant"),
    layer("Dropout", elementwise::identity, "of inference: does nothing"),
    constant("Equal", fold::equal, ""),
    both("Expand", movement::expand, fold::expand, "of constants; of values only where it does nothing"),
    both("Flatten", movement::flatten, fold::flatten, ""),
    constant("Floor", fold::floor, ""),
    both("Gather", slicing::gather, fold::gather, "constant indices, of one axis or none"),
    layer("Gelu", elementwise::gelu, "exact, not approximated by tanh"),
    layer("Gemm", matrix::gemm, "constant B and C"),
    layer("GlobalAveragePool", pooling::global_average, "of pictures"),
    layer("GlobalMaxPool", pooling::global_maximum, "of pictures"),
    layer("HardSigmoid", elementwise::hard_sigmoid, ""),
    layer("HardSwish", elementwise::hard_swish, ""),
    both("Identity", elementwise::identity, fold::identity, ""),
    layer("LeakyRelu", elementwise::leaky_relu, "slope 0 to 1"),
    layer("MatMul", matrix::matmul, "one of both constant"),
    layer("Max", elementwise::maximum, "of a value and a constant of one element"),
    layer("MaxPool", pooling::maximum, "two-dimensional, no dilation; pads, auto_pad, ceil_mode"),
    layer("Min", elementwise::minimum, "of a value and a constant of one element"),
    both("Mul", elementwise::multiply, fold::multiply, "as Add; a picture and a pixel of its channels"),
    both("Neg", elementwise::negate, fold::negate, ""),
    layer("PRelu", elementwise::p_relu, "one slope, 0 to 1"),
    layer("Pad", slicing::pad, "zeros around rows and columns"),
    layer("QuantizeLinear", quantize::quantize, "8 bits; per tensor, of constants also per axis"),
    constant("Range", fold::range, ""),
    layer("ReduceMax", pooling::reduce_maximum, "over rows and columns"),
    layer("ReduceMean", pooling::reduce_mean, "over rows and columns"),
    layer("Relu", elementwise::relu, ""),
    both("Reshape", movement::reshape, fold::reshape, "constant shape"),
    layer(
        "Resize",
        resize::resize,
        "rows and columns, nearest or linear, without antialiasing; scales that give the sizes exactly",
    ),
    both("Shape", movement::shape, fold::shape, ""),
    layer("Sigmoid", elementwise::sigmoid, ""),
    both(
        "Slice",
        slicing::slice,
        fold::slice,
        "constant bounds; of values with steps from 1, or few elements backwards",
    ),
    layer("Softmax", softmax::softmax, "any axis, as opset 13 or before means it"),
    layer("SpaceToDepth", slicing::space_to_depth, "of pictures"),
    both("Split", slicing::split, fold::split, "any axis"),
    both("Sqrt", elementwise::not_of_values, fold::square_root, "of constants"),
    both("Squeeze", movement::squeeze, fold::squeeze, ""),
    both("Sub", elementwise::subtract, fold::subtract, "as Add"),
    layer("Tanh", elementwise::tanh, ""),
    both("Transpose", movement::transpose, fold::transpose, "any order"),
    both("Unsqueeze", movement::unsqueeze, fold::unsqueeze, ""),
    layer("Upsample", resize::upsample, "rows and columns, nearest or linear; scales that give the sizes exactly"),
    constant("Where", fold::choose, ""),
];

fn find(node: &Node<'_>) -> Option<&'static Operator> {
    let own = matches!(node.domain, "" | "ai.onnx");
    OPERATORS.iter().find(|operator| own && operator.name == node.operator)
}

/// Refuses a network with operators that are not known: one error that names them all.
pub(super) fn require_supported<'m, 'a: 'm>(nodes: impl Iterator<Item = &'m Node<'a>>) -> Result<(), OnnxError> {
    let mut unknown: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in nodes.filter(|node| find(node).is_none()) {
        let dot = if node.domain.is_empty() { "" } else { "." };
        let name = if node.name.is_empty() { node.outputs.first().copied().unwrap_or_default() } else { node.name };
        unknown.entry(format!("{}{dot}{}", node.domain, node.operator)).or_default().push(name);
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let describe = |(operator, nodes): (&String, &Vec<&str>)| {
        let names: Vec<String> = nodes.iter().take(NAMED_NODES_MAX).map(|name| format!("`{name}`")).collect();
        let rest = nodes.len().saturating_sub(NAMED_NODES_MAX);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{operator} ({}{more})", names.join(", "))
    };
    Err(OnnxError::Operators { list: unknown.iter().map(describe).collect::<Vec<_>>().join("; ") })
}

/// Adds a node to the graph, or computes it.
pub(super) fn add<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let Some(operator) = find(call.node) else { return Err(Fault::Unsupported(String::new())) };
    if let Some(fold) = operator.fold {
        let mut operands = Vec::with_capacity(call.node.inputs.len());
        for position in 0..call.node.inputs.len() {
            operands.push(match call.optional(position) {
                Some(name) => builder.constant_if(name)?.map(Some),
                None => Some(None),
            });
        }
        if let Some(operands) = operands.into_iter().collect::<Option<Vec<Option<Rc<Array>>>>>() {
            let results = fold(call, &operands)?;
            builder.spend(results.iter().map(|result| result.elements.len()).sum())?;
            for (name, result) in call.node.outputs.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
                builder.define(name, Known::Constant(Rc::new(result)))?;
            }
            return Ok(());
        }
    }
    match operator.add {
        Some(add) => add(builder, call),
        None => Err(Fault::Unsupported(" of values that are not constant".to_owned())),
    }
}

/// The table of `docs/reference/onnx.md`.
pub(super) fn table() -> String {
    let mut table = "| operator | form |\n|---|---|\n".to_owned();
    for Operator { name, add, form, .. } in OPERATORS {
        let form = match (add, form.is_empty()) {
            (None, true) => "of constants",
            _ => form,
        };
        // Writing to a string cannot fail.
        _ = writeln!(table, "| {name} | {form} |");
    }
    table
}

/// The names in the table.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|operator| operator.name)
}

/// The clamp with these bounds, by its shortest name.
pub(super) fn clamp(low: f32, high: f32) -> Activation {
    match (low, high) {
        (f32::NEG_INFINITY, f32::INFINITY) => Activation::None,
        (0.0, f32::INFINITY) => Activation::Relu,
        (0.0, 6.0) => Activation::Relu6,
        _ => Activation::Clip { low, high },
    }
}
