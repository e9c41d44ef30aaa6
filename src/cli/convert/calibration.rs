//! A folder of pictures as inputs of a network.

use std::path::{Path, PathBuf};

use clawdbot_convert::network::Sample;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::metadata::PictureInput;
use clawdbot_vision::preprocess::{Picture, Preprocessor};

use crate::cli::Failure;
use crate::sources::picture;

/// Pictures of a folder, in order of their names; those that are none were left out and told.
pub(super) struct Folder {
    paths: Vec<PathBuf>,
    preprocessor: Preprocessor,
    failure: Option<Failure>,
}

impl Folder {
    /// Finds the pictures (jpg, jpeg, png, bmp) of a folder, not of the folders in it.
    pub(super) fn open(path: &Path, input: &PictureInput) -> Result<Self, Failure> {
        let unreadable = |error: &std::io::Error| Failure::Failed(format!("--calibrate {}: {error}", path.display()));
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|error| unreadable(&error))? {
            let path = entry.map_err(|error| unreadable(&error))?.path();
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
            if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png" | "bmp")) {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            let message = "there is no picture in it (jpg, jpeg, png, bmp): give a folder of some tens of pictures";
            return Err(Failure::Failed(format!("--calibrate {}: {message}", path.display())));
        }
        // The order in which a folder is listed differs from disk to disk; sums of floats would follow it.
        paths.sort();
        let preprocessor = Preprocessor::new(input, Isa::detect()).map_err(|error| Failure::from_error(&error))?;
        Ok(Self { paths, preprocessor, failure: None })
    }

    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }

    /// Picture number `index` as the network takes it; `None` behind the last, or when it cannot be read (see
    /// [`Folder::into_failure`]).
    pub(super) fn sample(&mut self, index: usize) -> Option<Sample> {
        let path = self.paths.get(index)?.clone();
        match self.load(&path) {
            Ok(sample) => Some(sample),
            Err(message) => {
                let advice = "take it out of the folder, or repair it";
                self.failure = Some(Failure::Failed(format!("--calibrate: {message}; {advice}")));
                None
            }
        }
    }

    fn load(&mut self, path: &Path) -> Result<Sample, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let decoded = picture::decode(&bytes, &path.display().to_string()).map_err(|error| error.to_string())?;
        let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
        let picture = Picture::rgb(side(decoded.width), side(decoded.height), &decoded.rgb)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut input = vec![0; self.preprocessor.input_bytes()];
        self.preprocessor.run(&picture, &mut input).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Sample::Picture(input))
    }

    /// Why [`Folder::sample`] ended early, if it did.
    pub(super) fn into_failure(self) -> Option<Failure> {
        self.failure
    }
}
