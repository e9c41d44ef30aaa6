//! Products with a constant matrix: 1x1 convolutions.

use clawdbot_nn::graph::{Activation, Op, Quantization, ValueId, Window};

use super::super::array::Array;
use super::super::builder::{Builder, Known};
use super::super::layout::View;
use super::convolution::weight_grid;
use super::{Call, Fault};

const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };

/// A matrix of `n` rows of `k` weights, and what is added to each product.
struct Matrix {
    n: usize,
    k: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    grid: Option<Quantization>,
}

/// alpha A B + beta C.
pub(super) fn gemm<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let mut a = builder.activation(call.input(0)?)?;
    let b = builder.constant(call.input(1)?)?;
    if a.shape.len() != 2 || b.shape.len() != 2 {
        return Err(Fault::Bad(format!(
            "its operands have the shapes {:?} and {:?}, not two axes each",
            a.shape, b.shape
        )));
    }
    if call.integer_or("transA", 0)? != 0 {
        a = a.transpose(&[1, 0]);
    }
    let is_turned = call.integer_or("transB", 0)? != 0;
    let alpha = call.node.float("alpha")?.unwrap_or(1.0);
    let mut matrix = Matrix::new(builder, &b, is_turned)?;
    if alpha != 1.0 {
        matrix.weights.iter_mut().for_each(|weight| *weight *= alpha);
        matrix.grid = None;
    }
    if let Some(name) = call.optional(2) {
        let beta = call.node.float("beta")?.unwrap_or(1.0);
        let c = builder.constant(name)?;
        let is_row = c.elements.len() == 1 || (c.shape.last() == Some(&matrix.n) && c.elements.len() == matrix.n);
        if !is_row {
            return Err(Fault::Unsupported(format!(" with C of the shape {:?} for {} columns", c.shape, matrix.n)));
        }
        let c = c.to_floats();
        matrix.bias = (0..matrix.n).map(|n| beta * c[n % c.len()]).collect();
    }
    let result = product(builder, call, &a, matrix)?;
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

pub(super) fn matmul<'a>(builder: &mut Builder<'_, 'a>, call: &Call<'_, 'a>) -> Result<(), Fault> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let result = match (builder.constant_if(a)?, builder.constant_if(b)?) {
        (None, Some(matrix)) => {
            let x = builder.activation(a)?;
            let (matrix, is_vector) = as_matrix(&matrix, false)?;
            let matrix = Matrix::new(builder, &matrix, false)?;
            let result = product(builder, call, &x, matrix)?;
            if is_vector { builder.reshape(&result, &x.shape[..x.shape.len() - 1])? } else { result }
        }
        (Some(matrix), None) => {
            // A X is (X' A')', and turning a view costs nothing.
            let x = builder.activation(b)?;
            let rank = x.shape.len();
            if rank < 2 {
                return Err(Fault::Unsupported(format!(" of a matrix and the shape {:?}", x.shape)));
            }
            let mut turn: Vec<usize> = (0..rank).collect();
            turn.swap(rank - 2, rank - 1);
            let (matrix, is_vector) = as_matrix(&matrix, true)?;
            let matrix = Matrix::new(builder, &matrix, true)?;
            let result = product(builder, call, &x.transpose(&turn), matrix)?;
            if is_vector { builder.reshape(&result, &result.shape[..rank - 1])? } else { result.transpose(&turn) }
        }
        (None, None) => return Err(Fault::Unsupported(" of two values".to_owned())),
        (Some(_), Some(_)) => return Err(Fault::Unsupported(" of two constants".to_owned())),
    };
    builder.define(call.output()?, Known::Activation(result)).map_err(Fault::from)
}

/// A constant operand without axes of one in front; a vector is a column, or on the left a row, and true then.
fn as_matrix(array: &Array, is_left: bool) -> Result<(Array, bool), Fault> {
    let units = array.shape.iter().rev().skip(2).all(|&side| side == 1);
    match array.shape[..] {
        [k] => {
            let shape = if is_left { vec![1, k] } else { vec![k, 1] };
            Ok((Array { shape, grid: None, ..array.clone() }, true))
        }
        [.., rows, columns] if units => {
            let mut matrix = Array { shape: vec![rows, columns], ..array.clone() };
            if let Some(grid) = &mut matrix.grid {
                grid.axis = grid.axis.saturating_sub(array.shape.len() - 2);
            }
            Ok((matrix, false))
        }
        _ => Err(Fault::Unsupported(format!(" by a constant of the shape {:?}", array.shape))),
    }
}

impl Matrix {
    /// Of a constant `[k][n]`, or `[n][k]` when it is turned.
    fn new(builder: &mut Builder<'_, '_>, array: &Array, is_turned: bool) -> Result<Self, Fault> {
        builder.spend(array.elements.len())?;
        let (turned, axis) = if is_turned { (array.clone(), 0) } else { (array.permuted(&[1, 0]), 1) };
        let &[n, k] = &turned.shape[..] else { return Err(Fault::Bad("its constant is no matrix".to_owned())) };
        if n == 0 || k == 0 {
            return Err(Fault::Bad(format!("its constant has the shape {:?}", array.shape)));
        }
        let grid = weight_grid(array.grid.as_ref(), axis, n);
        Ok(Self { n, k, weights: turned.to_floats(), bias: vec![0.0; n], grid })
    }
}

/// x with its last axis multiplied by a matrix.
fn product<'a>(
    builder: &mut Builder<'_, 'a>,
    call: &Call<'_, 'a>,
    x: &View,
    mut matrix: Matrix,
) -> Result<View, Fault> {
    let rank = x.shape.len();
    if x.shape.last() != Some(&matrix.k) {
        return Err(Fault::Bad(format!("its matrix takes {} elements, its operand is {:?}", matrix.k, x.shape)));
    }
    let mut order: Vec<usize> = x.order.iter().copied().filter(|&axis| axis + 1 != rank).collect();
    order.push(rank - 1);
    let x = builder.arrange(x, &order)?;
    let rows = x.shape[..rank - 1].iter().product::<usize>();
    let mut value = x.value;
    if rows == 1
        && let Some(before) = turn_columns(builder, value, &mut matrix)
    {
        value = before;
    }
    let pixels = match builder.shape_of(value) {
        &[1, height, width, k] if k == matrix.k => vec![1, height, width, k],
        _ => vec![1, 1, rows, matrix.k],
    };
    let value = builder.shaped(value, pixels.clone())?;
    let name = call.output()?;
    let weights =
        builder.new_constant(format!("{name} weights"), vec![matrix.n, 1, 1, matrix.k], matrix.weights, matrix.grid)?;
    let bias = builder.new_constant(format!("{name} bias"), vec![matrix.n], matrix.bias, None)?;
    let op = Op::Convolution { window: CELL, activation: Activation::None, pad_value: 0.0, residual: false };
    let result_shape = vec![1, pixels[1], pixels[2], matrix.n];
    let result = builder.emit(call.name()?, name, op, vec![value, weights, bias], result_shape)?;
    let mut shape = x.shape.clone();
    shape[rank - 1] = matrix.n;
    Ok(View { value: result, shape, order: x.order })
}

/// A picture that is flattened in the file's order had to be transposed for it; the matrix's columns can be instead. Answers
/// what was transposed.
fn turn_columns(builder: &Builder<'_, '_>, value: ValueId, matrix: &mut Matrix) -> Option<ValueId> {
    let node = builder.producer(value)?;
    let Op::Transpose { order } = &node.op else { return None };
    let before = *node.inputs.first()?;
    // Turning back what the columns see as [after] gives [before].
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, &old)| back[old] = new);
    let after = builder.shape_of(value);
    let weights = std::mem::take(&mut matrix.weights);
    let rows = weights.chunks_exact(matrix.k);
    matrix.weights =
        rows.flat_map(|row| Array::floats(after.to_vec(), row.to_vec()).permuted(&back).to_floats()).collect();
    Some(before)
}
