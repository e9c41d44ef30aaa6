//! `clawdbot convert` of a language model.

use std::path::Path;

use clawdbot_convert::language::{LanguageDraft, LanguageError, LanguageReport, LanguageRequest, LanguageTarget};
use clawdbot_convert::network::Compute;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::metadata::Origin;
use serde_json::json;

use super::progress::LanguageBar;
use super::{Arguments, Failure, Precision, print, provenance};
use crate::app::compute::with_workers;

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let target = match arguments.precision {
        Some(Precision::F16) => LanguageTarget::F16,
        Some(Precision::Int8) => LanguageTarget::Int8,
        Some(Precision::Int4) | None => LanguageTarget::Int4,
        Some(Precision::Mixed) => LanguageTarget::Mixed,
    };
    let text = arguments.calibrate.as_deref().map(|path| text(arguments, path)).transpose()?;
    let failed = |error: LanguageError| Failure::Failed(format!("{}: {error}", arguments.input.display()));
    let draft = LanguageDraft::open(&arguments.input, &provenance(arguments)).map_err(failed)?;
    let mut bar = LanguageBar::new();
    let report = with_workers(usize::from(arguments.threads), |workers| {
        let compute = Compute { isa: Isa::detect(), workers };
        let probe = arguments.report.is_some();
        // A report is of all matrices, so all are packed.
        let resume = !probe && !arguments.json;
        let request = LanguageRequest { target, calibration: text.as_deref(), probe, resume, compute };
        draft.convert(&arguments.output, &request, &mut |progress| bar.show(progress))
    });
    bar.finish();
    tell(arguments, &draft, &report.map_err(failed)?)
}

/// The calibration text.
fn text(arguments: &Arguments, path: &Path) -> Result<String, Failure> {
    if path.is_dir() {
        let what = "--calibrate gives a folder, but a language model is run on a text; name a UTF-8 file";
        return Err(Failure::Usage(format!("{}: {what}", arguments.input.display())));
    }
    std::fs::read_to_string(path).map_err(|error| {
        Failure::Failed(format!("{} can't be read as text: {error}; name a UTF-8 file", path.display()))
    })
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
