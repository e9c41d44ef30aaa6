//! Folds a picture's normalisation into the layers that read it, so that they take grey levels.

#[cfg(test)]
mod tests;

use clawdbot_nn::graph::{Graph, Op, Quantization, ValueId};
use clawdbot_nn::tensor::{Elements, Tensor};

/// How a network wants its pixels: (grey level - mean) * scale, for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// Grey level that becomes 0.
    pub mean: Vec<f32>,
    /// Size of a grey level.
    pub scale: Vec<f32>,
}

/// Why the normalisation cannot be folded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NormaliseError {
    /// Something other than a convolution reads the picture.
    #[error(
        "the node `{node}` reads the picture `{input}`, but only convolutions can take over its normalisation: \
         give --mean 0 --scale 1 if the network normalises by itself"
    )]
    NotConvolution {
        /// Its name.
        node: String,
        /// The input's.
        input: String,
    },
    /// Mean and scale for another number of channels.
    #[error(
        "{given} values of mean or scale were given for a picture of {channels} channels: give one, or one a channel"
    )]
    Channels {
        /// How many were given.
        given: usize,
        /// How many there are.
        channels: usize,
    },
}

/// Rewrites the convolutions that read `input` so that they take grey levels.
///
/// A sum over (p - mean) * scale * w is a sum over p * (scale * w), less that of mean * scale * w, which goes into the
/// bias. Padding that counted as 0 becomes the grey level that means 0; where the channels' means differ, their average.
///
/// # Errors
/// [`NormaliseError`].
pub fn fold(graph: &mut Graph, input: ValueId, normalisation: &Normalisation) -> Result<(), NormaliseError> {
    let channels = graph.values[input.0].shape.last().copied().unwrap_or(1);
    let mean = spread(&normalisation.mean, channels)?;
    let scale = spread(&normalisation.scale, channels)?;
    if mean.iter().all(|&mean| mean == 0.0) && scale.iter().all(|&scale| scale.to_bits() == 1.0_f32.to_bits()) {
        return Ok(());
    }
    for index in 0..graph.nodes.len() {
        if !graph.nodes[index].inputs.contains(&input) {
            continue;
        }
        let node = &mut graph.nodes[index];
        let Op::Convolution { pad_value, .. } = &mut node.op else {
            let (node, input) = (node.name.clone(), graph.values[input.0].name.clone());
            return Err(NormaliseError::NotConvolution { node, input });
        };
        *pad_value = mean.iter().sum::<f32>() / mean.len() as f32;
        let (weights, bias) = (node.inputs[1], node.inputs[2]);
        fold_constants(graph, weights, bias, &mean, &scale);
    }
    if let Some(grid) = graph.quantizations.get_mut(&input) {
        *grid = Quantization { scale: vec![1.0], zero_point: -128 };
    }
    Ok(())
}

fn spread(given: &[f32], channels: usize) -> Result<Vec<f32>, NormaliseError> {
    match given {
        [one] => Ok(vec![*one; channels]),
        _ if given.len() == channels => Ok(given.to_vec()),
        _ => Err(NormaliseError::Channels { given: given.len(), channels }),
    }
}

fn fold_constants(graph: &mut Graph, weights: ValueId, bias: ValueId, mean: &[f32], scale: &[f32]) {
    let (Some(old_weights), Some(old_bias)) = (graph.constants.get(&weights), graph.constants.get(&bias)) else {
        return;
    };
    let (Some(old), Some(sums)) = (old_weights.as_f32(), old_bias.as_f32()) else { return };
    let depth = old.len() / sums.len();
    let channels = mean.len();
    let mut folded = Vec::with_capacity(old.len());
    let mut moved = Vec::with_capacity(sums.len());
    for (row, &sum) in old.chunks_exact(depth).zip(sums) {
        let mut less = 0.0_f64;
        for (k, &weight) in row.iter().enumerate() {
            let scaled = weight * scale[k % channels];
            less += f64::from(scaled) * f64::from(mean[k % channels]);
            folded.push(scaled);
        }
        moved.push((f64::from(sum) - less) as f32);
    }
    // Steps stay steps where all channels are scaled alike.
    if scale.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()) {
        if let Some(grid) = graph.quantizations.get_mut(&weights) {
            grid.scale.iter_mut().for_each(|step| *step *= scale[0].abs());
        }
    } else {
        graph.quantizations.remove(&weights);
    }
    let shape = old_weights.shape().to_vec();
    let replaced = [
        (weights, Tensor::new(shape, Elements::F32(folded))),
        (bias, Tensor::new(vec![moved.len()], Elements::F32(moved))),
    ];
    for (value, tensor) in replaced {
        if let Ok(tensor) = tensor {
            graph.constants.insert(value, tensor);
        }
    }
}
