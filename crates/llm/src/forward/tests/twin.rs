//! The slow twin: F16 weights, everything else in f64, as the documentation of `metadata::language` says it.

use clawdbot_kernels::linear_f16;

use super::super::*;
use crate::model::Matrix;
use clawdbot_nn::metadata::language::{Gate, LayerRope, RopeScaling};

/// `matrix x input`.
fn product(model: &Model, matrix: &Matrix, input: &[f64]) -> Vec<f64> {
    (0..matrix.rows)
        .map(|row| row_of(model, matrix, row).iter().zip(input).map(|(weight, x)| weight * x).sum())
        .collect()
}

fn row_of(model: &Model, matrix: &Matrix, row: usize) -> Vec<f64> {
    let mut weights = vec![0.0; matrix.columns];
    linear_f16::pack::gather_row(bytemuck::cast_slice(model.bytes(matrix)), matrix.columns, row, &mut weights, [0, 1]);
    weights.into_iter().map(f64::from).collect()
}

fn norm(values: &[f64], weight: Option<&Vec<f32>>, epsilon: f32) -> Vec<f64> {
    let Some(weight) = weight else { return values.to_vec() };
    let group = |values: &[f64]| {
        let mean = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
        let inverse = (mean + f64::from(epsilon)).sqrt().recip();
        values.iter().zip(weight).map(|(x, &weight)| x * inverse * f64::from(weight)).collect::<Vec<_>>()
    };
    values.chunks(weight.len()).flat_map(group).collect()
}

fn turn(head: &mut [f64], rope: &Rope, position: usize) {
    let half = rope.dimensions / 2;
    let factor = if let RopeScaling::Linear { factor } = rope.scaling { f64::from(factor) } else { 1.0 };
    for pair in 0..half {
        let angle = position as f64 * frequency(rope, pair) / factor;
        let (a, b) = (head[pair], head[pair + half]);
        head[pair] = a * angle.cos() - b * angle.sin();
        head[pair + half] = b * angle.cos() + a * angle.sin();
    }
}

fn frequency(rope: &Rope, pair: usize) -> f64 {
    f64::from(rope.theta).powf(-2.0 * pair as f64 / rope.dimensions as f64)
}

/// Keys and values of a layer's positions.
type Memory = Vec<(Vec<f64>, Vec<f64>)>;

/// Attention of one token over what the layer remembers, itself included.
fn attention(model: &Model, layer: usize, queries: &[f64], memory: &Memory) -> Vec<f64> {
    let architecture = model.architecture();
    let (head_dim, shared) = (architecture.head_dim, architecture.heads / architecture.kv_heads);
    let position = memory.len() - 1;
    let first = architecture.layers[layer].window.map_or(0, |window| (position + 1).saturating_sub(window));
    let mut result = Vec::new();
    for (head, query) in queries.chunks(head_dim).enumerate() {
        let place = head / shared * head_dim..(head / shared + 1) * head_dim;
        let score = |(keys, _): &(Vec<f64>, Vec<f64>)| {
            let dot: f64 = keys[place.clone()].iter().zip(query).map(|(k, q)| k * q).sum();
            let score = dot * f64::from(architecture.attention_scale);
            architecture.attention_softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
        };
        let scores: Vec<f64> = memory[first..].iter().map(score).collect();
        let most = scores.iter().copied().fold(f64::MIN, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        for value in place.clone() {
            let seen = weights.iter().zip(&memory[first..]);
            result.push(seen.map(|(weight, (_, values))| weight * values[value]).sum::<f64>() / sum);
        }
    }
    result
}

/// Logits of every token of one text.
pub(super) fn logits(model: &Model, tokens: &[u32]) -> Vec<Vec<f64>> {
    let architecture = model.architecture();
    let mut memories: Vec<Memory> = vec![Vec::new(); model.layers.len()];
    let mut results = Vec::new();
    for (position, &token) in tokens.iter().enumerate() {
        let row = row_of(model, &model.embedding, token as usize);
        let mut stream: Vec<f64> = row.into_iter().map(|x| x * f64::from(architecture.embedding_multiplier)).collect();
        for (layer, memory) in memories.iter_mut().enumerate() {
            half(model, layer, position, memory, &mut stream);
            feed_forward(model, layer, &mut stream);
        }
        let last = norm(&stream, Some(&model.norm), architecture.norm_epsilon);
        let cap = |logit: f64| {
            let logit = logit * f64::from(architecture.logit_multiplier);
            architecture.logit_softcap.map_or(logit, |cap| f64::from(cap) * (logit / f64::from(cap)).tanh())
        };
        results.push(product(model, &model.head, &last).into_iter().map(cap).collect());
    }
    results
}

fn half(model: &Model, layer: usize, position: usize, memory: &mut Memory, stream: &mut [f64]) {
    let (architecture, weights) = (model.architecture(), &model.layers[layer]);
    let (floats, epsilon) = (&weights.floats, architecture.norm_epsilon);
    let input = norm(stream, floats.attention_norm.as_ref(), epsilon);
    let mut qkv = product(model, &weights.qkv, &input);
    if let Some(bias) = &floats.qkv_bias {
        qkv.iter_mut().zip(bias).for_each(|(value, &bias)| *value += f64::from(bias));
    }
    let (queries, rest) = qkv.split_at(architecture.query_rows());
    let (keys, values) = rest.split_at(architecture.key_rows());
    let mut queries = norm(queries, floats.query_norm.as_ref(), epsilon);
    let mut keys = norm(keys, floats.key_norm.as_ref(), epsilon);
    let rope = match architecture.layers[layer].rope {
        LayerRope::Skip => None,
        LayerRope::Global => Some(&architecture.rope),
        LayerRope::Local => architecture.local_rope.as_ref(),
    };
    if let Some(rope) = rope {
        queries.chunks_mut(architecture.head_dim).for_each(|head| turn(head, rope, position));
        keys.chunks_mut(architecture.head_dim).for_each(|head| turn(head, rope, position));
    }
    if let Some(heat) = architecture.attention_temperature {
        let factor = 1.0 + f64::from(heat.beta) * (1.0 + (position / heat.original_context) as f64).ln();
        queries.iter_mut().for_each(|query| *query *= factor);
    }
    memory.push((keys, values.to_vec()));
    let branch = product(model, &weights.output, &attention(model, layer, &queries, memory));
    join(model, &norm(&branch, floats.attention_after_norm.as_ref(), epsilon), stream);
}

fn feed_forward(model: &Model, layer: usize, stream: &mut [f64]) {
    let (architecture, weights) = (model.architecture(), &model.layers[layer]);
    let (floats, epsilon) = (&weights.floats, architecture.norm_epsilon);
    let input = norm(stream, floats.feed_forward_norm.as_ref(), epsilon);
    let gate_up = product(model, &weights.gate_up, &input);
    let gate = |x: f64| match architecture.gate {
        Gate::Silu => x / (1.0 + (-x).exp()),
        Gate::GeluTanh => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()),
    };
    // Tiles of eight rows by turns.
    let inner: Vec<f64> =
        gate_up.chunks(16).flat_map(|pair| (0..8).map(|row| gate(pair[row]) * pair[row + 8])).collect();
    let branch = product(model, &weights.down, &inner);
    join(model, &norm(&branch, floats.feed_forward_after_norm.as_ref(), epsilon), stream);
}

fn join(model: &Model, branch: &[f64], stream: &mut [f64]) {
    let factor = f64::from(model.architecture().residual_multiplier);
    stream.iter_mut().zip(branch).for_each(|(x, branch)| *x += factor * branch);
}
