//! `pace memory`: how fast the linear layers read their weights, matrix after matrix, as a token does: again and again the same
//! one, which stays in a cache, and so many that each comes from memory.

use std::hint::black_box;
use std::time::Instant;

use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::linear::{Activations, GROUP, ROWS, Task};
use clawdbot_kernels::linear_f16::{self, linear_f16};
use clawdbot_kernels::linear_i4::{self, linear_i4};
use clawdbot_kernels::linear_i8::{self, linear_i8};

use crate::bytes;

/// More than any cache.
const MEMORY: usize = 256 << 20;
/// Bytes that are read to time a matrix that is in a cache.
const CACHED: usize = 64 << 20;
const RUNS: usize = 5;
/// K, the length of a row.
const LENGTHS: [usize; 4] = [576, 1536, 2048, 8192];
/// Rows of a matrix.
const N: usize = 64;
/// Name, and bytes of a block of weights (none: F16).
const FORMS: [(&str, Option<usize>); 3] =
    [("int4", Some(linear_i4::BLOCK)), ("int8", Some(linear_i8::BLOCK)), ("f16", None)];

/// Prints gigabytes a second.
pub(crate) fn print(isas: &[Isa]) {
    println!("gigabytes of weights a second: from a cache, from memory; a loop that adds: {:.1}", adding());
    let heads: Vec<String> = isas.iter().map(|isa| format!("{:>20}", isa.name())).collect();
    println!("{:<26}{}", "layer", heads.concat());
    // Any byte is a weight, and these are scales, too.
    let weights = vec![0x2a; MEMORY];
    let halves = vec![0x2a2a; MEMORY / 2];
    for (form, block) in FORMS {
        for (k, tokens) in LENGTHS.into_iter().flat_map(|k| [1, 2, 4].map(|tokens| (k, tokens))) {
            let layer = Layer { k, tokens, block };
            let cell = |&isa: &Isa| {
                let [cached, memory] = layer.pace(isa, &weights, &halves);
                format!("{:>20}", format!("{cached:.1} {memory:.1}"))
            };
            let cells: String = isas.iter().map(cell).collect();
            println!("{:<26}{cells}", format!("{form} K {k}, {tokens} token(s)"));
        }
    }
}

/// Of a loop that does nothing else.
fn adding() -> f64 {
    let words = vec![1_u64; MEMORY / 8];
    best(MEMORY, || {
        let mut sums = [0_u64; 8];
        for line in words.as_chunks::<8>().0 {
            for (sum, word) in sums.iter_mut().zip(line) {
                *sum = sum.wrapping_add(*word);
            }
        }
        black_box(sums);
    })
}

struct Layer {
    k: usize,
    tokens: usize,
    block: Option<usize>,
}

impl Layer {
    /// From a cache, and from memory.
    fn pace(&self, isa: Isa, weights: &[u8], halves: &[u16]) -> [f64; 2] {
        let &Self { k, tokens, block } = self;
        let groups = k / GROUP;
        let (quants, input) = (bytes(tokens * k), vec![0.5; tokens * k]);
        let (scales, corrections) = (vec![0.01; tokens * groups], vec![7; tokens * groups]);
        let activations = Activations { tokens, quants: &quants, scales: &scales, corrections: &corrections };
        let mut output = vec![0.0; tokens * N];
        let matrix = block.map_or(2 * N * k, |block| N / ROWS * groups * block);
        let mut multiply = |at: usize| {
            let output = output.as_mut_slice();
            match block {
                None => {
                    let weights = &halves[at / 2..][..matrix / 2];
                    linear_f16(isa, linear_f16::Task { tokens, input: &input, weights, output });
                }
                Some(block) => {
                    let linear = if block == linear_i4::BLOCK { linear_i4 } else { linear_i8 };
                    linear(isa, Task { activations, weights: &weights[at..][..matrix], output });
                }
            }
        };
        let (again, all) = (CACHED / matrix, MEMORY / matrix);
        [
            best(again * matrix, || (0..again).for_each(|_| multiply(0))),
            best(all * matrix, || (0..all).for_each(|index| multiply(index * matrix))),
        ]
    }
}

/// Gigabytes a second of a call that reads so many bytes, the best of some.
fn best(bytes: usize, mut call: impl FnMut()) -> f64 {
    let mut time = || {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    let seconds = (0..RUNS).map(|_| time()).fold(f64::MAX, f64::min);
    bytes as f64 / seconds / 1e9
}
