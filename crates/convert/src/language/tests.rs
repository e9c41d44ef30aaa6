mod families;
mod folders;
mod forward;
mod gguf;
mod precisions;
mod resume;
mod tokenizers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clawdbot_kernels::isa::Isa;
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::workers::Workers;

use super::{LanguageDraft, LanguageError, LanguageRequest, LanguageTarget};
use crate::draft::Provenance;
use crate::network::Compute;

/// Where a folder or file of `shared/data` lies; `None` (said aloud) where it is missing.
fn path(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CLAWDBOT_REQUIRE_DATA").as_deref() != Ok("1"), "{} is missing", path.display());
    let notice = format!("SKIPPED: {} is missing\n", path.display());
    std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
    None
}

fn open(path: &Path) -> Result<LanguageDraft, LanguageError> {
    let file_name = path.file_name().unwrap().to_string_lossy().into_owned();
    LanguageDraft::open(path, &Provenance { file_name, ..Provenance::default() })
}

/// A conversion into `target` by this thread alone.
fn request(target: LanguageTarget) -> LanguageRequest<'static> {
    let compute = Compute { isa: Isa::detect(), workers: Arc::new(Workers::new()) };
    LanguageRequest { target, calibration: None, probe: false, resume: false, compute }
}

/// The model at `path` as a bundle, all of whose weights were verified.
fn converted(path: &Path, target: LanguageTarget) -> LanguageBundle {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("model.claw.safetensors");
    let mut last = None;
    let report = open(path).unwrap().convert(&output, &request(target), &mut |progress| last = Some(progress)).unwrap();
    assert!(matches!(last, Some(super::LanguageProgress::Packed(done, total)) if done <= total));
    let bundle = LanguageBundle::open(&output).unwrap();
    bundle.verify().unwrap();
    assert_eq!(report.file_bytes, bundle.file_bytes() as u64);
    assert_eq!(bundle.origin().source_sha256.len(), 64);
    bundle
}
