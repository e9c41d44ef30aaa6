//! The models that both sides run: SmolLM2-135M from one GGUF file, and larger shapes of invented weights, at the same bits a
//! weight on both sides (embedding and head INT8 and Q8_0, as llama.cpp's files have them where it cannot do better).

use std::fmt;
use std::path::{Path, PathBuf};

use clawdbot_nn::metadata::language::Precision;
use sha2::{Digest as _, Sha256};

use super::super::workshop::{Stamp, make_folder};
use crate::Outcome;
use crate::made_up::{self, Shape};
use crate::process::{command, output, repository_root, run};

/// The real one, below the shared data.
pub(super) const SMOLLM2: &str = "llm/SmolLM2-135M-Instruct.Q4_1.gguf";
/// What decides how a bundle looks, below the repository's root: when it changes, ours are made anew.
const OUR_SOURCES: [&str; 4] =
    ["crates/nn/src/bundle", "crates/nn/src/metadata", "crates/convert/src/language", "xtask/src/made_up"];

/// What makes the files of the real model: a program each, with what runs it in front.
pub(super) struct Makers {
    /// Ours.
    pub(super) convert: Vec<String>,
    /// The peer's.
    pub(super) quantise: Vec<String>,
}

/// A model in both forms.
pub(super) struct Model {
    pub(super) shape: &'static str,
    pub(super) precision: Precision,
    /// Ours.
    pub(super) bundle: PathBuf,
    /// The peer's.
    pub(super) gguf: PathBuf,
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.shape, self.precision.name())
    }
}

impl Model {
    /// Makes both files, below `folder`, unless they are there.
    ///
    /// # Errors
    /// When the real model is not at hand, or a file cannot be made.
    pub(super) fn make(
        shape: &'static str,
        precision: Precision,
        makers: &Makers,
        folder: &Path,
    ) -> Result<Self, String> {
        let folder = folder.join("models");
        make_folder(&folder)?;
        let file = |end: &str| folder.join(format!("{shape}-{}.{end}", precision.name()));
        let model = Self { shape, precision, bundle: file("claw.safetensors"), gguf: file("gguf") };
        let sources = our_digest()?;
        Stamp::new(file("stamp"), &[super::peer::VERSION, &sources]).unless_fresh(|| {
            eprintln!("making {} and {}", model.bundle.display(), model.gguf.display());
            if shape == "135m" { model.convert(makers) } else { model.invent() }
        })?;
        Ok(model)
    }

    /// Both from the same weights. They are of four bits already, so this measures speed, not accuracy.
    fn convert(&self, makers: &Makers) -> Outcome {
        let source = repository_root().join("../shared/data").join(SMOLLM2);
        if !source.is_file() {
            return Err(format!("{} is missing: it is the one real model of the comparison", source.display()));
        }
        let mut convert = started_by(&makers.convert);
        convert.arg("convert").arg(&source).arg("--output").arg(&self.bundle);
        output(convert.args(["--precision", self.precision.name()]))?;
        let form = if self.precision == Precision::Int4 { "q4_0" } else { "q8_0" };
        run(started_by(&makers.quantise).arg("quantise").arg(&source).arg(&self.gguf).arg(form))
    }

    fn invent(&self) -> Outcome {
        let shape = Shape::find(self.shape).ok_or_else(|| format!("{} is no shape", self.shape))?;
        made_up::bundle(&self.bundle, &shape, self.precision)?;
        made_up::gguf::write(&self.gguf, &shape, self.precision).map(drop)
    }
}

fn started_by(words: &[String]) -> std::process::Command {
    let (program, rest) = words.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
    let mut started = command(program, &[]);
    started.args(rest);
    started
}

/// SHA-256 over [`OUR_SOURCES`].
fn our_digest() -> Result<String, String> {
    let mut paths = Vec::new();
    for folder in OUR_SOURCES {
        collect(&repository_root().join(folder), &mut paths)?;
    }
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        digest.update(std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All files below `folder`.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Outcome {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
        if path.is_dir() { collect(&path, paths)? } else { paths.push(path) }
    }
    Ok(())
}
