//! Values that lie on steps of one zero point, and the scales of least cost for them.

use std::collections::BTreeMap;

use clawdbot_nn::graph::{Activation, Graph, ValueId};

use super::grids::{GridRules, RangeRule, activation, is_copy, only_depthwise_reads};
use super::{Demand, DenseReader, Observation, Tails, Ties};
use crate::lower::has_int8;
use crate::quantize::{Grid, ValueGrid};

/// What a few inputs show of one channel is less of its range than they show of a whole value's.
const MARGIN: f64 = 1.25;
/// A channel that hardly ever fired may still do so: its scale is at least this share of the largest beside it.
const CHANNEL_SHARE_MIN: f64 = 1.0 / 32.0;
/// Scales tried below the one that covers all that was seen.
const SCALES: usize = 40;
/// The finest of them as a share of that one.
const FINEST: f64 = 0.2;
/// Zero points are tried at this distance, then all around the best.
const ZERO_POINT_STEP: usize = 5;
/// How far scales may go from one for all (0) to each channel its own (1).
const SHARES: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];

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
pub(super) struct Company {
    sets: BTreeMap<usize, Vec<Slot>>,
    /// Whether some values have scales a channel.
    divided: bool,
    /// Whether only depthwise convolutions read them, which division costs nothing.
    free: bool,
    /// Convolutions that read them, and the set of each channel that they read.
    readers: Vec<(DenseReader, Vec<usize>)>,
}

/// What was chosen for a company.
pub(super) struct Chosen {
    scales: BTreeMap<usize, f32>,
    zero_point: i32,
}

impl Company {
    pub(super) fn new(
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
        let readers = if divided && !free { readers(graph, values, seen, ties) } else { Vec::new() };
        (!sets.is_empty()).then_some(Self { sets, divided, free, readers })
    }

    pub(super) fn choose(&self, rules: GridRules) -> Chosen {
        let zero_point = if rules.zero_points { self.zero_point(rules.range) } else { 0 };
        let mut own: BTreeMap<usize, f64> = BTreeMap::new();
        for (&set, slots) in &self.sets {
            own.insert(set, self.best_scale(&mut slots.iter(), (rules.range, zero_point), self.divided).0);
        }
        if self.divided {
            let largest = own.values().copied().fold(0.0, f64::max);
            own.values_mut().for_each(|scale| *scale = scale.max(largest * CHANNEL_SHARE_MIN));
        }
        let scales = if self.divided && !self.free { self.weighed(&own, (rules.range, zero_point)) } else { own };
        let scales = scales.into_iter().map(|(set, scale)| (set, scale as f32)).collect();
        Chosen { scales, zero_point }
    }

    /// Scales between one for all and each its `own`: those that cost the values and the weights that read them least
    /// together.
    fn weighed(&self, own: &BTreeMap<usize, f64>, rule: (RangeRule, i32)) -> BTreeMap<usize, f64> {
        let whole = self.best_scale(&mut self.sets.values().flatten(), rule, false).0;
        let between = |share: f64| -> BTreeMap<usize, f64> {
            own.iter().map(|(&set, own)| (set, whole.powf(1.0 - share) * own.powf(share))).collect()
        };
        let cost = |scales: &BTreeMap<usize, f64>| -> f64 {
            let values = self.sets.iter().map(|(set, slots)| error(&mut slots.iter(), scales[set], rule.1));
            let weights = self.readers.iter().map(|(reader, sets)| {
                let read: Vec<f64> = sets.iter().map(|set| scales.get(set).copied().unwrap_or(whole)).collect();
                reader.noise(&read)
            });
            values.sum::<f64>() + weights.sum::<f64>()
        };
        let tried = SHARES.map(between).into_iter().map(|scales| (cost(&scales), scales));
        tried.min_by(|a, b| a.0.total_cmp(&b.0)).map_or_else(|| own.clone(), |(_, scales)| scales)
    }

    /// The zero point with which all sets together have the least error.
    fn zero_point(&self, rule: RangeRule) -> i32 {
        let error = |zero_point: i32| -> f64 {
            self.sets.values().map(|slots| self.best_scale(&mut slots.iter(), (rule, zero_point), self.divided).1).sum()
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

    /// A scale for slots under a zero point, and the error that it makes. Where the value is `divided` among channels, the
    /// slots are few, and some room is left to what was not seen.
    fn best_scale(
        &self,
        slots: &mut dyn Iterator<Item = &Slot>,
        (rule, zero_point): (RangeRule, i32),
        divided: bool,
    ) -> (f64, f64) {
        let slots: Vec<&Slot> = slots.collect();
        let (below, above) = steps(zero_point);
        let cover = |low: f64, high: f64| (high / above).max(-low / below);
        let whole = slots.iter().map(|slot| cover(f64::from(slot.low), f64::from(slot.high))).fold(0.0, f64::max);
        if !(whole as f32).is_normal() {
            return (1.0 / 1024.0, 0.0);
        }
        let error = |scale: f64| error(&mut slots.iter().copied(), scale, zero_point);
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
        let scale = if divided { (scale * MARGIN).min(bound) } else { scale };
        (scale, error(scale))
    }
}

/// Steps below and above that of real 0.
fn steps(zero_point: i32) -> (f64, f64) {
    (f64::from(zero_point + 128).max(0.5), f64::from(127 - zero_point).max(0.5))
}

/// What clipping and rounding slots to steps of `scale` costs those who read them.
fn error(slots: &mut dyn Iterator<Item = &Slot>, scale: f64, zero_point: i32) -> f64 {
    let (below, above) = steps(zero_point);
    let of = |slot: &Slot| {
        let rounded = slot.tails.count() * scale * scale / 12.0;
        (slot.tails.clipped(-scale * below, scale * above) + rounded) * slot.demand / slot.seen.max(1.0)
    };
    slots.map(of).sum()
}

/// The convolutions that read `values`, with the set of each channel.
fn readers(
    graph: &Graph,
    values: &[ValueId],
    seen: &BTreeMap<ValueId, Observation>,
    ties: &mut Ties,
) -> Vec<(DenseReader, Vec<usize>)> {
    let mut readers = Vec::new();
    for node in graph.nodes.iter().filter(|node| has_int8(graph, node)) {
        let Some(&x) = node.inputs.first().filter(|x| values.contains(x)) else { continue };
        let (Some(read), Some(made)) = (seen.get(&x), seen.get(&node.output)) else { continue };
        if let Some(reader) = DenseReader::of(graph, node, read, made) {
            readers.push((reader, (0..read.channels.len()).map(|c| ties.set(x, c)).collect()));
        }
    }
    readers
}

impl Chosen {
    pub(super) fn grid(&self, value: ValueId, ties: &mut Ties) -> ValueGrid {
        // A set without a slot that was seen holds only copies of what was never made.
        let scales: Vec<f32> =
            (0..ties.channels(value)).map(|c| self.scales.get(&ties.set(value, c)).copied().unwrap_or(1.0)).collect();
        let one = scales.windows(2).all(|pair| pair[0] == pair[1]);
        let scales = if one { scales.into_iter().take(1).collect() } else { scales };
        ValueGrid { scales, zero_point: self.zero_point }
    }
}
