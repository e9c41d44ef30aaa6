//! From a file's bytes to a bundle's content, step by step.

use std::collections::BTreeMap;

use clawdbot_nn::bundle::Writer;
use clawdbot_nn::graph::{Graph, Op, ValueId};
use clawdbot_nn::metadata::{Origin, PictureInput, Vision};
use clawdbot_nn::program;
use sha2::{Digest, Sha256};

use crate::annotations;
use crate::calibrate::{Observation, choose_grids};
use crate::importers::{self, Format, ImportError, Source};
use crate::lower::{InputForm, LowerError, Lowered, Plan, Precision, has_int8, lower, operator_name};
use crate::moments::Moments;
use crate::network::{Compute, Network, RunError, Sample};
use crate::normalise::{self, NormaliseError};
use crate::quantize::{ValueGrid, quantize_layers};
use crate::recipe::{self, Recipe, RecipeError, Wishes, ssd};
use crate::report::{LayerReport, OutputReport, Report};
use crate::sensitivity::{SensitivityError, Subject, Unit, multiplications, worst};
use crate::simplify::simplify;
use crate::snr::NoiseMeter;

/// Calibration inputs that noise is measured with: enough to rank layers, few enough to wait for.
const MEASURED_INPUTS_MAX: usize = 4;

/// How a network is to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// FP16 weights, FP32 activations everywhere.
    F16,
    /// INT8 wherever there is an INT8 form.
    Int8,
    /// INT8 but for layers that it would hurt.
    Mixed,
}

impl Target {
    /// As the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::Mixed => "mixed",
        }
    }
}

/// What is asked of a conversion.
#[derive(Clone, Debug)]
pub struct Request {
    /// How the network is to be computed.
    pub target: Target,
    /// What `mixed` holds every output to, in decibels; see [`crate::sensitivity::OUTPUT_SNR_DB_MIN`].
    pub snr_db_min: f64,
    /// Whether each layer's own noise is measured even where the target doesn't need to know it.
    pub probe: bool,
    /// What to compute with.
    pub compute: Compute,
}

/// What goes on, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many inputs have been run through the float network.
    Calibrated(usize),
    /// So many of all layers have been quantised alone.
    Probed(usize, usize),
    /// The precisions are being chosen.
    Choosing,
}

/// Why a conversion failed.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The file cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What it does not say is not known.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The normalisation does not fold.
    #[error(transparent)]
    Normalise(#[from] NormaliseError),
    /// The network has no program.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The program does not run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Layers could not be compared.
    #[error(transparent)]
    Sensitivity(#[from] SensitivityError),
    /// INT8 without anything to take ranges from.
    #[error(
        "precision {precision} needs inputs to take ranges from: give --calibrate DIR with some tens of pictures like those \
         that the network will see, or choose --precision f16"
    )]
    NoCalibration {
        /// What was asked.
        precision: &'static str,
    },
}

/// A network that was read and understood, not yet quantised.
#[derive(Debug)]
pub struct Draft {
    format: Format,
    graph: Graph,
    recipe: Recipe,
    input: InputForm,
    origin: Origin,
}

/// Where a file comes from, as the user says.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The file's name.
    pub file_name: String,
    /// A short name for the bundle; the file's stem if absent.
    pub name: Option<String>,
    /// SPDX expression; the file's own if absent.
    pub licence: Option<String>,
}

/// What goes into a bundle, and the report.
#[derive(Debug)]
pub struct Conversion {
    /// Program and tensors.
    pub lowered: Lowered,
    /// Picture, head, labels.
    pub vision: Option<Vision>,
    /// Whence.
    pub origin: Origin,
    /// What was done.
    pub report: Report,
}

impl Conversion {
    /// The bundle's writer.
    #[must_use]
    pub const fn writer(&self) -> Writer<'_> {
        Writer {
            program: &self.lowered.program,
            tensors: &self.lowered.tensors,
            vision: self.vision.as_ref(),
            origin: &self.origin,
        }
    }
}

impl Draft {
    /// Reads a network and decides what it does not say of itself.
    ///
    /// # Errors
    /// When the file is damaged or not supported, or a decision needs the user.
    pub fn open(source: Source<'_>, provenance: &Provenance, wishes: &Wishes) -> Result<Self, ConvertError> {
        let source_sha256: String = Sha256::digest(source.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let imported = importers::import(source)?;
        if let Some(unread) = imported.unread {
            return Err(unread.into());
        }
        let recipe = recipe::decide(&imported.graph, &source_sha256, wishes)?;
        let mut graph = simplify(imported.graph);
        let mut input = InputForm::Float;
        if let (Some(normalisation), [picture]) = (&recipe.normalisation, &graph.inputs[..]) {
            let picture = *picture;
            normalise::fold(&mut graph, picture, normalisation)?;
            input = InputForm::Picture;
        }
        let known = ssd::known_origin(&source_sha256);
        let stem = provenance.file_name.rsplit_once('.').map_or(provenance.file_name.as_str(), |(stem, _)| stem);
        let name = provenance.name.as_deref().or(known.map(|(name, _)| name)).unwrap_or(stem).to_owned();
        let licence = provenance.licence.clone().or(imported.licence).or(known.map(|(_, licence)| licence.to_owned()));
        let origin = Origin {
            name,
            source_file: provenance.file_name.clone(),
            source_sha256,
            licence: licence.unwrap_or_else(|| "unknown".to_owned()),
            converter: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Self { format: imported.format, graph, recipe, input, origin })
    }

    /// How a picture goes in; `None` for a network that takes none.
    #[must_use]
    pub fn picture(&self) -> Option<&PictureInput> {
        self.recipe.vision.as_ref()?.input.as_ref()
    }

    /// What was decided, a sentence each.
    #[must_use]
    pub fn decisions(&self) -> &[String] {
        &self.recipe.decisions
    }

    /// Whence the network comes.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The network in floats: FP16 weights, FP32 activations.
    ///
    /// # Errors
    /// When a layer has no float form.
    pub fn lower_float(&self) -> Result<Lowered, LowerError> {
        let precision = vec![Precision::F16; self.graph.nodes.len()];
        lower(&self.graph, &Plan { precision, grids: &BTreeMap::new(), layers: &BTreeMap::new(), input: self.input })
    }

    /// Quantises. `inputs` gives calibration inputs by number until there are no more; the first few are asked for again.
    ///
    /// # Errors
    /// When there are no inputs although `target` needs them, or a program cannot be made or run.
    pub fn convert(
        &self,
        request: &Request,
        inputs: &mut dyn FnMut(usize) -> Option<Sample>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Conversion, ConvertError> {
        let &Request { target, snr_db_min, probe, ref compute } = request;
        let float = self.lower_float()?;
        if target == Target::F16 {
            let precision = vec![Precision::F16; self.graph.nodes.len()];
            return Ok(self.conclude(target, float, &precision, Measured::default()));
        }
        if annotations::is_complete(&self.graph) {
            return self.convert_as_quantised(target);
        }
        let mut network = Network::new(&float, compute)?;
        let mut measured = self.calibrate(&mut network, &float, inputs, progress)?;
        if measured.inputs == 0 {
            return Err(ConvertError::NoCalibration { precision: target.name() });
        }
        let samples: Vec<Sample> = (0..measured.inputs.min(MEASURED_INPUTS_MAX)).map_while(&mut *inputs).collect();
        let exact = samples.iter().map(|sample| network.run(sample)).collect::<Result<Vec<_>, _>>()?;
        let mut grids = choose_grids(&self.graph, &measured.seen);
        grids.extend(annotations::grids(&self.graph));
        let mut layers = quantize_layers(&self.graph, &grids, &measured.seen, &std::mem::take(&mut measured.moments));
        layers.extend(annotations::layers(&self.graph, &grids));
        let (graph, input) = (&self.graph, self.input);
        let subject =
            Subject { graph, grids: &grids, layers: &layers, input, compute, samples: &samples, exact: &exact };
        let mut precision = vec![Precision::Int8; graph.nodes.len()];
        measured.output_noise = subject.noise(&precision)?;
        if probe || target == Target::Mixed {
            let progress = &mut |done, total| progress(Progress::Probed(done, total));
            measured.units = subject.probe(progress)?;
        }
        progress(Progress::Choosing);
        if target == Target::Mixed {
            (precision, measured.output_noise) = subject.choose(measured.output_noise, &measured.units, snr_db_min)?;
        }
        let plan = Plan { precision: precision.clone(), grids: &grids, layers: &layers, input };
        let lowered = lower(graph, &plan)?;
        measured.layers =
            self.layer_noise((&mut network, &float), (&mut Network::new(&lowered, compute)?, &lowered), &samples)?;
        measured.samples = samples.len();
        measured.grids = grids;
        Ok(self.conclude(target, lowered, &precision, measured))
    }

    /// Takes over a network that comes quantised, with its own grids and steps: there is nothing to choose and nothing to
    /// calibrate, whether the target is `int8` or `mixed`.
    fn convert_as_quantised(&self, target: Target) -> Result<Conversion, ConvertError> {
        let grids = annotations::grids(&self.graph);
        let layers = annotations::all_layers(&self.graph, &grids);
        let precision = vec![Precision::Int8; self.graph.nodes.len()];
        let plan = Plan { precision: precision.clone(), grids: &grids, layers: &layers, input: self.input };
        let lowered = lower(&self.graph, &plan)?;
        Ok(self.conclude(target, lowered, &precision, Measured { grids, ..Measured::default() }))
    }

    /// Runs every input through the float network and looks at all values.
    fn calibrate(
        &self,
        network: &mut Network,
        float: &Lowered,
        inputs: &mut dyn FnMut(usize) -> Option<Sample>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Measured, ConvertError> {
        let names: BTreeMap<program::ValueId, ValueId> =
            float.floats.iter().map(|(&graph, &made)| (made, graph)).collect();
        let mut seen: BTreeMap<ValueId, Observation> = BTreeMap::new();
        let mut moments: BTreeMap<usize, Option<Moments>> = BTreeMap::new();
        let mut count = 0;
        while let Some(sample) = inputs(count) {
            network.observe(&sample, &mut |value, elements| {
                let Some(&value) = names.get(&value) else { return };
                let shape = &self.graph.values[value.0].shape;
                let channels = shape.last().copied().unwrap_or(1);
                self.add_moments(&mut moments, value, elements, count);
                seen.entry(value).or_insert_with(|| Observation::new(channels)).add(elements);
            })?;
            count += 1;
            progress(Progress::Calibrated(count));
        }
        let moments = moments.into_iter().filter_map(|(node, moments)| Some((node, moments?))).collect();
        Ok(Measured { inputs: count, seen, moments, ..Measured::default() })
    }

    /// Takes a value into the moments of every layer that reads it.
    fn add_moments(
        &self,
        moments: &mut BTreeMap<usize, Option<Moments>>,
        value: ValueId,
        elements: &[f32],
        count: usize,
    ) {
        let shape = &self.graph.values[value.0].shape;
        for (index, node) in self.graph.nodes.iter().enumerate().filter(|(_, node)| node.inputs.first() == Some(&value))
        {
            let (window, pad_value, depthwise) = match &node.op {
                Op::Convolution { window, pad_value, .. } => (window, *pad_value, false),
                Op::DepthwiseConvolution { window, .. } => (window, 0.0, true),
                _ => continue,
            };
            let Some(&[_, _, _, channels]) = shape.get(..) else { continue };
            let slot = moments.entry(index).or_insert_with(|| Moments::new(window, channels, depthwise));
            if let Some(moments) = slot {
                moments.add(elements, shape, window, pad_value, count);
            }
        }
    }

    /// Noise over signal of each node's result in the finished program.
    fn layer_noise(
        &self,
        (network, float): (&mut Network, &Lowered),
        (quantised, lowered): (&mut Network, &Lowered),
        samples: &[Sample],
    ) -> Result<Vec<f64>, ConvertError> {
        let mut meters = vec![NoiseMeter::default(); self.graph.nodes.len()];
        // An input at a time and one value per node: the largest network's results are some tens of megabytes.
        for sample in samples {
            let mut exact: BTreeMap<program::ValueId, Vec<f32>> = BTreeMap::new();
            network.observe(sample, &mut |value, elements| {
                exact.insert(value, elements.to_vec());
            })?;
            let mut results: BTreeMap<program::ValueId, Vec<f32>> = BTreeMap::new();
            quantised.observe(sample, &mut |value, elements| {
                results.insert(value, elements.to_vec());
            })?;
            for (node, meter) in self.graph.nodes.iter().zip(&mut meters) {
                let made = lowered.quantized.get(&node.output).or_else(|| lowered.floats.get(&node.output));
                let pair = float
                    .floats
                    .get(&node.output)
                    .and_then(|id| exact.get(id))
                    .zip(made.and_then(|id| results.get(id)));
                if let Some((exact, result)) = pair {
                    meter.add(exact, result.iter().copied());
                }
            }
        }
        Ok(meters.iter().map(NoiseMeter::noise_to_signal).collect())
    }

    fn conclude(&self, target: Target, lowered: Lowered, precision: &[Precision], measured: Measured) -> Conversion {
        let decibels = |noise: f64| Some(-10.0 * noise.log10()).filter(|decibels| decibels.is_finite());
        let alone = |index| measured.units.iter().find(|unit| unit.node == index).map(|unit| worst(&unit.noise));
        let layer = |(index, node): (usize, &clawdbot_nn::graph::Node)| LayerReport {
            name: node.name.clone(),
            operator: operator_name(&node.op),
            precision: if has_int8(&self.graph, node) { precision[index] } else { Precision::F16 },
            multiplications: multiplications(&self.graph, node),
            alone_snr_db: alone(index).and_then(decibels),
            result_snr_db: measured.layers.get(index).copied().and_then(decibels),
            seen: measured.seen.get(&node.output).map(|seen| <[f32; 2]>::from(seen.range())),
            range: lowered
                .quantized
                .get(&node.output)
                .and_then(|_| measured.grids.get(&node.output))
                .map(|grid| grid.range().into()),
        };
        let counted = |node: &clawdbot_nn::graph::Node| !matches!(node.op, Op::Reshape | Op::Concatenate { .. });
        let layers = self.graph.nodes.iter().enumerate().filter(|(_, node)| counted(node)).map(layer).collect();
        let output = |(index, value): (usize, &ValueId)| OutputReport {
            name: self.graph.values[value.0].name.clone(),
            snr_db: measured.output_noise.get(index).copied().and_then(decibels),
        };
        let report = Report {
            source: self.origin.source_file.clone(),
            source_sha256: self.origin.source_sha256.clone(),
            format: self.format.name().to_owned(),
            precision: target.name().to_owned(),
            decisions: self.recipe.decisions.clone(),
            calibration_inputs: measured.inputs,
            measured_inputs: measured.samples,
            outputs: self.graph.outputs.iter().enumerate().map(output).collect(),
            layers,
            tensor_bytes: lowered.tensors.values().map(|tensor| tensor.bytes().len()).sum(),
        };
        Conversion { lowered, vision: self.recipe.vision.clone(), origin: self.origin.clone(), report }
    }
}

/// Everything that was measured on the way.
#[derive(Debug, Default)]
struct Measured {
    inputs: usize,
    samples: usize,
    grids: BTreeMap<ValueId, ValueGrid>,
    seen: BTreeMap<ValueId, Observation>,
    moments: BTreeMap<usize, Moments>,
    units: Vec<Unit>,
    output_noise: Vec<f64>,
    layers: Vec<f64>,
}
