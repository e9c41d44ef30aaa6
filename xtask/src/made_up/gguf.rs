//! The same shape as a GGUF file (version 3) for llama.cpp: Q4_0 or Q8_0, embedding and head Q8_0, no vocabulary. Source of the
//! layout: ggml's page on GGUF.
#![expect(clippy::cast_possible_truncation, reason = "sizes of known models, all far below 2^32")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use clawdbot_nn::metadata::language::Precision;

use super::{Dice, Shape, scale_bits};

const ALIGNMENT: u64 = 32;
const F32: u32 = 0;
const Q4_0: u32 = 2;
const Q8_0: u32 = 8;

/// A tensor to come.
struct Tensor {
    name: String,
    columns: usize,
    rows: usize,
    kind: u32,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        let elements = (self.columns * self.rows) as u64;
        match self.kind {
            F32 => 4 * elements,
            Q4_0 => elements / 32 * 18,
            _ => elements / 32 * 34,
        }
    }
}

/// Writes the file; its length.
pub(crate) fn write(path: &Path, shape: &Shape, precision: Precision) -> Result<u64, String> {
    let tensors = tensors(shape, if precision == Precision::Int4 { Q4_0 } else { Q8_0 });
    let mut header = Vec::new();
    header.extend(b"GGUF");
    header.extend(3_u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    metadata(&mut header, shape);
    let mut offset = 0_u64;
    for tensor in &tensors {
        text(&mut header, &tensor.name);
        let sides: &[usize] = if tensor.kind == F32 { &[tensor.columns] } else { &[tensor.columns, tensor.rows] };
        header.extend((sides.len() as u32).to_le_bytes());
        sides.iter().for_each(|&side| header.extend((side as u64).to_le_bytes()));
        header.extend(tensor.kind.to_le_bytes());
        header.extend(offset.to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    header.resize(header.len().next_multiple_of(ALIGNMENT as usize), 0);
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    file.write_all(&header).map_err(failed)?;
    let mut dice = Dice(shape.layers as u64);
    for tensor in &tensors {
        write_tensor(&mut file, tensor, &mut dice).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    Ok(header.len() as u64 + offset)
}

fn tensors(shape: &Shape, kind: u32) -> Vec<Tensor> {
    let tensor = |name: String, columns, rows, kind| Tensor { name, columns, rows, kind };
    let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let mut tensors = vec![tensor(String::from("token_embd.weight"), shape.width, shape.vocabulary, Q8_0)];
    for layer in 0..shape.layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        tensors.extend([
            tensor(name("attn_norm"), shape.width, 1, F32),
            tensor(name("attn_q"), shape.width, queries, kind),
            tensor(name("attn_k"), shape.width, keys, kind),
            tensor(name("attn_v"), shape.width, keys, kind),
            tensor(name("attn_output"), queries, shape.width, kind),
            tensor(name("ffn_norm"), shape.width, 1, F32),
            tensor(name("ffn_gate"), shape.width, shape.feed_forward, kind),
            tensor(name("ffn_up"), shape.width, shape.feed_forward, kind),
            tensor(name("ffn_down"), shape.feed_forward, shape.width, kind),
        ]);
    }
    tensors.push(tensor(String::from("output_norm.weight"), shape.width, 1, F32));
    if !shape.tied {
        tensors.push(tensor(String::from("output.weight"), shape.width, shape.vocabulary, Q8_0));
    }
    tensors
}

fn metadata(header: &mut Vec<u8>, shape: &Shape) {
    let numbers = [
        ("llama.context_length", 8192),
        ("llama.embedding_length", shape.width),
        ("llama.block_count", shape.layers),
        ("llama.feed_forward_length", shape.feed_forward),
        ("llama.attention.head_count", shape.heads),
        ("llama.attention.head_count_kv", shape.kv_heads),
        ("llama.attention.key_length", shape.head_dim),
        ("llama.attention.value_length", shape.head_dim),
        ("llama.rope.dimension_count", shape.head_dim),
        ("llama.vocab_size", shape.vocabulary),
    ];
    let floats = [("llama.attention.layer_norm_rms_epsilon", 1e-5_f32), ("llama.rope.freq_base", 500_000.0)];
    let texts = [("general.architecture", "llama"), ("general.name", shape.name), ("tokenizer.ggml.model", "none")];
    header.extend(((numbers.len() + floats.len() + texts.len()) as u64).to_le_bytes());
    for (key, value) in texts {
        text(header, key);
        header.extend(8_u32.to_le_bytes());
        text(header, value);
    }
    for (key, value) in numbers {
        text(header, key);
        header.extend(4_u32.to_le_bytes());
        header.extend((value as u32).to_le_bytes());
    }
    for (key, value) in floats {
        text(header, key);
        header.extend(6_u32.to_le_bytes());
        header.extend(value.to_le_bytes());
    }
}

fn text(header: &mut Vec<u8>, text: &str) {
    header.extend((text.len() as u64).to_le_bytes());
    header.extend(text.as_bytes());
}

fn write_tensor(file: &mut impl Write, tensor: &Tensor, dice: &mut Dice) -> std::io::Result<()> {
    let padding = (tensor.bytes().next_multiple_of(ALIGNMENT) - tensor.bytes()) as usize;
    let long = tensor.kind == Q8_0;
    if tensor.kind == F32 {
        file.write_all(&1.0_f32.to_le_bytes().repeat(tensor.columns))?;
    } else {
        let mut row = vec![0; tensor.columns / 32 * if long { 34 } else { 18 }];
        for _ in 0..tensor.rows {
            for block in row.chunks_exact_mut(if long { 34 } else { 18 }) {
                let (scale, weights) = block.split_at_mut(2);
                scale.copy_from_slice(&scale_bits(long).to_le_bytes());
                dice.fill(weights, long);
            }
            file.write_all(&row)?;
        }
    }
    file.write_all(&vec![0; padding])
}
