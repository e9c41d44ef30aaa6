//! What a language model computes beside its products, except attention: every variant bit by bit as the reference, and
//! the reference near the exact result in f64.

use clawdbot_kernels::add_f32::{self, Addend};
use clawdbot_kernels::isa::{Operator, Variant};
use clawdbot_kernels::swiglu::Function;
use clawdbot_kernels::{argmax, rms_norm, rope, swiglu};

use crate::guarded::{Edge, Guarded};
use crate::made_up::Source;
use crate::tally::Tally;

/// What no model should hold, and no kernel may die of.
const ODD: [f32; 9] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, 1e-40, -0.0, f32::MIN_POSITIVE, 65520.0];

/// Numbers, a third of them `ODD` where `odd`.
pub(crate) fn numbers(source: &mut Source, count: usize, odd: bool) -> Vec<f32> {
    let mut numbers = source.floats(count);
    for number in &mut numbers {
        let strange = odd && source.below(3) == 0;
        *number = if strange { ODD[source.below(ODD.len())] } else { *number * 8.0 };
    }
    numbers
}

/// The same bits, where any NaN is as good as another.
pub(crate) fn same(found: &[f32], law: &[f32], context: &str) {
    assert_eq!(found.len(), law.len());
    for (index, (a, b)) in found.iter().zip(law).enumerate() {
        assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{context} at {index}: {a} and not {b}");
    }
}

/// Where value n of a token lies.
pub(crate) const fn at(tokens: usize, n: usize, token: usize) -> usize {
    (n / 8 * tokens + token) * 8 + n % 8
}

/// Runs `variant` and the reference on a copy of `before` each, compares, and answers the results.
fn both<O: Operator>(
    [law, variant]: [&Variant<O>; 2],
    (before, edge): (&[f32], Edge),
    context: &str,
    run: impl Fn(&Variant<O>, &mut [f32]),
) -> Vec<f32> {
    let mut found = Guarded::new(before, edge);
    run(variant, &mut found);
    let mut expected = before.to_vec();
    run(law, &mut expected);
    same(&found, &expected, &format!("{}: {context}", variant.name));
    expected
}

fn near(found: f32, exact: f64, bound: f64, context: &str) {
    let error = (f64::from(found) - exact).abs();
    assert!(error <= bound, "{context}: {found}, not {exact}, off by {error:e}, allowed {bound:e}");
}

pub(crate) fn rms_norm(tally: &mut Tally) {
    tally.walk(rms_norm::VARIANTS, |variant| {
        let shapes = [[0, 8, 1], [1, 8, 1], [1, 16, 3], [3, 64, 5], [1, 576, 1], [1, 576, 7], [9, 128, 32]];
        for (seed, [groups, width, tokens]) in shapes.into_iter().enumerate() {
            for (edge, odd) in [(Edge::Start, false), (Edge::End, false), (Edge::End, true)] {
                let mut source = Source::new(seed as u64);
                let values = numbers(&mut source, groups * width * tokens, odd);
                let weight = Guarded::new(&numbers(&mut source, width, odd), edge);
                let guarded = Guarded::new(&values, edge);
                let context = format!("{groups} x {width} x {tokens}");
                let pair = [&rms_norm::VARIANTS[0], variant];
                let apart = both(pair, (&vec![7.0; values.len()], edge), &context, |variant, output| {
                    let (source, weight) = (Some(&*guarded), &*weight);
                    variant.run(rms_norm::Task { tokens, source, weight, epsilon: 1e-5, output });
                });
                let in_place = both(pair, (&values, edge), &context, |variant, output| {
                    variant.run(rms_norm::Task { tokens, source: None, weight: &weight, epsilon: 1e-5, output });
                });
                same(&in_place, &apart, "in place");
                for (index, &found) in apart.iter().enumerate().filter(|_| !odd) {
                    let (token, group) = (index / 8 % tokens, index / (width * tokens));
                    let value = |n: usize| f64::from(values[at(tokens, group * width + n, token)]);
                    let mean = (0..width).map(|n| value(n).powi(2)).sum::<f64>() / width as f64;
                    let n = index / 8 / tokens * 8 % width + index % 8;
                    let exact = value(n) / (mean + 1e-5).sqrt() * f64::from(weight[n]);
                    near(found, exact, 1e-6 * exact.abs() + 1e-30, &context);
                }
            }
        }
    });
}

pub(crate) fn rope(tally: &mut Tally) {
    tally.walk(rope::VARIANTS, |variant| {
        let shapes = [[0, 16, 16, 1], [1, 16, 16, 1], [3, 64, 64, 5], [2, 128, 96, 3], [2, 80, 32, 33], [1, 8, 0, 2]];
        for (seed, [heads, head_dim, rotary, tokens]) in shapes.into_iter().enumerate() {
            for (edge, odd) in [(Edge::Start, false), (Edge::End, false), (Edge::End, true)] {
                let mut source = Source::new(seed as u64);
                let values = numbers(&mut source, heads * head_dim * tokens, odd);
                let angles = source.floats(tokens * rotary / 2);
                let cos = Guarded::new(&angles.iter().map(|x| (x * 3.0).cos()).collect::<Vec<_>>(), edge);
                let sin = Guarded::new(&angles.iter().map(|x| (x * 3.0).sin()).collect::<Vec<_>>(), edge);
                let context = format!("{heads} x {head_dim} ({rotary}) x {tokens}");
                let turned = both([&rope::VARIANTS[0], variant], (&values, edge), &context, |variant, values| {
                    if rotary > 0 {
                        variant.run(rope::Task { tokens, head_dim, rotary, cos: &cos, sin: &sin, values });
                    }
                });
                for (index, &found) in turned.iter().enumerate().filter(|_| !odd) {
                    let (n, token) = (index / 8 / tokens * 8 + index % 8, index / 8 % tokens);
                    let (head, d, half) = (n / head_dim * head_dim, n % head_dim, rotary / 2);
                    if d >= rotary {
                        assert_eq!(found, values[index], "{context}: behind what is turned");
                        continue;
                    }
                    let angle = token * half + d % half;
                    let value = |d: usize| f64::from(values[at(tokens, head + d, token)]);
                    let (c, s) = (f64::from(cos[angle]), f64::from(sin[angle]));
                    let pair = [value(d % half), value(d % half + half)];
                    let exact = if d < half { pair[0] * c - pair[1] * s } else { pair[1] * c + pair[0] * s };
                    near(found, exact, 3e-6, &context);
                }
            }
        }
    });
}

pub(crate) fn swiglu(tally: &mut Tally) {
    tally.walk(swiglu::VARIANTS, |variant| {
        for (seed, [tiles, tokens]) in [[0, 1], [1, 1], [1, 3], [12, 5], [9, 32]].into_iter().enumerate() {
            for function in [Function::Silu, Function::GeluTanh] {
                for (edge, odd) in [(Edge::Start, false), (Edge::End, false), (Edge::End, true)] {
                    let mut source = Source::new(seed as u64);
                    let input = Guarded::new(&numbers(&mut source, tiles * tokens * 16, odd), edge);
                    let context = format!("{function:?}, {tiles} x {tokens}");
                    let before = vec![7.0; tiles * tokens * 8];
                    let found = both([&swiglu::VARIANTS[0], variant], (&before, edge), &context, |variant, output| {
                        variant.run(swiglu::Task { function, tokens, input: &input, output });
                    });
                    for (index, &found) in found.iter().enumerate().filter(|_| !odd) {
                        let gate = index / (8 * tokens) * 16 * tokens + index % (8 * tokens);
                        let (x, up) = (f64::from(input[gate]), f64::from(input[gate + 8 * tokens]));
                        let bent = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                        let share = match function {
                            Function::Silu => 1.0 / (1.0 + (-x).exp()),
                            Function::GeluTanh => 1.0 / (1.0 + (-2.0 * bent).exp()),
                        };
                        // The argument's rounding grows with its size.
                        let bound = 1e-6 * (1.0 + bent.abs()) * (x * share * up).abs() + 1e-36;
                        near(found, x * share * up, bound, &context);
                    }
                }
            }
        }
    });
}

pub(crate) fn add_f32(tally: &mut Tally) {
    tally.walk(add_f32::VARIANTS, |variant| {
        for (seed, [tiles, tokens]) in [[0, 1], [1, 1], [1, 3], [12, 5], [9, 32]].into_iter().enumerate() {
            for (edge, odd) in [(Edge::Start, false), (Edge::End, false), (Edge::End, true)] {
                let mut source = Source::new(seed as u64);
                let values = numbers(&mut source, tiles * tokens * 8, odd);
                let tensor = Guarded::new(&numbers(&mut source, values.len(), odd), edge);
                let bias = Guarded::new(&numbers(&mut source, tiles * 8, odd), edge);
                let tensor_of = |factor| Addend::Tensor { data: &tensor, factor };
                for addend in [tensor_of(1.0), tensor_of(0.22), Addend::Bias { data: &bias, tokens }] {
                    let pair = [&add_f32::VARIANTS[0], variant];
                    let found = both(pair, (&values, edge), &format!("{tiles} x {tokens}"), |variant, values| {
                        variant.run(add_f32::Task { addend, values });
                    });
                    let exact = |index: usize| match addend {
                        Addend::Tensor { data, factor } => data[index].mul_add(factor, values[index]),
                        Addend::Bias { data, .. } => values[index] + data[index / (8 * tokens) * 8 + index % 8],
                    };
                    same(&found, &(0..found.len()).map(exact).collect::<Vec<_>>(), "by the definition");
                }
            }
        }
    });
}

pub(crate) fn argmax(tally: &mut Tally) {
    tally.walk(argmax::VARIANTS, |variant| {
        for (seed, [count, tokens]) in [[1, 1], [7, 2], [8, 1], [9, 3], [1000, 1], [4097, 5]].into_iter().enumerate() {
            for (edge, odd) in [(Edge::Start, false), (Edge::End, false), (Edge::End, true)] {
                let mut source = Source::new(seed as u64);
                // Few different numbers, so that the largest comes more than once; what pads is larger than all.
                let mut logits = vec![1e30; usize::next_multiple_of(count, 8) * tokens];
                for (n, token) in (0..count).flat_map(|n| (0..tokens).map(move |token| (n, token))) {
                    let strange = [f32::NAN, f32::NEG_INFINITY, 0.0, -0.0][source.below(4)];
                    logits[at(tokens, n, token)] = if odd { strange } else { source.below(50) as f32 - 60.0 };
                }
                let guarded = Guarded::new(&logits, edge);
                let mut places = Guarded::new(&vec![77_u32; tokens], edge);
                variant.run(argmax::Task { count, logits: &guarded, places: &mut places });
                for (token, &place) in places.iter().enumerate() {
                    let mut best = (f32::NEG_INFINITY, 0);
                    for n in 0..count {
                        let value = logits[at(tokens, n, token)];
                        best = if value > best.0 { (value, n as u32) } else { best };
                    }
                    assert_eq!(place, best.1, "{}: {count} x {tokens}, token {token}", variant.name);
                }
            }
        }
    });
}
