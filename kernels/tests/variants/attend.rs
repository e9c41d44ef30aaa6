//! Keys and values into pages, and attention over them.

use clawdbot_kernels::attention;
use clawdbot_kernels::isa::Variant;
use clawdbot_kernels::kv_store;
use clawdbot_kernels::pages::{Format, POSITIONS, Table};
use half::f16;

use crate::guarded::{Edge, Guarded};
use crate::language::{at, numbers, same};
use crate::made_up::Source;
use crate::tally::Tally;

const FORMATS: [Format; 3] = [Format::I8, Format::F16, Format::F32];

/// An arena whose places hold two blocks each, pages in no order, and what was stored as real numbers.
struct Cache {
    format: Format,
    head_dim: usize,
    pages: Vec<u32>,
    offset: usize,
    arena: Vec<u8>,
}

impl Cache {
    fn new(format: Format, head_dim: usize, positions: usize) -> Self {
        let count = positions.div_ceil(POSITIONS).max(1) as u32;
        let block = format.block_bytes(head_dim);
        // In no order of growth, the first place unused, and the last one ends the arena.
        let pages: Vec<u32> = (1..=count).rev().collect();
        let places = count as usize + 1;
        Self { format, head_dim, pages, offset: block, arena: vec![0; 2 * block * places] }
    }

    fn table(&self) -> Table<'_> {
        Table { pages: &self.pages, stride: 2 * self.format.block_bytes(self.head_dim), offset: self.offset }
    }

    /// Stores `tokens` tokens from `position` on by the reference.
    fn store(&mut self, position: usize, keys: &[f32], values: &[f32]) {
        let tokens = keys.len() / self.head_dim;
        let mut arena = std::mem::take(&mut self.arena);
        let Self { format, head_dim, .. } = *self;
        let table = self.table();
        let task = kv_store::Task { format, head_dim, tokens, position, keys, values, table, arena: &mut arena };
        kv_store::VARIANTS[0].run(task);
        self.arena = arena;
    }

    /// Key (0) or value (1) number `d` of a position, by the layout in `pages.rs`.
    fn real(&self, part: usize, position: usize, d: usize) -> f64 {
        let (dim, p) = (self.head_dim, position % POSITIONS);
        let place = self.pages[position / POSITIONS] as usize * self.table().stride + self.offset;
        let block = &self.arena[place..][..self.format.block_bytes(dim)];
        match self.format {
            Format::I8 => {
                let key = (p / 8 * (dim / 4) + d / 4) * 32 + p % 8 * 4 + d % 4;
                let value = (d / 8 * 8 + p / 4) * 32 + d % 8 * 4 + p % 4;
                let q = block[[key, POSITIONS * dim + value][part]].cast_signed();
                let scale = &block[2 * POSITIONS * dim + 4 * (part * POSITIONS + p)..][..4];
                f64::from(q) * f64::from(f32::from_le_bytes(scale.try_into().expect("four bytes")))
            }
            Format::F16 | Format::F32 => {
                let key = (p / 8 * dim + d) * 8 + p % 8;
                let value = POSITIONS * dim + (d / 8 * POSITIONS + p) * 8 + d % 8;
                let place = [key, value][part];
                if self.format == Format::F16 {
                    return f16::from_le_bytes(block.as_chunks().0[place]).to_f64();
                }
                f64::from(f32::from_le_bytes(block.as_chunks().0[place]))
            }
        }
    }
}

pub(crate) fn kv_store(tally: &mut Tally) {
    tally.walk(kv_store::VARIANTS, |variant| {
        for (seed, head_dim) in [8, 16, 24, 64, 128, 256].into_iter().enumerate() {
            for (format, odd) in FORMATS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
                for (edge, [position, tokens]) in [(Edge::Start, [0, 1]), (Edge::End, [61, 9]), (Edge::End, [5, 0])] {
                    let mut source = Source::new(seed as u64);
                    let keys = Guarded::new(&numbers(&mut source, head_dim * tokens, odd), edge);
                    let values = Guarded::new(&numbers(&mut source, head_dim * tokens, odd), edge);
                    let mut law = Cache::new(format, head_dim, position + tokens);
                    let mut arena = Guarded::new(&law.arena, edge);
                    let table = law.table();
                    let (keys, values, arena_now) = (&*keys, &*values, &mut *arena);
                    let task =
                        kv_store::Task { format, head_dim, tokens, position, keys, values, table, arena: arena_now };
                    variant.run(task);
                    law.store(position, keys, values);
                    let context = format!("{}: {format:?}, {head_dim}, {position} + {tokens}", variant.name);
                    assert!(*arena == *law.arena, "{context}: other bytes than by the reference");
                    check_stored(&law, position, [keys, values], &context);
                }
            }
        }
    });
}

/// What was stored lies as near to what was given as the format allows.
fn check_stored(cache: &Cache, position: usize, given: [&[f32]; 2], context: &str) {
    let (dim, tokens) = (cache.head_dim, given[0].len() / cache.head_dim);
    for (part, given) in given.into_iter().enumerate() {
        for token in 0..tokens {
            let wanted = |d: usize| {
                let x = f64::from(given[at(tokens, d, token)]);
                if x.is_nan() { 0.0 } else { x.clamp(-65504.0, 65504.0) }
            };
            let most = (0..dim).map(|d| wanted(d).abs()).fold(0.0, f64::max);
            for d in 0..dim {
                let bound = match cache.format {
                    Format::I8 => most / 254.0 * 1.000_01 + 1e-30,
                    Format::F16 => wanted(d).abs() / 2048.0 + 3e-8,
                    Format::F32 => 0.0,
                };
                let error = (cache.real(part, position + token, d) - wanted(d)).abs();
                assert!(error <= bound, "{context}: part {part}, token {token}, {d}: off by {error:e}");
            }
        }
    }
}

/// One call, without what it computes on.
#[derive(Clone, Copy, Debug)]
struct Shape {
    format: Format,
    head_dim: usize,
    heads: usize,
    position: usize,
    tokens: usize,
    window: Option<usize>,
    softcap: Option<f32>,
}

impl Shape {
    fn run(self, variant: &Variant<attention::Attention>, cache: &Cache, queries: &[f32], edge: Edge) -> Vec<f32> {
        let Self { format, head_dim, heads, position, tokens, window, softcap } = self;
        let (queries, arena) = (Guarded::new(queries, edge), Guarded::new(&cache.arena, edge));
        let mut output = Guarded::new(&vec![7.0; queries.len()], edge);
        variant.run(attention::Task {
            format,
            head_dim,
            heads,
            tokens,
            position,
            scale: 1.0 / (head_dim as f32).sqrt(),
            window,
            softcap,
            queries: &queries,
            table: cache.table(),
            arena: &arena,
            output: &mut output,
        });
        output.to_vec()
    }

    /// In f64, from what the pages hold.
    fn exact(self, cache: &Cache, queries: &[f32], head: usize, token: usize) -> Vec<f64> {
        let dim = self.head_dim;
        let query = |d: usize| f64::from(queries[at(self.tokens, head * dim + d, token)]);
        let end = self.position + token + 1;
        let first = self.window.map_or(0, |window| end.saturating_sub(window));
        let score = |position: usize| {
            let dot: f64 = (0..dim).map(|d| query(d) * cache.real(0, position, d)).sum();
            let score = dot / (dim as f64).sqrt();
            self.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
        };
        let scores: Vec<f64> = (first..end).map(score).collect();
        let most = scores.iter().copied().fold(f64::MIN, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mean = |d: usize| -> f64 {
            weights.iter().enumerate().map(|(at, w)| w * cache.real(1, first + at, d)).sum::<f64>() / total
        };
        (0..dim).map(mean).collect()
    }
}

fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for format in FORMATS {
        for (head_dim, heads, position, tokens) in [
            (8, 1, 0, 1),
            (16, 2, 30, 3),
            (24, 1, 31, 2),
            (40, 5, 33, 1),
            (64, 3, 95, 1),
            (64, 3, 96, 33),
            (80, 9, 10, 2),
            (128, 4, 200, 5),
            (256, 2, 64, 4),
        ] {
            for (window, softcap) in [(None, None), (Some(1), None), (Some(40), None), (Some(32), Some(5.0))] {
                shapes.push(Shape { format, head_dim, heads, position, tokens, window, softcap });
            }
        }
    }
    shapes
}

/// Every position up to the last is stored.
fn filled(shape: &Shape, source: &mut Source, odd: bool) -> (Cache, Vec<f32>) {
    let positions = shape.position + shape.tokens;
    let mut cache = Cache::new(shape.format, shape.head_dim, positions);
    let keys = numbers(source, positions * shape.head_dim, odd);
    let values = numbers(source, positions * shape.head_dim, odd);
    cache.store(0, &keys, &values);
    (cache, numbers(source, shape.heads * shape.head_dim * shape.tokens, odd))
}

pub(crate) fn attention(tally: &mut Tally) {
    tally.walk(attention::VARIANTS, |variant| {
        for (seed, shape) in shapes().into_iter().enumerate() {
            for (edge, odd) in [(Edge::Start, false), (Edge::End, false), (Edge::End, true)] {
                let (cache, queries) = filled(&shape, &mut Source::new(seed as u64), odd);
                let found = shape.run(variant, &cache, &queries, edge);
                let law = shape.run(&attention::VARIANTS[0], &cache, &queries, edge);
                same(&found, &law, &format!("{}: {shape:?}", variant.name));
                if !odd {
                    check_exact(&shape, &cache, &queries, &found, variant.name);
                }
            }
            alone(variant, &shape, seed as u64);
        }
    });
}

/// Near the mean in f64. Queries of 8 bits move scores, which are up to some dozen here.
fn check_exact(shape: &Shape, cache: &Cache, queries: &[f32], found: &[f32], name: &str) {
    let most = |part, position| (0..shape.head_dim).map(|d| cache.real(part, position, d).abs()).fold(0.0, f64::max);
    let positions = 0..shape.position + shape.tokens;
    let (key, value) = positions.fold((0.0, 0.0), |(key, value): (f64, f64), position| {
        (key.max(most(0, position)), value.max(most(1, position)))
    });
    for (head, token) in (0..shape.heads).flat_map(|head| (0..shape.tokens).map(move |token| (head, token))) {
        let exact = shape.exact(cache, queries, head, token);
        let query = queries.iter().map(|x| f64::from(x.abs())).fold(0.0, f64::max);
        // The error of a score, at its worst and as it comes with random signs.
        let score = match shape.format {
            Format::I8 => query / 254.0 * key / 3.0,
            Format::F16 | Format::F32 => 1e-5 * query * key,
        };
        for (d, exact) in exact.into_iter().enumerate() {
            let error = (f64::from(found[at(shape.tokens, head * shape.head_dim + d, token)]) - exact).abs();
            let bound = value * (2.0 * (score.exp() - 1.0) + 2e-4);
            assert!(error <= bound, "{name}: {shape:?}, head {head}, token {token}, {d}: off by {error}, not {bound}");
        }
    }
}

/// Each token by itself, after another history of the pages, has the same bits as all together.
fn alone(variant: &Variant<attention::Attention>, shape: &Shape, seed: u64) {
    let (cache, queries) = filled(shape, &mut Source::new(seed), false);
    let together = shape.run(variant, &cache, &queries, Edge::End);
    for token in 0..shape.tokens {
        let values = shape.heads * shape.head_dim;
        let query: Vec<f32> = (0..values).map(|n| queries[at(shape.tokens, n, token)]).collect();
        let single = Shape { position: shape.position + token, tokens: 1, ..*shape };
        let found = single.run(variant, &cache, &query, Edge::Start);
        let of_all: Vec<f32> = (0..values).map(|n| together[at(shape.tokens, n, token)]).collect();
        same(&found, &of_all, &format!("{}: {shape:?}, token {token} alone", variant.name));
    }
}
