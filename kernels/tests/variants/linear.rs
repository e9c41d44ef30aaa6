//! The linear layers of a language model and what quantises for them: bit-equal to the law, computed here from loose numbers.

use clawdbot_kernels::float16::widen;
use clawdbot_kernels::group_quantize::{self, SMALLEST};
use clawdbot_kernels::isa::{Operator, Variant};
use clawdbot_kernels::linear::{Activations, GROUP, ROWS, Task, float_index};
use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// Tokens: around every tile's height, and every remainder where weights are unpacked.
const TOKENS: [usize; 18] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33];

/// Times eight rows: around every tile's width.
const PANELS: [usize; 9] = [0, 1, 2, 3, 4, 5, 7, 8, 9];

/// Groups along K: also around those that are unpacked at a time.
const GROUPS: [usize; 8] = [0, 1, 2, 3, 5, 16, 18, 33];

/// Finite scales as binary16 bits: nothing, the smallest, the largest, a negative one, and usual ones.
fn scales(source: &mut Source, count: usize) -> Vec<u16> {
    let odd = [0, 0x8000, 1, 0x03ff, 0x7bff, 0xfbff, 0x9234];
    (0..count)
        .map(|_| if source.below(4) == 0 { odd[source.below(7)] } else { 0x2000 + source.below(0x1000) as u16 })
        .collect()
}

/// `count` whole numbers within `low..=high`; `extreme` takes the ends only, or one end only.
fn quants(source: &mut Source, count: usize, [low, high]: [i8; 2], extreme: usize) -> Vec<i8> {
    let mut one = || match extreme {
        0 => [low, high][source.below(2)],
        1 => low,
        2 => high,
        _ => (source.below((i32::from(high) - i32::from(low) + 1) as usize) as i32 + i32::from(low)) as i8,
    };
    (0..count).map(|_| one()).collect()
}

/// One product of loose numbers.
struct Case {
    tokens: usize,
    k: usize,
    /// `[T][K]`.
    activations: Vec<i8>,
    /// `[K/32][T]`.
    scales: Vec<f32>,
    /// `[N][K]` and `[N][K/32]`.
    weights: Vec<i8>,
    weight_scales: Vec<u16>,
}

impl Case {
    fn new(source: &mut Source, [tokens, n, groups]: [usize; 3], range: [i8; 2]) -> Self {
        let k = groups * GROUP;
        let extreme = source.below(8);
        let ends = if extreme < 3 { source.below(4) } else { 3 };
        let mut scales = source.floats(groups * tokens);
        scales.iter_mut().for_each(|scale| *scale = if source.below(8) == 0 { 0.0 } else { scale.abs() });
        Self {
            tokens,
            k,
            activations: quants(source, tokens * k, [-127, 127], ends),
            scales,
            weights: quants(source, n * k, range, extreme),
            weight_scales: self::scales(source, n * groups),
        }
    }

    /// The activations as kernels want them: quants and corrections.
    fn grouped(&self) -> (Vec<i8>, Vec<i32>) {
        let groups = self.k / GROUP;
        let each = (0..groups).flat_map(|group| (0..self.tokens).map(move |token| [group, token]));
        let each = each.map(|[group, token]| &self.activations[token * self.k + group * GROUP..][..GROUP]);
        let sum = |quants: &[i8]| quants.iter().map(|&quant| i32::from(quant)).sum::<i32>();
        (each.clone().flatten().copied().collect(), each.map(|quants| -8 * sum(quants)).collect())
    }

    /// The law.
    fn expected(&self, n: usize) -> Vec<u32> {
        let groups = self.k / GROUP;
        let mut results = vec![0.0_f32; n.next_multiple_of(ROWS) * self.tokens];
        for row in 0..n {
            for token in 0..self.tokens {
                let result = &mut results[float_index(self.tokens, row, token)];
                for group in 0..groups {
                    let weights = &self.weights[row * self.k + group * GROUP..][..GROUP];
                    let activations = &self.activations[token * self.k + group * GROUP..][..GROUP];
                    let products = weights.iter().zip(activations).map(|(&w, &x)| i32::from(w) * i32::from(x));
                    let scale =
                        widen(self.weight_scales[row * groups + group]) * self.scales[group * self.tokens + token];
                    *result = (products.sum::<i32>() as f32).mul_add(scale, *result);
                }
            }
        }
        results.into_iter().map(f32::to_bits).collect()
    }
}

/// Walks `variants`; `range` and `pack` say what differs between the precisions.
fn integer<O: for<'a> Operator<Task<'a> = Task<'a>>>(
    tally: &mut Tally,
    variants: &[Variant<O>],
    range: [i8; 2],
    pack: impl Fn(&[i8], usize, &[u16]) -> Vec<u8>,
) {
    tally.walk(variants, |variant| {
        let mut source = Source::new(variants.len() as u64);
        for tokens in TOKENS {
            for (index, panels) in PANELS.into_iter().enumerate() {
                let edge = Edge::BOTH[index % 2];
                let groups = GROUPS[source.below(GROUPS.len())];
                // Not always all rows of the last eight.
                let n = (panels * ROWS).saturating_sub(source.below(2) * 3);
                let case = Case::new(&mut source, [tokens, n, groups], range);
                let (quants, corrections) = case.grouped();
                let (quants, corrections) = (Guarded::new(&quants, edge), Guarded::new(&corrections, edge));
                let scales = Guarded::new(&case.scales, edge);
                let weights = Guarded::new(&pack(&case.weights, case.k, &case.weight_scales), edge);
                let mut output = Guarded::new(&vec![f32::NAN; panels * ROWS * tokens], edge);
                let activations = Activations { tokens, quants: &quants, scales: &scales, corrections: &corrections };
                variant.run(Task { activations, weights: &weights, output: &mut output });
                let bits: Vec<u32> = output.iter().map(|value| value.to_bits()).collect();
                let context = format!("{}: {tokens} tokens, {n} rows of {groups} groups", variant.name);
                assert_eq!(bits, case.expected(n), "{context}");
            }
        }
    });
}

pub(crate) fn linear_i4(tally: &mut Tally) {
    integer(tally, linear_i4::VARIANTS, linear_i4::pack::RANGE, linear_i4::pack::pack_quants);
}

pub(crate) fn linear_i8(tally: &mut Tally) {
    integer(tally, linear_i8::VARIANTS, linear_i8::pack::RANGE, linear_i8::pack::pack_quants);
}

pub(crate) fn linear_f16(tally: &mut Tally) {
    tally.walk(linear_f16::VARIANTS, |variant| {
        let mut source = Source::new(3);
        for tokens in TOKENS {
            for (index, panels) in PANELS.into_iter().enumerate() {
                let edge = Edge::BOTH[index % 2];
                let k = [0, 8, 16, 24, 40, 200][source.below(6)];
                let n = (panels * ROWS).saturating_sub(source.below(2) * 5);
                let mut values = source.floats(n * k);
                for value in &mut values {
                    *value *= [1.0, 60_000.0, 1e-7, 0.0][source.below(4)];
                }
                let input = Guarded::new(&source.floats(tokens * k), edge);
                let weights = Guarded::new(&linear_f16::pack::pack(&values, k), edge);
                let mut output = Guarded::new(&vec![f32::NAN; panels * ROWS * tokens], edge);
                variant.run(linear_f16::Task { tokens, input: &input, weights: &weights, output: &mut output });
                for (row, token) in (0..panels * ROWS).flat_map(|row| (0..tokens).map(move |token| (row, token))) {
                    let expected = (0..k).fold(0.0_f32, |sum, at| {
                        let weight = values.get(row * k + at).map_or(0.0, |&value| half::f16::from_f32(value).to_f32());
                        weight.mul_add(input[float_index(tokens, at, token)], sum)
                    });
                    let result = output[float_index(tokens, row, token)];
                    let context = format!("{}: {tokens} tokens, {n} x {k}, row {row}", variant.name);
                    assert_eq!(result.to_bits(), expected.to_bits(), "{context}: {result} and not {expected}");
                }
            }
        }
    });
}

pub(crate) fn group_quantize(tally: &mut Tally) {
    tally.walk(group_quantize::VARIANTS, |variant| {
        let mut source = Source::new(4);
        for (index, tokens) in TOKENS.into_iter().enumerate() {
            for groups in GROUPS {
                let edge = Edge::BOTH[index % 2];
                let mut input = source.floats(tokens * groups * GROUP);
                // Ties, where the largest happens to be a power of two times 127.
                for value in &mut input {
                    *value = if source.below(3) == 0 { (*value * 127.0).round() / 254.0 } else { *value };
                }
                for group in input.chunks_mut(4 * GROUP) {
                    let factor = [1.0, 0.0, SMALLEST, 1e-37, 3e38, f32::from_bits(1), 127.0][source.below(7)];
                    group.iter_mut().for_each(|value| *value *= factor);
                }
                let input = Guarded::new(&input, edge);
                let run = |variant: &Variant<group_quantize::GroupQuantize>| {
                    let count = tokens * groups;
                    let mut quants = Guarded::new(&vec![0x5a_i8; count * GROUP], edge);
                    let mut scales = Guarded::new(&vec![f32::NAN; count], edge);
                    let mut corrections = Guarded::new(&vec![77; count], edge);
                    variant.run(group_quantize::Task {
                        tokens,
                        input: &input,
                        quants: &mut quants,
                        scales: &mut scales,
                        corrections: &mut corrections,
                    });
                    let bits: Vec<u32> = scales.iter().map(|scale| scale.to_bits()).collect();
                    (quants.to_vec(), bits, corrections.to_vec())
                };
                let found = run(variant);
                assert_eq!(found, run(&group_quantize::VARIANTS[0]), "{}: {tokens} x {groups}", variant.name);
                for (at, &quant) in found.0.iter().enumerate() {
                    let (group, token) = (at / GROUP / tokens, at / GROUP % tokens);
                    let value = f64::from(input[float_index(tokens, group * GROUP + at % GROUP, token)]);
                    let scale = f64::from(f32::from_bits(found.1[at / GROUP]));
                    let error = (f64::from(quant) * scale - value).abs();
                    assert!(error <= scale * 0.500_1 + f64::from(SMALLEST), "{}: {value} by {scale}", variant.name);
                }
            }
        }
    });
}
