//! tract behind the protocol of `benches/peers/driver.py`: see there.
//!
//! Usage: `peer-tract MANIFEST NETWORK PEER FORM THREADS`.

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, network, peer, form, threads] = &arguments[..] else {
        anyhow::bail!("usage: peer-tract MANIFEST NETWORK PEER FORM THREADS")
    };
    let threads: usize = threads.parse().context("THREADS")?;
    if threads > 1 {
        set_default_executor(Executor::multithread(threads));
    }
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(manifest)?)?;
    let network = entry(&manifest["nets"], |net| net["name"] == **network)?;
    let form = entry(&network["forms"], |one| one["peer"] == **peer && one["form"] == **form)?;

    let side = |index: usize| network["shape"][index].as_u64().and_then(|side| usize::try_from(side).ok());
    let shape = (side(0).context("rows")?, side(1).context("columns")?, side(2).context("channels")?);
    let picture = channels_first(&floats(&form["picture"])?, shape)?;
    let model = tract_onnx::onnx()
        .model_for_path(text(&form["file"])?)?
        .with_input_fact(0, f32::fact([1, shape.2, shape.0, shape.1]).into())?
        .into_optimized()?
        .into_runnable()?;

    let results = model.run(tvec!(picture.clone().into()))?;
    let mut answer = Vec::new();
    for result in &results {
        answer.extend(channels_last(result)?);
    }
    let snr_db = signal_to_noise_db(&floats(&form["reference"])?, &answer)?;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", json!({ "snr_db": (snr_db * 100.0).round() / 100.0 }))?;
    output.flush()?;
    for line in std::io::stdin().lines() {
        let mut times = Vec::new();
        for _ in 0..line?.trim().parse::<usize>()? {
            let start = Instant::now();
            model.run(tvec!(picture.clone().into()))?;
            times.push(start.elapsed().as_nanos());
        }
        writeln!(output, "{times:?}")?;
        output.flush()?;
    }
    Ok(())
}

fn entry<'a>(list: &'a Value, wanted: impl Fn(&Value) -> bool) -> Result<&'a Value> {
    list.as_array().and_then(|list| list.iter().find(|one| wanted(one))).context("the manifest has no such entry")
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("the manifest lacks a path")
}

/// A file of raw little-endian 32-bit floats, named by the manifest.
fn floats(path: &Value) -> Result<Vec<f32>> {
    let bytes = std::fs::read(text(path)?)?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

/// Rows, columns, channels -> ONNX's channels, rows, columns.
fn channels_first(picture: &[f32], (rows, columns, channels): (usize, usize, usize)) -> Result<Tensor> {
    ensure!(picture.len() == rows * columns * channels, "the picture has another size than the network's input");
    let pixels = rows * columns;
    let values: Vec<f32> = (0..channels * pixels).map(|at| picture[at % pixels * channels + at / pixels]).collect();
    Tensor::from_shape(&[1, channels, rows, columns], &values)
}

/// The way back, as a list.
fn channels_last(result: &Tensor) -> Result<Vec<f32>> {
    let channels = *result.shape().get(1).context("a result without channels")?;
    let values = result.view();
    let values = values.as_slice::<f32>()?;
    let pixels = values.len() / channels;
    Ok((0..values.len()).map(|at| values[at % channels * pixels + at / channels]).collect())
}

fn signal_to_noise_db(reference: &[f32], values: &[f32]) -> Result<f64> {
    ensure!(reference.len() == values.len(), "{} results and not {}", values.len(), reference.len());
    let square = |value: f32| f64::from(value) * f64::from(value);
    let noise: f64 = reference.iter().zip(values).map(|(&wanted, &value)| square(wanted - value)).sum();
    let signal: f64 = reference.iter().map(|&value| square(value)).sum();
    Ok(if noise == 0.0 { 200.0 } else { (10.0 * (signal / noise).log10()).min(200.0) })
}
