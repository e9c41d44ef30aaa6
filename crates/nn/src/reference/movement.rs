//! Operators that only move elements.

use crate::tensor::Tensor;

/// Product of the sides after each axis: how far apart its elements lie.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

/// The elements of x that the places of `shape` see, of which `source` tells the place in x.
fn gather(x: &Tensor, shape: &[usize], source: impl Fn(&[usize]) -> Vec<usize>) -> Option<Vec<f32>> {
    let (from, to) = (strides(x.shape()), strides(shape));
    let all = x.as_f32()?;
    let element = |at: usize| {
        let place: Vec<usize> = to.iter().zip(shape).map(|(stride, side)| at / stride % side).collect();
        let source = source(&place);
        let inside = source.len() == from.len() && source.iter().zip(x.shape()).all(|(place, side)| place < side);
        let at: usize = source.iter().zip(&from).map(|(place, stride)| place * stride).sum();
        inside.then(|| all.get(at).copied())?
    };
    (0..shape.iter().product()).map(element).collect()
}

pub(super) fn slice(x: &Tensor, begin: &[usize], step: &[usize], shape: &[usize]) -> Option<Vec<f32>> {
    let rank = x.shape().len();
    if [begin.len(), step.len(), shape.len()] != [rank; 3] {
        return None;
    }
    gather(x, shape, |place| (0..rank).map(|axis| begin[axis] + place[axis] * step[axis]).collect())
}

pub(super) fn transpose(x: &Tensor, order: &[usize], shape: &[usize]) -> Option<Vec<f32>> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    let fits = sorted.iter().copied().eq(0..x.shape().len()) && order.len() == shape.len();
    if !fits || !order.iter().zip(shape).all(|(&axis, &side)| x.shape()[axis] == side) {
        return None;
    }
    gather(x, shape, |place| {
        let mut source = vec![0; place.len()];
        order.iter().zip(place).for_each(|(&axis, &place)| source[axis] = place);
        source
    })
}

pub(super) fn shuffle(x: &Tensor, groups: usize, shape: &[usize]) -> Option<Vec<f32>> {
    let channels = x.shape().last().copied()?;
    if x.shape() != shape || groups == 0 || channels % groups != 0 {
        return None;
    }
    let in_group = channels / groups;
    gather(x, shape, |place| {
        let mut source = place.to_vec();
        if let Some(channel) = source.last_mut() {
            *channel = *channel % groups * in_group + *channel / groups;
        }
        source
    })
}

pub(super) fn concatenate(inputs: &[&Tensor], axis: usize) -> Option<Vec<f32>> {
    let outer: usize = inputs.first()?.shape().get(..axis)?.iter().product();
    let mut result = Vec::new();
    for row in 0..outer {
        for input in inputs {
            let length: usize = input.shape().get(axis..)?.iter().product();
            result.extend_from_slice(input.as_f32()?.get(row * length..(row + 1) * length)?);
        }
    }
    Some(result)
}
