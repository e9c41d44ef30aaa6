//! The grid of every value: from what was seen of it, from who reads it, and under a rule.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Activation, Graph, Node, Op, ValueId};

use super::ties::moves;
use super::{Demand, Observation, Tails, Ties};
use crate::lower::{InputForm, has_int8};
use crate::quantize::{Grid, ValueGrid};

/// What a few inputs show of one channel is less of its range than they show of a whole value's.
const MARGIN: f32 = 1.25;
/// A channel that hardly ever fired may still do so: its scale is at least this share of the largest beside it.
const CHANNEL_SHARE_MIN: f64 = 1.0 / 32.0;
/// Scales tried below the one that covers all that was seen.
const SCALES: usize = 40;
/// The finest of them as a share of that one.
const FINEST: f64 = 0.2;
/// Zero points are tried at this distance, then all around the best.
const ZERO_POINT_STEP: usize = 5;

/// Where the ends of a range lie.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeRule {
    /// At what was seen.
    MinMax,
    /// Beyond all but this share of what was seen, on each side.
    Percentile(f64),
    /// Where the sum of clipping and rounding errors, weighted by what the readers mind, is least.
    LeastError,
}

/// Which values get a scale for each channel.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelScales {
    /// None.
    Nowhere,
    /// Those that only depthwise convolutions read, whose weights take the scales up for nothing.
    Depthwise,
    /// These, and those that convolutions read; there the scales go this far (0 to 1) from one for all to each its own, since
    /// what they win for the value the weights lose.
    Dense(f64),
}

/// How grids are chosen.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct GridRules {
    /// Ends of the ranges.
    pub range: RangeRule,
    /// Whether real 0 may lie on another step than 0.
    pub zero_points: bool,
    /// Scales a channel.
    pub channels: ChannelScales,
}

impl GridRules {
    /// What other converters do when told nothing: symmetric, one scale, as wide as what was seen.
    pub const NAIVE: Self = Self { range: RangeRule::MinMax, zero_points: false, channels: ChannelScales::Nowhere };
    /// Before anything was measured.
    pub const DEFAULT: Self =
        Self { range: RangeRule::LeastError, zero_points: true, channels: ChannelScales::Depthwise };
}

/// Chooses a grid for every value of `graph` that INT8 nodes may meet; `input` says what the network's inputs are.
#[must_use]
pub fn choose_grids(
    graph: &Graph,
    seen: &BTreeMap<ValueId, Observation>,
    input: InputForm,
    rules: GridRules,
) -> BTreeMap<ValueId, ValueGrid> {
    let mut ties = Ties::of(graph);
    for value in ties.values() {
        let free = match rules.channels {
            ChannelScales::Nowhere => false,
            ChannelScales::Depthwise => only_depthwise_reads(graph, value),
            ChannelScales::Dense(_) => true,
        };
        if !free {
            ties.unify(value);
        }
    }
    let demand = Demand::of(graph, seen);
    let mut companies: BTreeMap<ValueId, Vec<ValueId>> = BTreeMap::new();
    for (value, first) in ties.companies() {
        companies.entry(first).or_default().push(value);
    }
    let mut grids = BTreeMap::new();
    for values in companies.into_values() {
        let picture = input == InputForm::Picture && values.iter().any(|value| graph.inputs.first() == Some(value));
        let chosen = if picture {
            None
        } else {
            Company::new(graph, &values, seen, &demand, &mut ties).map(|company| company.choose(rules))
        };
        for value in values {
            let grid = match &chosen {
                _ if picture => ValueGrid { scales: vec![1.0], zero_point: -128 },
                Some(chosen) => chosen.grid(value, &mut ties),
                None => continue,
            };
            grids.insert(value, grid);
        }
    }
    grids
}

/// Whether nothing but INT8 depthwise convolutions reads a value, or what its steps are handed on to.
fn only_depthwise_reads(graph: &Graph, value: ValueId) -> bool {
    let mut readers = graph.readers(value).map(|reader| &graph.nodes[reader]).peekable();
    let fits = |node: &Node| match node.op {
        Op::DepthwiseConvolution { .. } => has_int8(graph, node),
        _ => moves(graph, node).is_some() && has_int8(graph, node) && only_depthwise_reads(graph, node.output),
    };
    readers.peek().is_some() && !graph.outputs.contains(&value) && readers.all(fits)
}

/// Whether a value's steps are those of an input of the node that makes it.
fn is_copy(graph: &Graph, value: ValueId) -> bool {
    let moved = |node: &Node| moves(graph, node).is_some() && has_int8(graph, node);
    graph.producer(value).is_some_and(|producer| moved(&graph.nodes[producer]))
}

/// The activation of what makes `value`.
fn activation(graph: &Graph, value: ValueId) -> Activation {
    match graph.producer(value).map(|producer| &graph.nodes[producer].op) {
        Some(
            Op::Convolution { activation, .. } | Op::DepthwiseConvolution { activation, .. } | Op::Add { activation },
        ) => *activation,
        _ => Activation::None,
    }
}

/// See [`Slot::finest`]: the epilogue's bump has 8 bits for what max(x, 0) and the activation differ by (see
/// `clawdbot_kernels::epilogue`).
fn finest(activation: Activation) -> f64 {
    let bump: f64 = match activation {
        Activation::Silu => 0.2785,
        Activation::HardSwish => 0.375,
        Activation::Gelu => 0.17,
        _ => return 0.0,
    };
    bump * 1.03 / 255.0
}

/// One channel of one value.
struct Slot {
    tails: Tails,
    low: f32,
    high: f32,
    seen: f64,
    demand: f64,
    /// Where the activation that made it ends: with scales a channel nothing but the last step holds it there.
    bound: f64,
    /// The finest scale that the epilogue of what made it can give.
    finest: f64,
}

/// Values that share a zero point, as sets of slots that share a scale.
struct Company {
    sets: BTreeMap<usize, Vec<Slot>>,
    /// Whether some values have scales a channel.
    divided: bool,
    /// Whether only depthwise convolutions mind the division.
    free: bool,
}

/// What was chosen for a company.
struct Chosen {
    scales: BTreeMap<usize, f32>,
    zero_point: i32,
}

impl Company {
    fn new(
        graph: &Graph,
        values: &[ValueId],
        seen: &BTreeMap<ValueId, Observation>,
        demand: &Demand,
        ties: &mut Ties,
    ) -> Option<Self> {
        let mut sets: BTreeMap<usize, Vec<Slot>> = BTreeMap::new();
        for &value in values.iter().filter(|&&value| !is_copy(graph, value)) {
            let Some(observed) = seen.get(&value) else { continue };
            for (c, channel) in observed.channels.iter().enumerate() {
                let slot = Slot {
                    tails: channel.histogram.tails(),
                    low: channel.low.min(0.0),
                    high: channel.high.max(0.0),
                    seen: observed.count as f64,
                    demand: demand.channel(value, c),
                    bound: f64::from(activation(graph, value).bounds().1),
                    finest: finest(activation(graph, value)),
                };
                sets.entry(ties.set(value, c)).or_default().push(slot);
            }
        }
        let divided = sets.len() > 1;
        let free = values.iter().all(|&value| only_depthwise_reads(graph, value));
        (!sets.is_empty()).then_some(Self { sets, divided, free })
    }

    fn choose(&self, rules: GridRules) -> Chosen {
        let zero_point = if rules.zero_points { self.zero_point(rules.range) } else { 0 };
        let mut scales: BTreeMap<usize, f64> = BTreeMap::new();
        for (&set, slots) in &self.sets {
            scales.insert(set, self.best_scale(&mut slots.iter(), rules.range, zero_point).0);
        }
        let largest = scales.values().copied().fold(0.0, f64::max);
        if self.divided {
            for scale in scales.values_mut() {
                *scale = scale.max(largest * CHANNEL_SHARE_MIN);
            }
            if let (ChannelScales::Dense(share), false) = (rules.channels, self.free) {
                let whole = self.best_scale(&mut self.sets.values().flatten(), rules.range, zero_point).0;
                scales.values_mut().for_each(|scale| *scale = whole.powf(1.0 - share) * scale.powf(share));
            }
        }
        let scales = scales.into_iter().map(|(set, scale)| (set, scale as f32)).collect();
        Chosen { scales, zero_point }
    }

    /// The zero point with which all sets together have the least error.
    fn zero_point(&self, rule: RangeRule) -> i32 {
        let error = |zero_point: i32| -> f64 {
            self.sets.values().map(|slots| self.best_scale(&mut slots.iter(), rule, zero_point).1).sum()
        };
        let low = self.sets.values().flatten().map(|slot| slot.low).fold(0.0, f32::min);
        let high = self.sets.values().flatten().map(|slot| slot.high).fold(0.0, f32::max);
        if low >= 0.0 {
            return -128;
        }
        let plain = Grid::over(low, high).zero_point;
        let best = |candidates: &mut dyn Iterator<Item = i32>| {
            candidates.map(|z| (error(z), z)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(plain, |(_, z)| z)
        };
        let coarse = best(&mut (-128..=127).step_by(ZERO_POINT_STEP).chain([plain]));
        best(&mut (coarse - 4..=coarse + 4).filter(|z| (-128..=127).contains(z)))
    }

    /// A scale for slots under a zero point, and the error that it makes.
    fn best_scale(&self, slots: &mut dyn Iterator<Item = &Slot>, rule: RangeRule, zero_point: i32) -> (f64, f64) {
        let slots: Vec<&Slot> = slots.collect();
        let (below, above) = (f64::from(zero_point + 128).max(0.5), f64::from(127 - zero_point).max(0.5));
        let cover = |low: f64, high: f64| (high / above).max(-low / below);
        let margin = if self.divided { f64::from(MARGIN) } else { 1.0 };
        let whole = slots.iter().map(|slot| cover(f64::from(slot.low), f64::from(slot.high))).fold(0.0, f64::max);
        if !(whole as f32).is_normal() {
            return (1.0 / 1024.0, 0.0);
        }
        let error = |scale: f64| -> f64 {
            let of = |slot: &&Slot| {
                let rounded = slot.tails.count() * scale * scale / 12.0;
                (slot.tails.clipped(-scale * below, scale * above) + rounded) * slot.demand / slot.seen.max(1.0)
            };
            slots.iter().map(of).sum()
        };
        let scale = match rule {
            RangeRule::MinMax => whole,
            RangeRule::Percentile(share) => {
                let end = |slot: &&Slot| {
                    let (low, high) = slot.tails.percentile(share, slot.seen);
                    cover(low, high)
                };
                slots.iter().map(end).fold(0.0, f64::max).clamp(whole * 1e-3, whole)
            }
            RangeRule::LeastError => {
                let shares = (0..SCALES).map(|index| 1.0 - (1.0 - FINEST) * index as f64 / (SCALES - 1) as f64);
                let tried = shares.map(|share| whole * share).map(|scale| (error(scale), scale));
                tried.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(whole, |(_, scale)| scale)
            }
        };
        let scale = slots.iter().map(|slot| slot.finest).fold(scale, f64::max);
        let bound = slots.iter().map(|slot| slot.bound).fold(f64::INFINITY, f64::min) / above;
        let scale = if self.divided { (scale * margin).min(bound) } else { scale };
        (scale, error(scale))
    }
}

impl Chosen {
    fn grid(&self, value: ValueId, ties: &mut Ties) -> ValueGrid {
        // A set without a slot that was seen holds only copies of what was never made.
        let scales: Vec<f32> =
            (0..ties.channels(value)).map(|c| self.scales.get(&ties.set(value, c)).copied().unwrap_or(1.0)).collect();
        let one = scales.windows(2).all(|pair| pair[0] == pair[1]);
        let scales = if one { scales.into_iter().take(1).collect() } else { scales };
        ValueGrid { scales, zero_point: self.zero_point }
    }
}
