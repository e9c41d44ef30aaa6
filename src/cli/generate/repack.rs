//! A GGUF file as it is: repacked into a bundle that lies in memory and goes with the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clawdbot_convert::draft::Provenance;
use clawdbot_convert::language::{LanguageDraft, LanguageProgress, LanguageRequest, LanguageTarget};
use clawdbot_convert::network::Compute;
use clawdbot_kernels::isa::Isa;
use clawdbot_llm::model::Model;
use clawdbot_nn::gguf::{BlockType, Gguf, MAGIC};

use crate::app::compute::with_workers;
use crate::cli::{Failure, report};
use crate::pipeline::language;

/// Where files lie in memory on Linux.
const MEMORY: &str = "/dev/shm";

/// Whether `path` is a GGUF file.
pub(super) fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic)).is_ok()
        && magic == MAGIC
}

/// The model in the GGUF file `path`, repacked on so many threads; says so on standard error.
///
/// # Errors
/// When the file is no good, or the bundle has no room.
pub(super) fn open(path: &Path, threads: usize) -> Result<Arc<Model>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", path.display()));
    let target = target(&Gguf::open(path).map_err(|error| failed(&error))?);
    let file_name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let draft = LanguageDraft::open(path, &Provenance { file_name, name: None, licence: None });
    let draft = draft.map_err(|error| failed(&error))?;
    let place = Place::new()?;
    report(&format!(
        "{} is repacked into {} in memory; `clawdbot convert` does that once and for all",
        path.display(),
        target.name()
    ));
    let (bundle, mut shown) = (place.0.join("bundle"), 0);
    let mut progress = |progress| {
        if let LanguageProgress::Packed(done, total) = progress {
            let tenths = (10 * done).checked_div(total).unwrap_or(10);
            if tenths > shown {
                shown = tenths;
                report(&format!("{tenths}0 % repacked"));
            }
        }
    };
    let repacked = with_workers(threads, |workers| {
        let compute = Compute { isa: Isa::detect(), workers };
        let request = LanguageRequest { target, calibration: None, probe: false, resume: false, compute };
        draft.convert(&bundle, &request, &mut progress)
    });
    repacked.map_err(|error| failed(&error))?;
    // The mapping outlives the file's name, and the name goes with `place`.
    language::open_model(&bundle).map_err(|error| failed(&error))
}

/// The form that loses least of what the file holds, by the type of most of its weights.
fn target(gguf: &Gguf) -> LanguageTarget {
    let (mut floats, mut bytes, mut nibbles) = (0, 0, 0);
    for (_, tensor) in gguf.tensors().filter(|(_, tensor)| tensor.rows > 1) {
        let elements = tensor.rows * tensor.columns;
        match tensor.block_type {
            BlockType::F32 | BlockType::F16 | BlockType::BF16 => floats += elements,
            BlockType::Q4_0 | BlockType::Q4_1 | BlockType::Q4_K => nibbles += elements,
            _ => bytes += elements,
        }
    }
    if floats > bytes + nibbles {
        LanguageTarget::F16
    } else if bytes > nibbles {
        LanguageTarget::Int8
    } else {
        LanguageTarget::Int4
    }
}

/// A folder that goes when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self, Failure> {
        let parent = if Path::new(MEMORY).is_dir() { PathBuf::from(MEMORY) } else { std::env::temp_dir() };
        let path = parent.join(format!("clawdbot-repacked-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| {
            Failure::Failed(format!("{}: {error}; convert the file with `clawdbot convert` instead", path.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{} is left over: {error}; remove it", self.0.display());
        }
    }
}
