//! `clawdbot convert` of a language model.

use clawdbot_convert::language::{LanguageDraft, LanguageError, LanguageReport, LanguageTarget};
use clawdbot_nn::metadata::Origin;
use serde_json::json;

use super::progress::LanguageBar;
use super::{Arguments, Failure, Precision, print, provenance};

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let target = match arguments.precision {
        Some(Precision::F16) => LanguageTarget::F16,
        Some(Precision::Int8) => LanguageTarget::Int8,
        Some(Precision::Int4) | None => LanguageTarget::Int4,
        Some(Precision::Mixed) => return Err(usage(arguments, "--precision mixed is for networks over pictures")),
    };
    if arguments.calibrate.is_some() {
        return Err(usage(arguments, "--calibrate gives pictures, but a language model takes none"));
    }
    let failed = |error: LanguageError| Failure::Failed(format!("{}: {error}", arguments.input.display()));
    let draft = LanguageDraft::open(&arguments.input, &provenance(arguments)).map_err(failed)?;
    let mut bar = LanguageBar::new();
    let report = draft.convert(&arguments.output, target, &mut |progress| bar.show(progress));
    bar.finish();
    tell(arguments, &draft, &report.map_err(failed)?)
}

fn usage(arguments: &Arguments, message: &str) -> Failure {
    Failure::Usage(format!("{}: {message}; a language model becomes f16, int8 or int4", arguments.input.display()))
}

fn tell(arguments: &Arguments, draft: &LanguageDraft, report: &LanguageReport) -> Result<(), Failure> {
    let origin = Origin { source_sha256: report.source_sha256.clone(), ..draft.origin().clone() };
    let whole = json!({ "output": arguments.output, "origin": origin, "report": report });
    if let Some(path) = &arguments.report {
        std::fs::write(path, format!("{whole:#}\n"))
            .map_err(|error| Failure::Failed(format!("{}: the report can't be written: {error}", path.display())))?;
    }
    if arguments.json {
        return print(&whole.to_string());
    }
    let (millions, mebibytes) = (report.parameters.div_ceil(1_000_000), report.file_bytes.div_ceil(1 << 20));
    print(&format!("{} ({}), {millions} M weights, {}", report.source, report.format, report.precision))?;
    for decision in &report.decisions {
        print(&format!("- {decision}"))?;
    }
    let (licence, output) = (origin.licence, arguments.output.display());
    print(&format!("licence {licence}; wrote {output}, {mebibytes} MiB"))
}
