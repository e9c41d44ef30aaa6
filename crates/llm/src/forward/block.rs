//! What surrounds attention: the tokens' rows of the embedding, the feed-forward part, the norms, the head.

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::rms_norm::{self, rms_norm};
use clawdbot_kernels::swiglu::Function;
use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::metadata::language::{Gate, Precision};

use super::linear::{Crew, Shop};
use super::{Forward, ForwardError, Span, positions};
use crate::pace::Pace;
use crate::watch::{Reader, tell};

impl Forward {
    /// The residual stream's beginning, and the angles of the pass's positions.
    pub(super) fn embed(&mut self, spans: &[Span<'_>], tokens: usize) {
        let Self { model, buffers, rotation, local, .. } = self;
        let (matrix, width) = (&model.embedding, model.architecture().width);
        let bytes = model.bytes(matrix);
        let residual = &mut buffers.residual[..width * tokens];
        for (token, &id) in spans.iter().flat_map(|span| span.tokens).enumerate() {
            let (row, place) = (id as usize, [token, tokens]);
            match matrix.precision {
                Precision::Int4 => linear_i4::pack::gather_row(bytes, matrix.columns, row, residual, place),
                Precision::Int8 => linear_i8::pack::gather_row(bytes, matrix.columns, row, residual, place),
                Precision::F16 => {
                    linear_f16::pack::gather_row(bytemuck::cast_slice(bytes), matrix.columns, row, residual, place);
                }
            }
        }
        if let Some(scale) = &model.embedding_scale {
            for (tile, scale) in residual.chunks_exact_mut(8 * tokens).zip(scale.as_chunks::<8>().0) {
                for lanes in tile.as_chunks_mut::<8>().0 {
                    lanes.iter_mut().zip(scale).for_each(|(value, scale)| *value *= scale);
                }
            }
        }
        let factor = model.architecture().embedding_multiplier;
        if factor != 1.0 {
            residual.iter_mut().for_each(|value| *value *= factor);
        }
        buffers.angles[0].fill(rotation, positions(spans));
        if let Some(local) = local {
            buffers.angles[1].fill(local, positions(spans));
        }
    }

    /// The layer's second half: `residual += down(f(gate) * up)`.
    pub(super) fn feed_forward(&mut self, [layer, tokens]: [usize; 2], pace: Pace<'_>) -> Result<(), ForwardError> {
        let Self { model, workers, isa, buffers, watch, .. } = self;
        let (architecture, weights) = (model.architecture(), &model.layers[layer]);
        let crew = Crew { workers, isa: *isa };
        let shop = Shop { model, crew, pace };
        let norms = Norms { isa: *isa, tokens, epsilon: architecture.norm_epsilon };
        let (width, inner) = (architecture.width * tokens, architecture.feed_forward * tokens);
        let (residual, normed) = (&mut buffers.residual[..width], &mut buffers.normed[..width]);
        let input = norms.before(weights.floats.feed_forward_norm.as_deref(), residual, normed);
        let gate_up = &mut buffers.gate_up[..2 * inner];
        tell(watch, Reader::GateUp(layer), tokens, input);
        shop.multiply(&weights.gate_up, tokens, (input, gate_up), &mut buffers.quantised)?;
        let gated = &mut buffers.gated[..inner];
        let function = match architecture.gate {
            Gate::Silu => Function::Silu,
            Gate::GeluTanh => Function::GeluTanh,
        };
        crew.gate(function, tokens, gate_up, gated);
        let branch = &mut buffers.branch[..width];
        tell(watch, Reader::Down(layer), tokens, gated);
        shop.multiply(&weights.down, tokens, (gated, branch), &mut buffers.quantised)?;
        norms.after(weights.floats.feed_forward_after_norm.as_deref(), branch);
        crew.add(branch, architecture.residual_multiplier, residual);
        Ok(())
    }

    /// Logits of the wanted tokens.
    pub(super) fn judge(&mut self, spans: &[Span<'_>], tokens: usize, pace: Pace<'_>) -> Result<(), ForwardError> {
        let Self { model, workers, isa, buffers, watch, .. } = self;
        let architecture = model.architecture();
        let rows = spans.iter().map(|span| span.tokens.len() - span.logits.first(span.tokens.len())).sum();
        if rows == 0 {
            return Ok(());
        }
        let width = architecture.width;
        let (residual, picked) = (&buffers.residual[..width * tokens], &mut buffers.normed[..width * rows]);
        let (mut start, mut row) = (0, 0);
        for span in spans {
            for token in start + span.logits.first(span.tokens.len())..start + span.tokens.len() {
                for tile in 0..width / 8 {
                    let (from, to) = ((tile * tokens + token) * 8, (tile * rows + row) * 8);
                    picked[to..to + 8].copy_from_slice(&residual[from..from + 8]);
                }
                row += 1;
            }
            start += span.tokens.len();
        }
        let norms = Norms { isa: *isa, tokens: rows, epsilon: architecture.norm_epsilon };
        norms.after(Some(&model.norm), picked);
        let logits = &mut buffers.logits[..model.head.tiles() * 8 * rows];
        let crew = Crew { workers, isa: *isa };
        let shop = Shop { model, crew, pace };
        tell(watch, Reader::Head, rows, picked);
        shop.multiply(&model.head, rows, (picked, logits), &mut buffers.quantised)?;
        if architecture.logit_multiplier != 1.0 {
            logits.iter_mut().for_each(|logit| *logit *= architecture.logit_multiplier);
        }
        if let Some(cap) = architecture.logit_softcap {
            logits.iter_mut().for_each(|logit| *logit = cap * libm::tanhf(*logit / cap));
        }
        buffers.rows = rows;
        Ok(())
    }
}

/// The norms around a layer's parts.
#[derive(Clone, Copy)]
pub(super) struct Norms {
    pub(super) isa: Isa,
    pub(super) tokens: usize,
    pub(super) epsilon: f32,
}

impl Norms {
    /// What a part reads: the stream, normed into `room` where there is a norm before it.
    pub(super) fn before<'a>(&self, weight: Option<&[f32]>, stream: &'a [f32], room: &'a mut [f32]) -> &'a [f32] {
        let Some(weight) = weight else { return stream };
        self.run(Some(stream), weight, room);
        room
    }

    /// Norms `values` in place where there is a norm: a part's result, or the heads of q and k.
    pub(super) fn after(&self, weight: Option<&[f32]>, values: &mut [f32]) {
        if let Some(weight) = weight {
            self.run(None, weight, values);
        }
    }

    fn run(&self, source: Option<&[f32]>, weight: &[f32], output: &mut [f32]) {
        let &Self { isa, tokens, epsilon } = self;
        rms_norm(isa, rms_norm::Task { tokens, source, weight, epsilon, output });
    }
}
