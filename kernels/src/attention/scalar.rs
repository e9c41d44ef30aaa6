//! `attention_f32i8f32_scalar`: the law's products, one at a time.

use super::rows::Block;
use super::{Task, floats, integers, law};
use crate::float16::widen;
use crate::lanes::Lanes;
use crate::levels::{grid, levels};
use crate::pages::{Format, POSITIONS};

pub(super) fn run(task: Task<'_>) {
    let dim = task.head_dim;
    match task.format {
        Format::I8 => {
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| scores(queries, keys, dim, target);
            let (weigh, multiply) = (law::weigh_integers, multiply);
            integers::walk(task, integers::Parts { quantize, scores, weigh, sums, add, multiply });
        }
        Format::F16 => {
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| float_scores(queries, keys, dim, target, half);
            let sums = |weights: &[_], panels: &[floats::Panel], target: &mut [_]| {
                float_sums(weights, panels, target, half);
            };
            floats::walk(task, floats::Parts { scores, weigh: law::weigh_floats, sums, multiply });
        }
        Format::F32 => {
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| {
                float_scores(queries, keys, dim, target, single);
            };
            let sums = |weights: &[_], panels: &[floats::WidePanel], target: &mut [_]| {
                float_sums(weights, panels, target, single);
            };
            floats::walk(task, floats::Parts { scores, weigh: law::weigh_floats, sums, multiply });
        }
    }
}

fn quantize(values: &[Lanes], target: &mut [i8]) -> f32 {
    let (scale, inverse) = grid(values);
    for (target, values) in target.as_chunks_mut::<8>().0.iter_mut().zip(values) {
        *target = levels(values, inverse);
    }
    scale
}

fn add(target: &mut Lanes, sums: &[i32; 8], [correction, step]: [f32; 2]) {
    for (value, &sum) in target.iter_mut().zip(sums) {
        *value = (sum as f32).mul_add(step, *value * correction);
    }
}

fn multiply(target: &mut Lanes, factor: f32) {
    for value in target {
        *value *= factor;
    }
}

fn scores(queries: &[integers::Query], keys: &[u8], head_dim: usize, target: &mut [[i32; POSITIONS]]) {
    for (query, target) in queries.iter().zip(target) {
        for (place, sum) in target.iter_mut().enumerate() {
            let key = |d: usize| keys[((place / 8 * (head_dim / 4) + d / 4) * 8 + place % 8) * 4 + d % 4].cast_signed();
            *sum = (0..head_dim).map(|d| i32::from(query[d]) * i32::from(key(d))).sum();
        }
    }
}

fn sums(levels: &[integers::Levels], panels: &[integers::Panel], target: &mut [integers::Sums]) {
    for (levels, target) in levels.iter().zip(target) {
        for (panel, target) in panels.iter().zip(target) {
            for (lane, sum) in target.iter_mut().enumerate() {
                let value = |place: usize| panel[(place / 4 * 8 + lane) * 4 + place % 4].cast_signed();
                *sum = (0..POSITIONS).map(|place| i32::from(levels[place]) * i32::from(value(place))).sum();
            }
        }
    }
}

fn half(bytes: [u8; 2]) -> f32 {
    widen(u16::from_le_bytes(bytes))
}

fn single(bytes: [u8; 4]) -> f32 {
    f32::from_le_bytes(bytes)
}

/// A number has B bytes, which `number` reads.
fn float_scores<const B: usize>(
    queries: &[floats::Query],
    keys: &[u8],
    head_dim: usize,
    target: &mut [Block],
    number: impl Fn([u8; B]) -> f32,
) {
    let (keys, _) = keys.as_chunks::<B>();
    for (query, target) in queries.iter().zip(target) {
        for (place, sum) in target.as_flattened_mut().iter_mut().enumerate() {
            *sum = 0.0;
            for (d, &value) in query[..head_dim].iter().enumerate() {
                *sum = number(keys[(place / 8 * head_dim + d) * 8 + place % 8]).mul_add(value, *sum);
            }
        }
    }
}

/// A number has B bytes, which `number` reads, a panel P.
fn float_sums<const B: usize, const P: usize>(
    weights: &[Block],
    panels: &[[u8; P]],
    target: &mut [floats::Sums],
    number: impl Fn([u8; B]) -> f32,
) {
    for (weights, target) in weights.iter().zip(target) {
        for (panel, target) in panels.iter().zip(target) {
            let (values, _) = panel.as_chunks::<B>();
            for (place, &weight) in weights.as_flattened().iter().enumerate() {
                for (lane, sum) in target.iter_mut().enumerate() {
                    *sum = number(values[place * 8 + lane]).mul_add(weight, *sum);
                }
            }
        }
    }
}
