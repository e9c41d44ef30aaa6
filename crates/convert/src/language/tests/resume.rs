//! A conversion that was interrupted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{LanguageRequest, LanguageTarget, open, path, request};
use crate::language::LanguageProgress;

#[test]
fn an_interrupted_conversion_is_gone_on_with() {
    let Some(source) = path("llm/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (output, whole) = (folder.path().join("model.claw.safetensors"), folder.path().join("whole"));
    let draft = open(&source).unwrap();
    let request = LanguageRequest { resume: true, ..request(LanguageTarget::Int8) };
    draft.convert(&whole, &request, &mut |_| {}).unwrap();

    // The process ends somewhere: what is on the disk by then is all that is left.
    let interrupt = |at: f64| {
        catch_unwind(AssertUnwindSafe(|| {
            draft.convert(&output, &request, &mut |progress| {
                if let LanguageProgress::Packed(done, total) = progress {
                    assert!(done as f64 <= at * total as f64, "interrupted on purpose");
                }
            })
        }))
        .is_err()
    };
    assert!(interrupt(0.8));
    assert!(!output.exists());
    let mut first = None;
    let report = draft
        .convert(&output, &request, &mut |progress| {
            if let LanguageProgress::Packed(done, _) = progress {
                first.get_or_insert(done);
            }
        })
        .unwrap();
    let (first, parameters) = (first.expect("something was left to do"), report.parameters);
    assert!(first > parameters / 3, "{first} of {parameters} weights were done at once, so nothing was found");
    assert!(report.decisions.iter().any(|line| line.contains("had been packed by a run that was interrupted")));
    assert!(std::fs::read(&output).unwrap() == std::fs::read(&whole).unwrap(), "the bundles differ");
}
