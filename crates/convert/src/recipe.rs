//! What a network file does not say of itself: how a picture goes in and how results come out. Taken from the command
//! line, or from marks that leave no doubt; every decision is written down for the user, none is made silently.

mod blazeface;
pub mod coco;
mod nanodet;
mod pose;
pub mod probe;
pub mod recognise;
pub mod ssd;
#[cfg(test)]
mod tests;
mod trace;
mod yolox;

use clawdbot_nn::graph::{Graph, Op, ValueId};
use clawdbot_nn::metadata::{ColorOrder, Head, PictureInput, Resize, Vision};

use crate::normalise::Normalisation;
use recognise::{Pixels, Recognised};
pub use yolox::YoloxConvention;

/// What the user says; all optional.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// How pixels become numbers.
    pub normalisation: Option<Normalisation>,
    /// Order of the colours.
    pub color: Option<ColorOrder>,
    /// How a picture is brought to size.
    pub resize: Option<Resize>,
    /// Names of the classes, the first foreground one first.
    pub labels: Option<Vec<String>>,
    /// Which of YOLOX's two ways to take pixels.
    pub convention: Option<YoloxConvention>,
}

/// What was decided.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Picture, head and labels; `None` for a network that takes no picture.
    pub vision: Option<Vision>,
    /// To fold into the first layer.
    pub normalisation: Option<Normalisation>,
    /// One sentence a decision, each with its reason.
    pub decisions: Vec<String>,
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecipeError {
    /// A picture network of unknown kind.
    #[error(
        "the input `{input}` is a picture of {width}x{height}, but nothing says how pixels become numbers: give --mean and \
         --scale, so that (grey level - mean) x scale is what the network was trained with (for -1..1: --mean 127.5 \
         --scale 1/127.5; for 0..1: --mean 0 --scale 1/255; for grey levels as they are: --mean 0 --scale 1)"
    )]
    Normalisation {
        /// Its name.
        input: String,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// A YOLOX, which may have been trained either way.
    #[error(
        "this is a YOLOX, and nothing in the file says how it takes pixels: give --input-convention yolox-0.1.1 (BGR, grey levels \
         as they are: releases since 0.1.1) or --input-convention yolox-0.1.0 (RGB, normalised: the first release and what was \
         made from it), or --calibrate DIR with some pictures of things that it knows, on which both are tried; or say it all by \
         --mean, --scale and --color"
    )]
    Convention,
    /// Both conventions were tried, and neither is clearly better.
    #[error(
        "the pictures do not tell how this YOLOX takes pixels ({found}): give --calibrate pictures of things that it knows, or say \
         --input-convention yolox-0.1.1 or --input-convention yolox-0.1.0"
    )]
    Undecided {
        /// What was found.
        found: String,
    },
    /// A convention for something else.
    #[error("--input-convention {given} is for YOLOX, but this network has not its prediction layers: leave it out")]
    NoYolox {
        /// As the command line spells it.
        given: &'static str,
    },
    /// Flags about pictures for a network without.
    #[error(
        "--mean, --scale, --color and --resize speak of a picture, but the network's input is {shape:?}, not [1, height, width, 3]"
    )]
    NoPicture {
        /// The first input's.
        shape: Vec<usize>,
    },
    /// A detector whose labels nobody knows.
    #[error("the detector has {classes} classes: give their names, one a line, by --labels FILE")]
    NoLabels {
        /// How many.
        classes: usize,
    },
    /// Too many or too few labels.
    #[error("{given} labels were given, but the network has {wanted} classes{beside}: give one line a class")]
    LabelCount {
        /// How many were given.
        given: usize,
        /// How many classes there are.
        wanted: usize,
        /// ` beside the background`, or nothing.
        beside: &'static str,
    },
}

/// Height and width of the picture that a network takes; `None` for one that takes none, or more than a picture and what it
/// hands on to itself. A picture comes first.
#[must_use]
pub fn picture_size(graph: &Graph) -> Option<[usize; 2]> {
    let input = graph.inputs.first()?;
    match graph.values[input.0].shape[..] {
        [1, height, width, 3] => Some([height, width]),
        _ => None,
    }
}

/// Decides from what was recognised, the network's shape and names, its file's hash and the user's wishes. Cuts a classifier's
/// softmax off, which its head does.
///
/// # Errors
/// [`RecipeError`], which says what to give.
pub fn decide(
    graph: &mut Graph,
    recognised: Option<Recognised>,
    source_sha256: &str,
    wishes: &Wishes,
) -> Result<Recipe, RecipeError> {
    let shape = graph.inputs.first().map(|input| graph.values[input.0].shape.clone()).unwrap_or_default();
    let states = recognised.as_ref().map_or(0, |found| found.states.len());
    let Some([height, width]) = picture_size(graph).filter(|_| graph.inputs.len() == 1 + states) else {
        let spoken = wishes.normalisation.is_some() || wishes.color.is_some() || wishes.resize.is_some();
        if spoken {
            return Err(RecipeError::NoPicture { shape });
        }
        let decisions = vec![format!("input {shape:?} is taken as plain numbers: it is no picture of three colours")];
        return Ok(Recipe { vision: None, normalisation: None, decisions });
    };
    let mut decisions = Vec::new();
    let pixels = kind_of_pixels(graph, recognised.as_ref(), wishes)?;
    let normalisation = normalisation(graph, pixels.as_ref(), wishes, &mut decisions)?;
    let (head, classes, states) = match recognised {
        Some(found) => {
            decisions.push(found.reason);
            (found.head, found.classes, found.states)
        }
        None => (plain_head(graph, wishes, &mut decisions), None, Vec::new()),
    };
    let labels = labels(&head, classes, source_sha256, wishes, &mut decisions)?;
    let said = |given: bool| match &pixels {
        _ if given => "as given",
        Some(pixels) => pixels.reason,
        None => "the default",
    };
    let color = wishes.color.or(pixels.as_ref().map(|pixels| pixels.color)).unwrap_or(ColorOrder::Rgb);
    let resize = wishes.resize.or(pixels.as_ref().map(|pixels| pixels.resize)).unwrap_or(Resize::Stretch);
    decisions.push(format!("colours: {color:?}, {}", said(wishes.color.is_some())));
    decisions.push(format!("size: {resize:?} to {width}x{height}, {}", said(wishes.resize.is_some())));
    let input = PictureInput { width, height, color, resize };
    Ok(Recipe {
        vision: Some(Vision { input: Some(input), head, labels, states }),
        normalisation: Some(normalisation),
        decisions,
    })
}

/// How networks of this kind take a picture, where the kind or the user tells.
fn kind_of_pixels(
    graph: &Graph,
    recognised: Option<&Recognised>,
    wishes: &Wishes,
) -> Result<Option<Pixels>, RecipeError> {
    let is_yolox = recognised.is_some_and(|found| matches!(found.head, Head::Yolox(_)));
    match wishes.convention {
        Some(convention) if is_yolox => Ok(Some(convention.pixels())),
        Some(convention) => Err(RecipeError::NoYolox { given: convention.name() }),
        None if is_yolox => {
            let own_steps = graph.inputs.first().is_some_and(|input| graph.quantizations.contains_key(input));
            // Without a convention every part of one must have been said.
            let told = (wishes.normalisation.is_some() || own_steps) && wishes.color.is_some();
            if told { Ok(None) } else { Err(RecipeError::Convention) }
        }
        None => Ok(recognised.and_then(|found| found.pixels.clone())),
    }
}

/// How pixels become numbers.
fn normalisation(
    graph: &Graph,
    pixels: Option<&Pixels>,
    wishes: &Wishes,
    decisions: &mut Vec<String>,
) -> Result<Normalisation, RecipeError> {
    let input = graph.inputs.first();
    let own = input.and_then(|input| graph.quantizations.get(input));
    let mut decide = |Normalisation { mean, scale }: &Normalisation, why: &str| {
        decisions.push(format!("pixels: (grey level - {mean:?}) x {scale:?}, {why}"));
    };
    if let Some(given) = &wishes.normalisation {
        decide(given, "as given");
        return Ok(given.clone());
    }
    if let Some(grid) = own {
        let own = Normalisation { mean: vec![(grid.zero_point + 128) as f32], scale: grid.scale.clone() };
        decide(&own, "because the input's own steps say so");
        return Ok(own);
    }
    if let Some(pixels) = pixels {
        decide(&pixels.normalisation, pixels.reason);
        return Ok(pixels.normalisation.clone());
    }
    let [height, width] = picture_size(graph).unwrap_or_default();
    let input = input.map(|input| graph.values[input.0].name.clone()).unwrap_or_default();
    Err(RecipeError::Normalisation { input, width, height })
}

/// A network with one output and as many labels is a classifier; any other gives its outputs as they are.
fn plain_head(graph: &mut Graph, wishes: &Wishes, decisions: &mut Vec<String>) -> Head {
    let labels = wishes.labels.as_ref().map(Vec::len);
    let elements = |value: ValueId| graph.values[value.0].shape.iter().product::<usize>();
    if let [output] = graph.outputs[..]
        && labels == Some(elements(output))
    {
        let last = graph.producer(output).map(|index| &graph.nodes[index]);
        let logits = last.filter(|node| node.op == Op::Softmax).map(|node| node.inputs[0]);
        let scores = logits.unwrap_or(output);
        let name = trace::name(graph, scores);
        if logits.is_some() {
            decisions.push(format!(
                "head: classifier over the softmax of `{name}`, because the one output has one element a label"
            ));
            trace::cut(graph, &[scores]);
        } else {
            decisions.push(format!("head: classifier, because `{name}` has one element a label"));
        }
        return Head::Classifier { scores: name, softmax: logits.is_some() };
    }
    decisions.push("head: none known, the outputs are given as they are".to_owned());
    Head::Raw
}

fn labels(
    head: &Head,
    classes: Option<usize>,
    source_sha256: &str,
    wishes: &Wishes,
    decisions: &mut Vec<String>,
) -> Result<Vec<String>, RecipeError> {
    let Some(wanted) = classes else { return Ok(wishes.labels.clone().unwrap_or_default()) };
    let mut known = |names: Vec<String>, why: &str| {
        decisions.push(format!("labels: {why}"));
        names
    };
    let labels = match (&wishes.labels, head) {
        (Some(given), _) => given.clone(),
        (None, Head::BlazeFace(_)) => known(vec!["face".to_owned()], "face"),
        (None, Head::Pose(_)) => known(vec!["person".to_owned()], "person"),
        (None, _) => match ssd::known_labels(source_sha256) {
            Some(names) => known(names, "the 23 of Open Images that belong to this very file (by its SHA-256)"),
            None if wanted == coco::NAMES.len() => {
                let names = coco::NAMES.map(ToOwned::to_owned).to_vec();
                known(names, "COCO's 80, because the network has as many classes; --labels FILE for others")
            }
            None => return Err(RecipeError::NoLabels { classes: wanted }),
        },
    };
    if labels.len() == wanted {
        return Ok(labels);
    }
    let beside = if matches!(head, Head::Ssd(ssd) if ssd.background) { " beside the background" } else { "" };
    Err(RecipeError::LabelCount { given: labels.len(), wanted, beside })
}
