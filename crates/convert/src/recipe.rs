//! What a network file does not say of itself: how a picture goes in and how results come out. Taken from the command
//! line, or from marks that leave no doubt; every decision is written down for the user, none is made silently.

pub mod ssd;
#[cfg(test)]
mod tests;

use clawdbot_nn::graph::{Graph, Value};
use clawdbot_nn::metadata::{ColorOrder, Head, PictureInput, Resize, Vision};

use crate::normalise::Normalisation;

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
    /// Flags about pictures for a network without.
    #[error(
        "--mean, --scale, --color and --resize speak of a picture, but the network's input is {shape:?}, not [1, height, width, 3]"
    )]
    NoPicture {
        /// The first input's.
        shape: Vec<usize>,
    },
    /// A detector whose labels nobody knows.
    #[error("the detector has {classes} classes beside the background: give their names, one a line, by --labels FILE")]
    NoLabels {
        /// How many.
        classes: usize,
    },
    /// Too many or too few labels.
    #[error("{given} labels were given, but `{output}` has {wanted} classes{beside}: give one line a class")]
    LabelCount {
        /// How many were given.
        given: usize,
        /// The output that they are for.
        output: String,
        /// How many it has.
        wanted: usize,
        /// ` beside the background`, or nothing.
        beside: &'static str,
    },
}

/// Decides from the network's shape and names, its file's hash and the user's wishes.
///
/// # Errors
/// [`RecipeError`], which says what to give.
pub fn decide(graph: &Graph, source_sha256: &str, wishes: &Wishes) -> Result<Recipe, RecipeError> {
    let shape = graph.inputs.first().map(|input| graph.values[input.0].shape.clone()).unwrap_or_default();
    let picture = matches!((&graph.inputs[..], &shape[..]), ([_], [1, _, _, 3]));
    if !picture {
        let spoken = wishes.normalisation.is_some() || wishes.color.is_some() || wishes.resize.is_some();
        if spoken {
            return Err(RecipeError::NoPicture { shape });
        }
        let decisions = vec![format!("input {shape:?} is taken as plain numbers: it is no picture of three colours")];
        return Ok(Recipe { vision: None, normalisation: None, decisions });
    }
    let size = [shape[1], shape[2]];
    let mut decisions = Vec::new();
    let recognised = ssd::recognise(graph, size);
    let own = graph.inputs.first().and_then(|input| graph.quantizations.get(input));
    let normalisation = match (&wishes.normalisation, &recognised) {
        (Some(given), _) => {
            decisions.push(format!("pixels: (grey level - {:?}) x {:?}, as given", given.mean, given.scale));
            given.clone()
        }
        (None, _) if let Some(grid) = own => {
            let mean = (grid.zero_point + 128) as f32;
            let scale = grid.scale.clone();
            decisions.push(format!("pixels: (grey level - {mean}) x {scale:?}, because the input's own steps say so"));
            Normalisation { mean: vec![mean], scale }
        }
        (None, Some(found)) if found.normalised_input => {
            decisions.push("pixels: (grey level - 127.5) / 127.5, because of the input's name".to_owned());
            Normalisation { mean: vec![127.5], scale: vec![1.0 / 127.5] }
        }
        _ => {
            let input = graph.inputs.first().map(|input| graph.values[input.0].name.clone()).unwrap_or_default();
            return Err(RecipeError::Normalisation { input, width: size[1], height: size[0] });
        }
    };
    let head = match recognised {
        Some(found) => {
            decisions.push(found.reason);
            Head::Ssd(found.head)
        }
        None => plain_head(graph, wishes, &mut decisions),
    };
    let labels = labels(graph, &head, source_sha256, wishes, &mut decisions)?;
    let (color, resize) = (wishes.color.unwrap_or(ColorOrder::Rgb), wishes.resize.unwrap_or(Resize::Stretch));
    let said = |given: bool| if given { "as given" } else { "the default" };
    decisions.push(format!("colours: {color:?}, {}", said(wishes.color.is_some())));
    decisions.push(format!("size: {resize:?} to {}x{}, {}", size[1], size[0], said(wishes.resize.is_some())));
    let input = PictureInput { width: size[1], height: size[0], color, resize };
    Ok(Recipe {
        vision: Some(Vision { input: Some(input), head, labels }),
        normalisation: Some(normalisation),
        decisions,
    })
}

/// A network with one output and as many labels is a classifier; any other gives its outputs as they are.
fn plain_head(graph: &Graph, wishes: &Wishes, decisions: &mut Vec<String>) -> Head {
    let values: Vec<&Value> = graph.outputs.iter().map(|output| &graph.values[output.0]).collect();
    let labels = wishes.labels.as_ref().map(Vec::len);
    if let [scores] = values[..]
        && labels == Some(scores.shape.iter().product())
    {
        decisions.push(format!("head: classifier, because `{}` has one element a label", scores.name));
        return Head::Classifier { scores: scores.name.clone() };
    }
    decisions.push("head: none known, the outputs are given as they are".to_owned());
    Head::Raw
}

fn labels(
    graph: &Graph,
    head: &Head,
    source_sha256: &str,
    wishes: &Wishes,
    decisions: &mut Vec<String>,
) -> Result<Vec<String>, RecipeError> {
    let Head::Ssd(head) = head else { return Ok(wishes.labels.clone().unwrap_or_default()) };
    let scores = graph.outputs.iter().map(|output| &graph.values[output.0]).find(|value| value.name == head.scores);
    let wanted = scores.and_then(|value| value.shape.last()).map_or(0, |columns| columns.saturating_sub(1));
    let labels = match (&wishes.labels, ssd::known_labels(source_sha256)) {
        (Some(given), _) => given.clone(),
        (None, Some(known)) => {
            decisions.push("labels: the 23 of Open Images that belong to this very file (by its SHA-256)".to_owned());
            known
        }
        (None, None) => return Err(RecipeError::NoLabels { classes: wanted }),
    };
    if labels.len() == wanted {
        return Ok(labels);
    }
    let (given, output) = (labels.len(), head.scores.clone());
    Err(RecipeError::LabelCount { given, output, wanted, beside: " beside the background" })
}
