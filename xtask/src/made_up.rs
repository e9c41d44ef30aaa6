//! `cargo xtask made-up-llm SHAPE ...`: a language model of invented weights at full size, to measure speed and memory with
//! where no real one of that size is at hand: our bundle, and the same shape as a GGUF file for the peer. Its answers mean nothing.

pub(crate) mod gguf;
#[cfg(test)]
mod tests;
mod words;

use std::path::{Path, PathBuf};

use clawdbot_nn::bundle::language::LanguageWriter;
use clawdbot_nn::metadata::Origin;
use clawdbot_nn::metadata::language::{
    Architecture, Gate, Language, Layer, LayerRope, NormPlacement, Precision, QueryKeyNorm, Rope, RopeScaling,
    SpecialTokens,
};
use clawdbot_nn::tensor::DataType;

use crate::Outcome;

const USAGE: &str =
    "usage: cargo xtask made-up-llm 135m|1b|3b|7b --precision int4|int8 (--bundle FILE | --gguf FILE)...";
/// binary16 of 1/64: scales such that what flows through stays near 1.
pub(crate) const SCALE: u16 = 0x2400;
/// Bytes that are made and written at once.
const PIECE: usize = 144 * 272 * 32;

/// Sizes of a known model. Source: `models.md` section 6.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) feed_forward: usize,
    pub(crate) vocabulary: usize,
    pub(crate) tied: bool,
}

/// Of SmolLM2-135M, Llama-3.2-1B and -3B, and Mistral-7B-v0.3.
const SHAPES: &[Shape] = &[
    shape("135m", 30, 576, [9, 3, 64], [1536, 49_152], true),
    shape("1b", 16, 2048, [32, 8, 64], [8192, 128_256], true),
    shape("3b", 28, 3072, [24, 8, 128], [8192, 128_256], true),
    shape("7b", 32, 4096, [32, 8, 128], [14_336, 32_768], false),
];

const fn shape(
    name: &'static str,
    layers: usize,
    width: usize,
    [heads, kv_heads, head_dim]: [usize; 3],
    [feed_forward, vocabulary]: [usize; 2],
    tied: bool,
) -> Shape {
    Shape { name, layers, width, heads, kv_heads, head_dim, feed_forward, vocabulary, tied }
}

impl Shape {
    /// The one called `name`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        SHAPES.iter().copied().find(|shape| shape.name == name)
    }

    fn language(&self) -> Language {
        let &Self { width, heads, kv_heads, head_dim, feed_forward, vocabulary, .. } = self;
        let architecture = Architecture {
            width,
            heads,
            kv_heads,
            head_dim,
            feed_forward,
            vocabulary,
            context: 8192,
            norm_epsilon: 1e-5,
            gate: Gate::Silu,
            qkv_bias: false,
            query_key_norm: QueryKeyNorm::None,
            norms: NormPlacement::Before,
            tied_embedding: self.tied,
            embedding_multiplier: 1.0,
            residual_multiplier: 1.0,
            attention_scale: (head_dim as f32).sqrt().recip(),
            attention_softcap: None,
            attention_temperature: None,
            logit_multiplier: 1.0,
            logit_softcap: None,
            rope: Rope { theta: 500_000.0, dimensions: head_dim, scaling: RopeScaling::None },
            local_rope: None,
            layers: vec![Layer { rope: LayerRope::Global, window: None }; self.layers],
        };
        let tokens = SpecialTokens { begin: None, add_begin: false, stops: vec![0] };
        Language {
            name: format!("made-up {}", self.name),
            architecture,
            tokens,
            chat_template: Some(words::CHAT_TEMPLATE.to_owned()),
        }
    }
}

/// Makes the files.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let (shape, precision, files) = parse(arguments)?;
    for (path, gguf) in files {
        println!("{}: {} in {}", path.display(), shape.name, precision.name());
        let bytes = if gguf { gguf::write(&path, &shape, precision)? } else { bundle(&path, &shape, precision)? };
        println!("{}: {:.2} GB", path.display(), bytes as f64 / 1e9);
    }
    Ok(())
}

/// Files to make, and whether each is GGUF.
type Files = Vec<(PathBuf, bool)>;

fn parse(arguments: &[String]) -> Result<(Shape, Precision, Files), String> {
    let mut words = arguments.iter().map(String::as_str);
    let shape = words.next().and_then(Shape::find).ok_or(USAGE)?;
    let (mut precision, mut files) = (Precision::Int4, Vec::new());
    while let (Some(option), value) = (words.next(), words.next()) {
        match (option, value) {
            ("--precision", Some("int4")) => precision = Precision::Int4,
            ("--precision", Some("int8")) => precision = Precision::Int8,
            ("--bundle", Some(file)) => files.push((PathBuf::from(file), false)),
            ("--gguf", Some(file)) => files.push((PathBuf::from(file), true)),
            _ => return Err(format!("does not understand {option:?}\n{USAGE}")),
        }
    }
    if files.is_empty() { Err(USAGE.to_owned()) } else { Ok((shape, precision, files)) }
}

/// Writes the bundle; its length. Attention's and the feed-forward part's matrices have `precision`, embedding and head INT8, as the
/// peer's files have.
pub(crate) fn bundle(path: &Path, shape: &Shape, precision: Precision) -> Result<u64, String> {
    let origin = Origin {
        name: format!("made-up-{}-{}", shape.name, precision.name()),
        source_file: String::from("none: invented by cargo xtask made-up-llm"),
        source_sha256: "0".repeat(64),
        licence: String::from("CC0-1.0"),
        converter: String::from("xtask"),
    };
    let of = |name: &str| if name.starts_with("layers.") { precision } else { Precision::Int8 };
    let told = |error: clawdbot_nn::bundle::BundleError| error.to_string();
    let mut writer =
        LanguageWriter::create(path, &shape.language(), Some(&words::tokenizer()), &origin, &of).map_err(told)?;
    let mut dice = Dice(shape.layers as u64);
    // The writer has written the first one, the tokenizer, itself.
    let planned: Vec<_> = writer.planned().iter().skip(1).cloned().collect();
    for tensor in planned {
        let elements: usize = tensor.shape.iter().product();
        if tensor.data_type == DataType::F32 {
            writer.append_floats(&tensor.name, &vec![1.0; elements]).map_err(told)?;
            continue;
        }
        let block = *tensor.shape.last().unwrap_or(&1);
        let mut piece = vec![0; PIECE / block * block];
        let mut left = elements;
        while left > 0 {
            let bytes = &mut piece[..left.min(PIECE / block * block)];
            dice.blocks(bytes, block);
            writer.append(&tensor.name, bytes).map_err(told)?;
            left -= bytes.len();
        }
    }
    writer.finish().map_err(told)
}

/// Bytes without a pattern, the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // Marsaglia, Xorshift RNGs.
        self.0 ^= self.0 << 13 | 1;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Blocks of 8 rows: small scales, then weights. INT8 weights stay off -128.
    fn blocks(&mut self, bytes: &mut [u8], block: usize) {
        for block in bytes.chunks_exact_mut(block) {
            let (scales, weights) = block.split_at_mut(16);
            let long = weights.len() > 128;
            scales.chunks_exact_mut(2).for_each(|scale| scale.copy_from_slice(&scale_bits(long).to_le_bytes()));
            self.fill(weights, long);
        }
    }

    /// Weights: nibbles, or bytes of -127..=127.
    pub(crate) fn fill(&mut self, weights: &mut [u8], long: bool) {
        // Billions of them, by a program that is not optimised: eight at a time.
        for eight in weights.chunks_mut(8) {
            let mut random = self.next().to_le_bytes();
            if long && random.contains(&0x80) {
                random = random.map(|byte| if byte == 0x80 { 0 } else { byte });
            }
            eight.copy_from_slice(&random[..eight.len()]);
        }
    }
}

/// The scale of nibbles, and of bytes: these are 16 times as large.
pub(crate) const fn scale_bits(long: bool) -> u16 {
    if long { SCALE - (4 << 10) } else { SCALE }
}
