//! `clawdbot inspect` of a language model.

use std::path::Path;

use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::metadata::language::{Architecture, Layer, LayerRope, Precision, RopeScaling};
use serde_json::{Value, json};

use crate::cli::{Failure, print};

/// Opens and shows the bundle at `path`; reads all of its weights too where `verify` says so.
pub(super) fn run(path: &Path, json: bool, verify: bool) -> Result<(), Failure> {
    let bundle = LanguageBundle::open(path).map_err(|error| Failure::from_error(&error))?;
    if verify {
        bundle.verify().map_err(|fault| Failure::Failed(format!("{}: {fault}", path.display())))?;
    }
    if json { print(&report(&bundle).to_string()) } else { print(&text(&bundle)) }
}

/// Number and bytes of the matrices that are packed in `precision`.
fn totals(bundle: &LanguageBundle, precision: Precision) -> (usize, u64) {
    let matrices = bundle.names().filter_map(|name| bundle.matrix(name));
    matrices
        .filter(|matrix| matrix.precision == precision)
        .fold((0, 0), |(count, bytes), matrix| (count + 1, bytes + matrix.bytes.len() as u64))
}

fn report(bundle: &LanguageBundle) -> Value {
    let language = bundle.language();
    let total = |precision| {
        let (matrices, bytes) = totals(bundle, precision);
        json!({ "matrices": matrices, "bytes": bytes })
    };
    let matrix = |name: &str| {
        let matrix = bundle.matrix(name)?;
        let (precision, bytes) = (matrix.precision.name(), matrix.bytes.len());
        Some(
            json!({"name": name, "rows": matrix.rows, "columns": matrix.columns, "precision": precision, "bytes": bytes}),
        )
    };
    json!({
        "kind": "llm",
        "name": language.name,
        "file_bytes": bundle.file_bytes(),
        "bytes_per_token": bundle.bytes_per_token(),
        "parameters": language.architecture.parameters(),
        "origin": bundle.origin(),
        "architecture": language.architecture,
        "tokens": language.tokens,
        "chat_template": language.chat_template,
        "tokenizer_bytes": bundle.tokenizer().map_or(0, str::len),
        "totals": { "f16": total(Precision::F16), "int8": total(Precision::Int8), "int4": total(Precision::Int4) },
        "matrices": bundle.names().filter_map(matrix).collect::<Vec<_>>(),
    })
}

fn text(bundle: &LanguageBundle) -> String {
    let (language, origin) = (bundle.language(), bundle.origin());
    let architecture = &language.architecture;
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let millions = architecture.parameters().div_ceil(1_000_000);
    let mut lines = vec![
        format!("{} (llm), {} MiB, {millions} M weights", origin.name, mebibytes(bundle.file_bytes() as u64)),
        format!("from      {} (SHA-256 {})", origin.source_file, origin.source_sha256),
        format!("licence   {}", origin.licence),
        format!("converter {}", origin.converter),
    ];
    if !language.name.is_empty() {
        lines.insert(1, format!("called    {}", language.name));
    }
    lines.extend(architecture_lines(architecture));
    for precision in [Precision::Int4, Precision::Int8, Precision::F16] {
        let (count, bytes) = totals(bundle, precision);
        if count > 0 {
            lines.push(format!("{:<9} {count} matrices, {} MiB", precision.name(), mebibytes(bytes)));
        }
    }
    lines.push(format!("a token   reads {} MiB", mebibytes(bundle.bytes_per_token())));
    let tokenizer = bundle.tokenizer().map(|text| format!("{} KiB", text.len().div_ceil(1024)));
    lines.push(format!("tokenizer {}", tokenizer.unwrap_or_else(|| String::from("none: token ids only"))));
    lines.push(format!("tokens    begin {}, stop {:?}", begin(bundle), language.tokens.stops));
    let template = language.chat_template.as_ref().map(|template| format!("{} bytes", template.len()));
    lines.push(format!("chat      {}", template.unwrap_or_else(|| String::from("no template"))));
    lines.join("\n")
}

fn begin(bundle: &LanguageBundle) -> String {
    let tokens = &bundle.language().tokens;
    match tokens.begin {
        Some(id) if tokens.add_begin => format!("{id}"),
        Some(id) => format!("{id} (in templates only)"),
        None => String::from("none"),
    }
}

fn architecture_lines(architecture: &Architecture) -> Vec<String> {
    let Architecture { width, heads, kv_heads, head_dim, feed_forward, vocabulary, context, layers, .. } = architecture;
    let tied = if architecture.tied_embedding { "the head is the embedding" } else { "a head of its own" };
    let scaling = match architecture.rope.scaling {
        RopeScaling::None => "not scaled",
        RopeScaling::Linear { .. } => "scaled linearly",
        RopeScaling::Llama3 { .. } => "scaled as Llama 3",
        RopeScaling::Yarn { .. } => "scaled by YaRN",
        RopeScaling::LongRope { .. } => "scaled by LongRoPE",
        RopeScaling::Factors { .. } => "scaled by factors",
    };
    let count = |wanted: &dyn Fn(&Layer) -> bool| layers.iter().filter(|layer| wanted(layer)).count();
    let mut lines = vec![
        format!("layers    {}, width {width}, feed-forward {feed_forward}", layers.len()),
        format!("heads     {heads} of {head_dim}, {kv_heads} for keys and values"),
        format!("tokens    {vocabulary}, {tied}"),
        format!("context   {context}, theta {}, {scaling}", architecture.rope.theta),
    ];
    let (windows, skips) = (count(&|layer| layer.window.is_some()), count(&|layer| layer.rope == LayerRope::Skip));
    if windows > 0 {
        lines.push(format!("windows   in {windows} layers"));
    }
    if skips > 0 {
        lines.push(format!("positions not told in {skips} layers"));
    }
    lines
}

#[cfg(test)]
mod tests;
