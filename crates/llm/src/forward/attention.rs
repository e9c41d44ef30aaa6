//! A layer's first half: q, k and v, what is done to them, and attention over each sequence's pages.
//!
//! Kernels of attention see the tokens of one sequence side by side. Where a pass has several, q, k and v are copied *by spans*:
//! the floats of the first span's tokens, `[rows/8][t][8]`, then those of the second, and the results back. With one span that
//! is the layout they have anyway, and nothing is copied.

use clawdbot_kernels::add_f32::{Addend, add_f32};
use clawdbot_kernels::attention::{self, attention};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::kv_store::{self, kv_store};
use clawdbot_kernels::linear::float_index;
use clawdbot_kernels::rope::{self, rope};
use clawdbot_nn::metadata::language::{Architecture, AttentionTemperature, LayerRope};
use clawdbot_nn::workers::Workers;

use super::block::Norms;
use super::linear::{Crew, Shop};
use super::{Angles, Forward, ForwardError, Span, positions};
use crate::kv_cache::{KvCache, Sequence};
use crate::model::LayerWeights;
use crate::pace::Pace;
use crate::parts::{Tiles, in_parts};
use crate::watch::{Reader, tell};

impl Forward {
    /// `residual += output(attention(q, k, v))`.
    pub(super) fn attend(
        &mut self,
        cache: &mut KvCache,
        spans: &[Span<'_>],
        [layer, tokens]: [usize; 2],
        pace: Pace<'_>,
    ) -> Result<(), ForwardError> {
        let Self { model, workers, isa, buffers, watch, .. } = self;
        let (architecture, weights) = (model.architecture(), &model.layers[layer]);
        let crew = Crew { workers, isa: *isa };
        let shop = Shop { model, crew, pace };
        let norms = Norms { isa: *isa, tokens, epsilon: architecture.norm_epsilon };
        let width = architecture.width * tokens;
        let (residual, normed) = (&mut buffers.residual[..width], &mut buffers.normed[..width]);
        let input = norms.before(weights.floats.attention_norm.as_deref(), residual, normed);
        let qkv = &mut buffers.qkv[..architecture.qkv_rows() * tokens];
        tell(watch, Reader::Qkv(layer), tokens, input);
        shop.multiply(&weights.qkv, tokens, (input, qkv), &mut buffers.quantised)?;
        prepare(architecture, weights, norms, qkv);
        let angles = match architecture.layers[layer].rope {
            LayerRope::Skip => None,
            LayerRope::Global => Some((&buffers.angles[0], architecture.rope.dimensions)),
            LayerRope::Local => architecture.local_rope.as_ref().map(|rope| (&buffers.angles[1], rope.dimensions)),
        };
        turn(architecture, norms, angles, qkv);
        if let Some(temperature) = architecture.attention_temperature {
            heat(temperature, spans, &mut qkv[..architecture.query_rows() * tokens]);
        }

        let attended = &mut buffers.attended[..architecture.query_rows() * tokens];
        let stage = Stage { architecture, workers, isa: *isa, layer, pace };
        if let [span] = spans {
            stage.look(cache, span.sequence, tokens, qkv, attended)?;
        } else {
            let spanned = &mut buffers.spanned[..qkv.len()];
            stage.look_by_spans(cache, spans, tokens, qkv, spanned, attended)?;
        }
        let branch = &mut buffers.branch[..width];
        tell(watch, Reader::Output(layer), tokens, attended);
        shop.multiply(&weights.output, tokens, (attended, branch), &mut buffers.quantised)?;
        norms.after(weights.floats.attention_after_norm.as_deref(), branch);
        crew.add(branch, architecture.residual_multiplier, residual);
        Ok(())
    }
}

/// Bias and norms of q, k and v.
fn prepare(architecture: &Architecture, weights: &LayerWeights, norms: Norms, qkv: &mut [f32]) {
    if let Some(data) = weights.floats.qkv_bias.as_deref() {
        add_f32(norms.isa, Addend::Bias { data, tokens: norms.tokens }, qkv);
    }
    let (queries, rest) = qkv.split_at_mut(architecture.query_rows() * norms.tokens);
    norms.after(weights.floats.query_norm.as_deref(), queries);
    norms.after(weights.floats.key_norm.as_deref(), &mut rest[..architecture.key_rows() * norms.tokens]);
}

/// Turns q and k.
fn turn(architecture: &Architecture, norms: Norms, angles: Option<(&Angles, usize)>, qkv: &mut [f32]) {
    let Some((angles, rotary)) = angles else { return };
    let (tokens, head_dim) = (norms.tokens, architecture.head_dim);
    let table = tokens * rotary / 2;
    let (cos, sin) = (&angles.cos[..table], &angles.sin[..table]);
    let values = &mut qkv[..(architecture.query_rows() + architecture.key_rows()) * tokens];
    if rotary.is_multiple_of(16) {
        rope(norms.isa, rope::Task { tokens, head_dim, rotary, cos, sin, values });
    } else {
        turn_narrow([tokens, head_dim, rotary], cos, sin, values);
    }
}

/// The law of the kernel `rope` for the few models whose pairs do not fill its vectors of eight.
fn turn_narrow([tokens, head_dim, rotary]: [usize; 3], cos: &[f32], sin: &[f32], values: &mut [f32]) {
    let half = rotary / 2;
    for head in values.chunks_exact_mut(head_dim * tokens) {
        for token in 0..tokens {
            for pair in 0..half {
                let [first, second] = [pair, pair + half].map(|value| float_index(tokens, value, token));
                let (a, b) = (head[first], head[second]);
                let (cos, sin) = (cos[token * half + pair], sin[token * half + pair]);
                head[first] = (-b).mul_add(sin, a * cos);
                head[second] = a.mul_add(sin, b * cos);
            }
        }
    }
}

/// Multiplies each token's queries as [`AttentionTemperature`] says.
fn heat(temperature: AttentionTemperature, spans: &[Span<'_>], queries: &mut [f32]) {
    let tokens: usize = spans.iter().map(|span| span.tokens.len()).sum();
    for (token, position) in positions(spans).enumerate() {
        let times = (position / temperature.original_context) as f32;
        if times > 0.0 {
            let factor = 1.0 + temperature.beta * libm::logf(1.0 + times);
            let values = queries.chunks_exact_mut(8).skip(token).step_by(tokens);
            values.flatten().for_each(|value| *value *= factor);
        }
    }
}

/// So many tokens fill a tile of the attention kernels with the queries of a single head.
const SHAREABLE: usize = 4;

/// Attention of one layer.
struct Stage<'a> {
    architecture: &'a Architecture,
    workers: &'a Workers,
    isa: Isa,
    layer: usize,
    pace: Pace<'a>,
}

impl Stage<'_> {
    /// Stores k and v of `tokens` tokens of one sequence and looks at all that it holds.
    fn look(
        &self,
        cache: &mut KvCache,
        sequence: &Sequence,
        tokens: usize,
        qkv: &[f32],
        attended: &mut [f32],
    ) -> Result<(), ForwardError> {
        let Architecture { head_dim, kv_heads, heads, .. } = *self.architecture;
        let (queries, rest) = qkv.split_at(self.architecture.query_rows() * tokens);
        let (keys, values) = rest.split_at(self.architecture.key_rows() * tokens);
        let (shape, position, head) = (cache.shape(), sequence.length(), head_dim * tokens);
        let arena = cache.memory_for(sequence);
        for kv_head in 0..kv_heads {
            let place = kv_head * head..(kv_head + 1) * head;
            let table = shape.table(sequence.table(), self.layer, kv_head);
            let (keys, values) = (&keys[place.clone()], &values[place]);
            let format = shape.format;
            kv_store(self.isa, kv_store::Task { format, head_dim, tokens, position, keys, values, table, arena });
        }
        let (arena, heads) = (cache.memory(), heads / kv_heads);
        let window = self.architecture.layers[self.layer].window;
        let seen = (position + tokens).min(window.unwrap_or(usize::MAX).saturating_add(tokens));
        // The least piece is a head's queries where these fill the kernels' tiles, else those of all heads that share a key.
        let unit = if tokens < SHAREABLE { heads } else { 1 };
        let item = unit * self.pace.pieces(2 * unit * head * seen).min(kv_heads * heads / unit);
        for (done, attended) in attended.chunks_mut(item * head).enumerate() {
            in_parts(self.workers, Tiles { data: attended, unit: unit * head }, &|first, piece| {
                let mut next = done * item + first * unit;
                let mut rest = &mut *piece.data;
                while !rest.is_empty() {
                    let kv_head = next / heads;
                    let here = ((kv_head + 1) * heads - next).min(rest.len() / head);
                    let output = rest.split_off_mut(..here * head).unwrap_or_default();
                    let task = attention::Task {
                        format: shape.format,
                        head_dim,
                        heads: here,
                        tokens,
                        position,
                        scale: self.architecture.attention_scale,
                        window,
                        softcap: self.architecture.attention_softcap,
                        queries: &queries[next * head..(next + here) * head],
                        table: shape.table(sequence.table(), self.layer, kv_head),
                        arena,
                        output,
                    };
                    attention(self.isa, task);
                    next += here;
                }
            });
            if !(self.pace.between)() {
                return Err(ForwardError::Cancelled);
            }
        }
        Ok(())
    }

    /// The same for several sequences; `spanned` is room for q, k and v.
    fn look_by_spans(
        &self,
        cache: &mut KvCache,
        spans: &[Span<'_>],
        tokens: usize,
        qkv: &mut [f32],
        spanned: &mut [f32],
        attended: &mut [f32],
    ) -> Result<(), ForwardError> {
        let (rows, query_rows) = (self.architecture.qkv_rows(), self.architecture.query_rows());
        let mut start = 0;
        for span in spans {
            let here = span.tokens.len();
            let block = &mut spanned[rows * start..rows * (start + here)];
            for (tile, values) in block.chunks_exact_mut(8 * here).enumerate() {
                values.copy_from_slice(&qkv[(tile * tokens + start) * 8..][..8 * here]);
            }
            start += here;
        }
        // From here on `qkv` holds results, by spans too.
        let mut start = 0;
        for span in spans {
            let here = span.tokens.len();
            let block = &spanned[rows * start..rows * (start + here)];
            let results = &mut qkv[query_rows * start..query_rows * (start + here)];
            if here > 0 {
                self.look(cache, span.sequence, here, block, results)?;
            }
            for (tile, values) in results.chunks_exact(8 * here.max(1)).enumerate() {
                attended[(tile * tokens + start) * 8..][..8 * here].copy_from_slice(values);
            }
            start += here;
        }
        Ok(())
    }
}
