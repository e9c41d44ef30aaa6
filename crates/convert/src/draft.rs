//! From a file's bytes to a bundle's content, step by step.

mod calibration;
mod conclusion;

pub use crate::means::Means;
pub use calibration::Calibration;
use conclusion::Measured;

use std::collections::BTreeMap;

use clawdbot_nn::bundle::Writer;
use clawdbot_nn::graph::{Graph, ValueId};
use clawdbot_nn::metadata::{Origin, PictureInput, Vision};
use clawdbot_vision::heads::HeadError;
use sha2::{Digest, Sha256};

use crate::annotations;
use crate::calibrate::choose_grids;
use crate::equalise::Factors;
use crate::importers::{self, Format, ImportError, Source};
use crate::lower::{InputForm, LowerError, Lowered, Plan, Precision, lower};
use crate::network::{Compute, RunError, Sample};
use crate::normalise::{self, NormaliseError};
use crate::quantize::{QuantizedLayer, ValueGrid, quantize_layers};
use crate::recipe::recognise::recognise;
use crate::recipe::{self, Recipe, RecipeError, Wishes, ssd};
use crate::report::Report;
use crate::sensitivity::{SensitivityError, Subject};
use crate::simplify::{simplify, unfuse_activations};

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
    /// What is done for accuracy.
    pub means: Means,
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
    /// The head does not fit the program.
    #[error(transparent)]
    Head(#[from] HeadError),
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
#[derive(Clone, Debug)]
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
        let mut imported = importers::import(source)?;
        let size = recipe::picture_size(&imported.graph);
        let recognised = size.and_then(|size| recognise(&mut imported.graph, imported.detection.as_ref(), size));
        let unread = imported.unread.filter(|_| !recognised.as_ref().is_some_and(|found| found.ends_file));
        if let Some(unread) = unread {
            return Err(unread.into());
        }
        let recipe = recipe::decide(&mut imported.graph, recognised, &source_sha256, wishes)?;
        let mut graph = simplify(imported.graph);
        let mut input = InputForm::Float;
        if let (Some(normalisation), [picture, ..]) = (&recipe.normalisation, &graph.inputs[..]) {
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

    /// Picture, head and labels; `None` for a network that takes no picture.
    #[must_use]
    pub const fn vision(&self) -> Option<&Vision> {
        self.recipe.vision.as_ref()
    }

    /// The network after all passes.
    #[must_use]
    pub const fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Adds a decision that was made elsewhere, for the report.
    pub fn note(&mut self, decision: String) {
        self.recipe.decisions.push(decision);
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
        let (grids, layers) = (&BTreeMap::new(), &BTreeMap::new());
        lower(&self.graph, &Plan { precision, grids, layers, input: self.input, exact_outputs: true })
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
        let &Request { target, means, ref compute, .. } = request;
        if target == Target::F16 {
            return Ok(self.conclude(target, self.lower_float()?, Measured::default()));
        }
        if annotations::is_complete(&self.graph) {
            return self.convert_as_quantised(target);
        }
        if !means.fused_activations {
            let means = Means { fused_activations: true, ..means };
            return self.unfused().convert(&Request { means, ..request.clone() }, inputs, progress);
        }
        let calibration = self.calibrate(compute, inputs, progress)?;
        if calibration.inputs == 0 {
            return Err(ConvertError::NoCalibration { precision: target.name() });
        }
        if means.equalise {
            let (equalised, calibration) = self.equalised(calibration);
            return equalised.finish(request, calibration, progress);
        }
        self.finish(request, calibration, progress)
    }

    /// The rest of [`Draft::convert`] once everything was seen.
    fn finish(
        &self,
        request: &Request,
        calibration: Calibration,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Conversion, ConvertError> {
        let &Request { target, snr_db_min, probe, means, ref compute } = request;
        let quantised = self.quantise(&calibration, means);
        let subject = self.subject(&calibration, &quantised, compute);
        let mut precision = vec![Precision::Int8; self.graph.nodes.len()];
        let mut output_noise = subject.noise(&precision)?;
        let mut units = Vec::new();
        if probe || target == Target::Mixed {
            let progress = &mut |done, total| progress(Progress::Probed(done, total));
            units = subject.probe(progress)?;
        }
        progress(Progress::Choosing);
        if target == Target::Mixed {
            (precision, output_noise) = subject.choose(output_noise, &units, snr_db_min)?;
        }
        let lowered = self.lower(&quantised, precision.clone())?;
        let layers = self.layer_noise(&calibration, &lowered, compute)?;
        let measured = Measured { calibration, quantised, precision, units, output_noise, layers };
        Ok(self.conclude(target, lowered, measured))
    }

    /// The same network with activations that bend as nodes of their own; see [`Means::fused_activations`].
    #[must_use]
    pub fn unfused(&self) -> Self {
        Self { graph: unfuse_activations(self.graph.clone()), ..self.clone() }
    }

    /// The same network with its channels scaled to like sizes, and what would have been seen of it; see
    /// [`Means::equalise`].
    #[must_use]
    pub fn equalised(&self, calibration: Calibration) -> (Self, Calibration) {
        let factors = Factors::choose(&self.graph, &calibration.seen);
        let graph = factors.apply(self.graph.clone());
        let calibration = factors.seen_through(&self.graph, calibration);
        (Self { graph, ..self.clone() }, calibration)
    }

    /// Takes over a network that comes quantised, with its own grids and steps: there is nothing to choose and nothing to
    /// calibrate, whether the target is `int8` or `mixed`.
    fn convert_as_quantised(&self, target: Target) -> Result<Conversion, ConvertError> {
        let grids = annotations::grids(&self.graph);
        let layers = annotations::all_layers(&self.graph, &grids);
        let quantised = Quantised { grids, layers, exact_outputs: true };
        let precision = vec![Precision::Int8; self.graph.nodes.len()];
        let lowered = self.lower(&quantised, precision.clone())?;
        Ok(self.conclude(target, lowered, Measured { quantised, precision, ..Measured::default() }))
    }

    /// Chooses grids and rounds weights; what the file itself gives comes first.
    #[must_use]
    pub fn quantise(&self, calibration: &Calibration, means: Means) -> Quantised {
        let Calibration { seen, moments, .. } = calibration;
        let mut grids = choose_grids(&self.graph, seen, self.input, means.grids);
        grids.extend(annotations::grids(&self.graph));
        annotations::hand_back(&self.graph, &mut grids);
        let mut layers = quantize_layers(&self.graph, &grids, seen, moments, means.weights);
        layers.extend(annotations::layers(&self.graph, &grids));
        Quantised { grids, layers, exact_outputs: means.exact_outputs }
    }

    /// A program in the given precisions, one a node.
    ///
    /// # Errors
    /// [`LowerError`].
    pub fn lower(&self, quantised: &Quantised, precision: Vec<Precision>) -> Result<Lowered, LowerError> {
        let &Quantised { ref grids, ref layers, exact_outputs } = quantised;
        lower(&self.graph, &Plan { precision, grids, layers, input: self.input, exact_outputs })
    }

    /// What the analysis of sensitivity works with.
    #[must_use]
    pub fn subject<'a>(
        &'a self,
        calibration: &'a Calibration,
        quantised: &'a Quantised,
        compute: &'a Compute,
    ) -> Subject<'a> {
        Subject {
            graph: &self.graph,
            grids: &quantised.grids,
            layers: &quantised.layers,
            exact_outputs: quantised.exact_outputs,
            input: self.input,
            compute,
            samples: &calibration.samples,
            exact: &calibration.exact,
        }
    }
}

/// A network's numbers for INT8.
#[derive(Clone, Debug, Default)]
pub struct Quantised {
    /// Of every value.
    pub grids: BTreeMap<ValueId, ValueGrid>,
    /// Of every node with weights.
    pub layers: BTreeMap<usize, QuantizedLayer>,
    /// See [`Means::exact_outputs`].
    pub exact_outputs: bool,
}
