//! What a language model computes beside its linear layers, on the shapes of Llama-3.2-3B: 3072 values, 24 heads of 128 over 8
//! of keys and values, 8192 rows of gate and up, 128256 logits.

use clawdbot_kernels::add_f32::{Addend, add_f32};
use clawdbot_kernels::argmax::{self, argmax};
use clawdbot_kernels::attention::{self, attention};
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::kv_store::{self, kv_store};
use clawdbot_kernels::pages::{Format, POSITIONS, Table};
use clawdbot_kernels::rms_norm::{self, rms_norm};
use clawdbot_kernels::rope::{self, rope};
use clawdbot_kernels::swiglu::{self, Function, swiglu};

/// Values a head.
const HEAD_DIM: usize = 128;
/// Query heads a head of keys and values.
const HEADS: usize = 3;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// Values, width of a group, tokens.
    RmsNorm([usize; 3]),
    /// Heads, tokens.
    Rope([usize; 2]),
    /// Function, values, tokens.
    SwiGlu(Function, [usize; 2]),
    /// Values.
    Add(usize),
    /// Logits.
    Argmax(usize),
    /// Format, tokens.
    Store(Format, usize),
    /// Format, first position, tokens.
    Attention(Format, [usize; 2]),
}

/// All of them.
pub(crate) const CALLS: &[(&str, Call)] = &[
    ("rms_norm 3072 of 1", Call::RmsNorm([3072, 3072, 1])),
    ("rms_norm 3072 of 32", Call::RmsNorm([3072, 3072, 32])),
    ("rms_norm 24x128 of 1", Call::RmsNorm([3072, HEAD_DIM, 1])),
    ("rope 24x128 of 1", Call::Rope([24, 1])),
    ("rope 24x128 of 32", Call::Rope([24, 32])),
    ("swiglu silu 8192 of 1", Call::SwiGlu(Function::Silu, [8192, 1])),
    ("swiglu gelu 8192 of 1", Call::SwiGlu(Function::GeluTanh, [8192, 1])),
    ("add_f32 3072 of 1", Call::Add(3072)),
    ("argmax 128256 of 1", Call::Argmax(128_256)),
    ("kv_store i8 128 of 1", Call::Store(Format::I8, 1)),
    ("kv_store i8 128 of 32", Call::Store(Format::I8, 32)),
    ("kv_store f16 128 of 1", Call::Store(Format::F16, 1)),
    ("attention i8 3x128 over 1024 of 1", Call::Attention(Format::I8, [1023, 1])),
    ("attention i8 3x128 over 1024 of 32", Call::Attention(Format::I8, [992, 32])),
    ("attention f16 3x128 over 1024 of 1", Call::Attention(Format::F16, [1023, 1])),
    ("attention f16 3x128 over 1024 of 32", Call::Attention(Format::F16, [992, 32])),
];

impl Call {
    /// Products of queries and keys and of weights and values, of what is visible only; elsewhere results.
    pub(crate) fn products(&self) -> usize {
        match *self {
            Self::RmsNorm([values, _, tokens]) | Self::SwiGlu(_, [values, tokens]) => values * tokens,
            Self::Rope([heads, tokens]) => heads * HEAD_DIM * tokens,
            Self::Add(values) | Self::Argmax(values) => values,
            Self::Store(_, tokens) => 2 * HEAD_DIM * tokens,
            Self::Attention(_, [position, tokens]) => {
                let visible: usize = (position + 1..=position + tokens).sum();
                2 * HEADS * HEAD_DIM * visible
            }
        }
    }

    /// Everything made up; what is answered makes one call.
    pub(crate) fn prepare(self) -> Box<dyn FnMut()> {
        let isa = Isa::detect();
        match self {
            Self::RmsNorm([values, width, tokens]) => {
                let (source, weight) = (numbers(values * tokens), numbers(width));
                let mut output = vec![0.0; source.len()];
                Box::new(move || {
                    let (source, weight, output) = (Some(&source[..]), &weight, &mut output);
                    rms_norm(isa, rms_norm::Task { tokens, source, weight, epsilon: 1e-5, output });
                })
            }
            Self::Rope([heads, tokens]) => {
                let angles = numbers(tokens * HEAD_DIM / 2);
                let (cos, sin) = (angles.iter().map(|x| x.cos()).collect(), angles.iter().map(|x| x.sin()).collect());
                let (cos, sin): (Vec<f32>, Vec<f32>) = (cos, sin);
                let mut values = numbers(heads * HEAD_DIM * tokens);
                Box::new(move || {
                    let (cos, sin, values) = (&cos[..], &sin[..], &mut values[..]);
                    rope(isa, rope::Task { tokens, head_dim: HEAD_DIM, rotary: HEAD_DIM, cos, sin, values });
                })
            }
            Self::SwiGlu(function, [values, tokens]) => {
                let input = numbers(2 * values * tokens);
                let mut output = vec![0.0; values * tokens];
                Box::new(move || swiglu(isa, swiglu::Task { function, tokens, input: &input, output: &mut output }))
            }
            Self::Add(count) => {
                let (data, mut values) = (numbers(count), numbers(count));
                Box::new(move || add_f32(isa, Addend::Tensor { data: &data, factor: 1.0 }, &mut values))
            }
            Self::Argmax(count) => {
                let (logits, mut places) = (numbers(count.next_multiple_of(8)), [0]);
                Box::new(move || argmax(isa, argmax::Task { count, logits: &logits, places: &mut places }))
            }
            Self::Store(format, tokens) => {
                let mut cache = Cache::new(format, 0, tokens);
                let keys = numbers(HEAD_DIM * tokens);
                Box::new(move || cache.store(0, &keys))
            }
            Self::Attention(format, [position, tokens]) => attend(isa, format, position, tokens),
        }
    }
}

fn attend(isa: Isa, format: Format, position: usize, tokens: usize) -> Box<dyn FnMut()> {
    let mut cache = Cache::new(format, position, tokens);
    cache.store(0, &numbers(HEAD_DIM * (position + tokens)));
    let queries = numbers(HEADS * HEAD_DIM * tokens);
    let mut output = vec![0.0; queries.len()];
    Box::new(move || {
        let task = attention::Task {
            format,
            head_dim: HEAD_DIM,
            heads: HEADS,
            tokens,
            position,
            scale: 0.088,
            window: None,
            softcap: None,
            queries: &queries,
            table: cache.table(),
            arena: &cache.arena,
            output: &mut output,
        };
        attention(isa, task);
    })
}

/// Pages of one head, one after the other.
struct Cache {
    format: Format,
    pages: Vec<u32>,
    arena: Vec<u8>,
}

impl Cache {
    fn new(format: Format, position: usize, tokens: usize) -> Self {
        let pages: Vec<u32> = (0_u32..).take((position + tokens).div_ceil(POSITIONS)).collect();
        let arena = vec![0; pages.len() * format.block_bytes(HEAD_DIM)];
        Self { format, pages, arena }
    }

    fn table(&self) -> Table<'_> {
        Table { pages: &self.pages, stride: self.format.block_bytes(HEAD_DIM), offset: 0 }
    }

    /// The same numbers as keys and as values.
    fn store(&mut self, position: usize, numbers: &[f32]) {
        let (format, tokens) = (self.format, numbers.len() / HEAD_DIM);
        let table = Table { pages: &self.pages, stride: format.block_bytes(HEAD_DIM), offset: 0 };
        let (keys, values, arena) = (numbers, numbers, &mut self.arena);
        let task = kv_store::Task { format, head_dim: HEAD_DIM, tokens, position, keys, values, table, arena };
        kv_store(Isa::detect(), task);
    }
}

/// -2..2 without a short period.
fn numbers(count: usize) -> Vec<f32> {
    (0_u32..).take(count).map(|index| (index.wrapping_mul(2_654_435_769) >> 16) as f32 / 16384.0 - 2.0).collect()
}
