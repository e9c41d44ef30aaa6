//! The slow twin: a bundle's forward pass in plain f32, one token after the other, for what the architectures of the tests
//! need. It judges that tensors, their order and the description fit each other.

use clawdbot_kernels::{linear_f16, linear_i4, linear_i8};
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::metadata::language::{Architecture, LayerRope, NormPlacement, Precision, QueryKeyNorm, RopeScaling};

/// Row `row` of the matrix called `name`.
pub(super) fn row(bundle: &LanguageBundle, name: &str, row: usize) -> Vec<f32> {
    let matrix = bundle.matrix(name).unwrap();
    let mut out = vec![0.0; matrix.columns];
    let place = [0, 1];
    match matrix.precision {
        Precision::F16 => {
            let halves = bundle.tensor(name).unwrap().as_f16_bits().unwrap();
            linear_f16::pack::gather_row(halves, matrix.columns, row, &mut out, place);
        }
        Precision::Int8 => linear_i8::pack::gather_row(matrix.bytes, matrix.columns, row, &mut out, place),
        Precision::Int4 => linear_i4::pack::gather_row(matrix.bytes, matrix.columns, row, &mut out, place),
    }
    out
}

/// All rows of a matrix, unpacked.
struct Matrix(Vec<Vec<f32>>);

impl Matrix {
    fn of(bundle: &LanguageBundle, name: &str) -> Self {
        Self((0..bundle.matrix(name).unwrap().rows).map(|at| row(bundle, name, at)).collect())
    }

    fn times(&self, x: &[f32]) -> Vec<f32> {
        self.0.iter().map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    }
}

fn norm(x: &[f32], weights: &[f32], epsilon: f32) -> Vec<f32> {
    let mean = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
    let factor = 1.0 / (mean + epsilon).sqrt();
    x.iter().zip(weights).map(|(x, w)| x * factor * w).collect()
}

fn frequencies(architecture: &Architecture) -> Vec<f32> {
    let rope = &architecture.rope;
    let plain = (0..rope.dimensions / 2).map(|i| rope.theta.powf(-2.0 * i as f32 / rope.dimensions as f32));
    match rope.scaling {
        RopeScaling::None => plain.collect(),
        RopeScaling::Llama3 { factor, low, high, original_context } => plain
            .map(|f| {
                let turns = original_context as f32 * f / (2.0 * std::f32::consts::PI);
                let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - share) * f / factor + share * f
            })
            .collect(),
        ref other => panic!("{other:?} is not in the tests"),
    }
}

fn turn(head: &mut [f32], position: usize, frequencies: &[f32]) {
    let half = frequencies.len();
    for (i, frequency) in frequencies.iter().enumerate() {
        let (sine, cosine) = (position as f32 * frequency).sin_cos();
        let (one, other) = (head[i], head[i + half]);
        head[i] = one * cosine - other * sine;
        head[i + half] = other * cosine + one * sine;
    }
}

/// Keys and values of one layer, one entry a position.
type Cache = Vec<(Vec<f32>, Vec<f32>)>;

/// Logits of each token of `ids`.
pub(super) fn logits(bundle: &LanguageBundle, ids: &[usize]) -> Vec<Vec<f32>> {
    let architecture = &bundle.language().architecture;
    assert_eq!(architecture.norms, NormPlacement::Before);
    let mut streams: Vec<Vec<f32>> = ids.iter().map(|&id| row(bundle, "embedding", id)).collect();
    let turns = frequencies(architecture);
    for layer in 0..architecture.layers.len() {
        let matrix = |part: &str| Matrix::of(bundle, &format!("layers.{layer}.{part}"));
        let qkv = matrix("attention.qkv");
        let (output, gate_up, down) =
            (matrix("attention.output"), matrix("feed_forward.gate_up"), matrix("feed_forward.down"));
        let mut cache = Cache::new();
        for (position, x) in streams.iter_mut().enumerate() {
            let attended = attention(bundle, layer, &qkv, x, position, &turns, &mut cache);
            x.iter_mut().zip(output.times(&attended)).for_each(|(x, y)| *x += y);
            let weights = bundle.floats(&format!("layers.{layer}.feed_forward.norm")).unwrap();
            let both = gate_up.times(&norm(x, weights, architecture.norm_epsilon));
            let gated: Vec<f32> = both
                .chunks_exact(16)
                .flat_map(|tile| (0..8).map(|at| tile[at] / (1.0 + (-tile[at]).exp()) * tile[at + 8]))
                .collect();
            x.iter_mut().zip(down.times(&gated)).for_each(|(x, y)| *x += y);
        }
    }
    let head = Matrix::of(bundle, if architecture.tied_embedding { "embedding" } else { "head" });
    let weights = bundle.floats("norm").unwrap();
    streams.iter().map(|x| head.times(&norm(x, weights, architecture.norm_epsilon))).collect()
}

fn attention(
    bundle: &LanguageBundle,
    layer: usize,
    qkv: &Matrix,
    x: &[f32],
    position: usize,
    turns: &[f32],
    cache: &mut Cache,
) -> Vec<f32> {
    let architecture = &bundle.language().architecture;
    let (epsilon, size) = (architecture.norm_epsilon, architecture.head_dim);
    let floats = |part: &str| bundle.floats(&format!("layers.{layer}.attention.{part}"));
    let mut all = qkv.times(&norm(x, floats("norm").unwrap(), epsilon));
    if let Some(bias) = floats("qkv_bias") {
        all.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
    }
    let (query, rest) = all.split_at_mut(architecture.query_rows());
    let (key, value) = rest.split_at_mut(architecture.key_rows());
    for (heads, name) in [(&mut *query, "query_norm"), (&mut *key, "key_norm")] {
        for head in heads.chunks_exact_mut(size) {
            if architecture.query_key_norm == QueryKeyNorm::PerHead {
                head.copy_from_slice(&norm(head, floats(name).unwrap(), epsilon));
            }
            if architecture.layers[layer].rope == LayerRope::Global {
                turn(head, position, turns);
            }
        }
    }
    cache.push((key.to_vec(), value.to_vec()));
    let mut result = Vec::new();
    for (head, query) in query.chunks_exact(size).enumerate() {
        let shared = head / (architecture.heads / architecture.kv_heads) * size;
        let score = |key: &[f32]| -> f32 { query.iter().zip(&key[shared..]).map(|(q, k)| q * k).sum() };
        let scores: Vec<f32> = cache.iter().map(|(key, _)| score(key) * architecture.attention_scale).collect();
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let shares: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
        let sum: f32 = shares.iter().sum();
        let weighted = |at: usize| -> f32 {
            shares.iter().zip(&*cache).map(|(share, (_, value))| share / sum * value[shared + at]).sum()
        };
        result.extend((0..size).map(weighted));
    }
    result
}
