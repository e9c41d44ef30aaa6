use std::path::PathBuf;

use clawdbot_nn::bundle::language::LanguageBundle;

use super::{report, run, text};

/// The folder `tiny/NAME` of the shared data as a bundle; `None` (said aloud) where it is missing.
#[cfg(feature = "convert")]
fn bundle(name: &str, folder: &std::path::Path) -> Option<PathBuf> {
    use clawdbot_convert::draft::Provenance;
    use std::sync::Arc;

    use clawdbot_convert::language::{LanguageDraft, LanguageRequest, LanguageTarget};
    use clawdbot_convert::network::Compute;
    use clawdbot_kernels::isa::Isa;
    use clawdbot_nn::workers::Workers;

    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tiny").join(name);
    if !source.exists() {
        assert!(std::env::var("CLAWDBOT_REQUIRE_DATA").as_deref() != Ok("1"), "{} is missing", source.display());
        let notice = format!("SKIPPED: {} is missing\n", source.display());
        std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
        return None;
    }
    let output = folder.join("tiny.claw.safetensors");
    let provenance = Provenance { file_name: name.to_owned(), ..Provenance::default() };
    let draft = LanguageDraft::open(&source, &provenance).unwrap();
    let compute = Compute { isa: Isa::detect(), workers: Arc::new(Workers::new()) };
    let request =
        LanguageRequest { target: LanguageTarget::Int4, calibration: None, probe: false, resume: false, compute };
    draft.convert(&output, &request, &mut |_| ()).unwrap();
    Some(output)
}

#[cfg(feature = "convert")]
#[test]
fn a_language_model_is_told_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = bundle("smollm3-nope", folder.path()) else { return };
    let bundle = LanguageBundle::open(&path).unwrap();
    let text = text(&bundle);
    let parts = [
        "smollm3-nope (llm)",
        "layers    4, width 64, feed-forward 160",
        "heads     4 of 16, 2 for keys and values",
        "tokens    320, the head is the embedding",
        "context   512, theta 5000000, not scaled",
        "positions not told in 1 layers",
        "int4      16 matrices",
        "int8      1 matrices",
        "tokenizer none: token ids only",
        "chat      no template",
    ];
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let report = report(&bundle);
    assert_eq!(report["kind"], "llm");
    assert_eq!(report["architecture"]["layers"][3]["rope"], "skip");
    assert_eq!(report["totals"]["int4"]["matrices"], 16);
    assert_eq!(report["matrices"][0]["name"], "embedding");
    assert!(run(&path, true, true).is_ok());
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(run(&path, false, false).is_ok(), "showing reads no weights");
    let crate::cli::Failure::Failed(message) = run(&path, false, true).unwrap_err() else { panic!() };
    assert!(message.contains("tensor `layers.3.feed_forward.down` is damaged"), "{message}");
}
