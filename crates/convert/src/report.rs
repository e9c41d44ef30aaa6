//! What the converter did, for people and for machines.

use std::fmt;

use serde::Serialize;

use crate::lower::Precision;

/// The whole of it; `--report FILE` writes this as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The source file's name.
    pub source: String,
    /// Its SHA-256.
    pub source_sha256: String,
    /// Its format.
    pub format: String,
    /// What was asked: `f16`, `int8`, `mixed`.
    pub precision: String,
    /// One sentence each.
    pub decisions: Vec<String>,
    /// Inputs that ranges were taken from.
    pub calibration_inputs: usize,
    /// Inputs that noise was measured with.
    pub measured_inputs: usize,
    /// Every output against the float network.
    pub outputs: Vec<OutputReport>,
    /// Every layer in order.
    pub layers: Vec<LayerReport>,
    /// Bytes of all packed tensors.
    pub tensor_bytes: usize,
}

/// One output.
#[derive(Clone, Debug, Serialize)]
pub struct OutputReport {
    /// Its name.
    pub name: String,
    /// Signal-to-noise ratio in decibels; absent where nothing was lost or measured.
    pub snr_db: Option<f64>,
}

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// Its name.
    pub name: String,
    /// What it does.
    pub operator: &'static str,
    /// How it is computed.
    pub precision: Precision,
    /// Multiplications an inference.
    pub multiplications: f64,
    /// Signal-to-noise ratio in decibels at the worst output of the network when this layer alone is INT8 (a convolution and
    /// the depthwise one behind it count together): the lower, the more fragile. Absent where it was not measured.
    pub alone_snr_db: Option<f64>,
    /// Signal-to-noise ratio in decibels of this layer's result in the finished program (so with all noise from before).
    pub result_snr_db: Option<f64>,
    /// Least and greatest element of its result that calibration saw.
    pub seen: Option<[f32; 2]>,
    /// Least and greatest real that its result's steps reach.
    pub range: Option<[f32; 2]>,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for decision in &self.decisions {
            writeln!(formatter, "{decision}")?;
        }
        writeln!(formatter)?;
        writeln!(formatter, "{:<56} {:>5} {:>8} {:>9} {:>9}  range", "layer", "", "MMAC", "alone dB", "result dB")?;
        let decibels = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        for layer in &self.layers {
            let precision = match layer.precision {
                Precision::Int8 => "int8",
                Precision::F16 => "f16",
            };
            let range =
                layer.range.or(layer.seen).map_or_else(String::new, |[low, high]| format!("{low:.3} to {high:.3}"));
            writeln!(
                formatter,
                "{:<56} {precision:>5} {:>8.2} {:>9} {:>9}  {range}",
                tail(&layer.name, 56),
                layer.multiplications / 1e6,
                decibels(layer.alone_snr_db),
                decibels(layer.result_snr_db),
            )?;
        }
        writeln!(formatter)?;
        for output in &self.outputs {
            writeln!(formatter, "output {:<48} {:>6} dB", output.name, decibels(output.snr_db))?;
        }
        let int8 = self.layers.iter().filter(|layer| layer.precision == Precision::Int8).count();
        let total: f64 = self.layers.iter().map(|layer| layer.multiplications).sum();
        let of_int8 = self.layers.iter().filter(|layer| layer.precision == Precision::Int8);
        // The sum of nothing is -0.0, which reads oddly.
        let share: f64 = (0.0 + of_int8.map(|layer| layer.multiplications).sum::<f64>()) / total.max(1.0);
        write!(
            formatter,
            "{int8} of {} layers in INT8 ({:.1} % of {:.0} MMAC), {:.2} MB of tensors",
            self.layers.len(),
            100.0 * share,
            total / 1e6,
            self.tensor_bytes as f64 / 1e6
        )
    }
}

/// The last `width` characters of a name, which tell layers apart.
fn tail(name: &str, width: usize) -> String {
    let skipped = name.chars().count().saturating_sub(width);
    if skipped == 0 { name.to_owned() } else { std::iter::once('…').chain(name.chars().skip(skipped + 1)).collect() }
}
