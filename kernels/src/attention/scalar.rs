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
            let scores = |queries: &[_], keys: &[_], target: &mut [_]| float_scores(queries, keys, dim, target);
            let (weigh, sums) = (law::weigh_floats, float_sums);
            floats::walk(task, floats::Parts { scores, weigh, sums, multiply });
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

fn float_scores(queries: &[floats::Query], keys: &[u8], head_dim: usize, target: &mut [Block]) {
    let (keys, _) = keys.as_chunks::<2>();
    for (query, target) in queries.iter().zip(target) {
        for (place, sum) in target.as_flattened_mut().iter_mut().enumerate() {
            *sum = 0.0;
            for (d, &value) in query[..head_dim].iter().enumerate() {
                let key = widen(u16::from_le_bytes(keys[(place / 8 * head_dim + d) * 8 + place % 8]));
                *sum = key.mul_add(value, *sum);
            }
        }
    }
}

fn float_sums(weights: &[Block], panels: &[floats::Panel], target: &mut [floats::Sums]) {
    for (weights, target) in weights.iter().zip(target) {
        for (panel, target) in panels.iter().zip(target) {
            let (values, _) = panel.as_chunks::<2>();
            for (place, &weight) in weights.as_flattened().iter().enumerate() {
                for (lane, sum) in target.iter_mut().enumerate() {
                    *sum = widen(u16::from_le_bytes(values[place * 8 + lane])).mul_add(weight, *sum);
                }
            }
        }
    }
}
