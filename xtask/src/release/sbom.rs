//! The bill of materials of a binary, in CycloneDX 1.6: every crate that it links with the sum that Cargo.lock pins and the
//! crates that it needs, Rust's standard library, and what is bundled. The same commit and binary give the same bytes.

mod bundled;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::work::{Build, Work};
use super::{binaries, sums, write};
use crate::deb::release::date;
use crate::linked::{self, Linked};
use crate::process;
use crate::yocto::crates;

/// Rust's standard library, which no manifest names.
const STANDARD_LIBRARY: &str = "rust-std";

/// What a bill is made of, gathered.
struct Materials {
    /// Whose bill it is: the binary's sum and the target.
    sha256: String,
    triple: &'static str,
    /// As CycloneDX has it: `2026-11-29T20:30:00Z`.
    time: String,
    /// The first is the daemon itself.
    crates: Vec<Linked>,
    /// Sums of the registry's crates by name and version.
    sums: BTreeMap<(String, String), String>,
    rust: String,
    bundled: Vec<Value>,
}

pub(super) fn make(work: &Work) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for build in &work.builds {
        let bill = bill(&gather(build, work)?)?;
        let path = work.named(&format!("{}.cdx.json", build.architecture.name()));
        write(&path, format!("{bill:#}\n"))?;
        files.push(path);
    }
    Ok(files)
}

fn gather(build: &Build, work: &Work) -> Result<Materials, String> {
    let stripped = work.scratch.path().join("sbom");
    binaries::stripped(build, &stripped)?;
    let triple = build.architecture.triple();
    let sums = crates::of_repository()?.into_iter().map(|found| ((found.name, found.version), found.sha256)).collect();
    let said = process::output(&mut process::command("rustc", &["--version"]))?;
    let rust = said.split(' ').nth(1).ok_or_else(|| format!("`rustc --version` says {said:?}"))?.to_owned();
    Ok(Materials {
        sha256: sums::sum(&stripped)?,
        triple,
        time: date(&format!("@{}", work.release.epoch), "+%Y-%m-%dT%H:%M:%SZ")?,
        crates: linked::of(triple)?,
        sums,
        rust,
        bundled: bundled::components()?,
    })
}

fn bill(materials: &Materials) -> Result<Value, String> {
    let (root, others) = materials.crates.split_first().ok_or("the binary has no crate")?;
    let mut components = Vec::new();
    for found in others {
        components.push(component(found, &materials.sums)?);
    }
    components.push(json!({
        "type": "library", "bom-ref": STANDARD_LIBRARY, "name": STANDARD_LIBRARY, "version": materials.rust,
        "licenses": licences("MIT OR Apache-2.0"),
    }));
    components.extend(materials.bundled.iter().cloned());
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(&materials.sha256),
        "version": 1,
        "metadata": {
            "timestamp": materials.time,
            "lifecycles": [{ "phase": "build" }],
            "tools": { "components": [{
                "type": "application", "name": "clawdbot's xtask", "version": env!("CARGO_PKG_VERSION"),
            }]},
            "component": {
                "type": "application", "bom-ref": reference(root), "name": root.name, "version": root.version,
                "licenses": licences(&root.licence), "hashes": hashes(&materials.sha256),
                "properties": [{ "name": "clawdbot:target", "value": materials.triple }],
            },
        },
        "components": components,
        "dependencies": dependencies(materials),
    }))
}

fn component(found: &Linked, sums: &BTreeMap<(String, String), String>) -> Result<Value, String> {
    let Linked { name, version, .. } = found;
    let mut component = json!({
        "type": "library", "bom-ref": reference(found), "name": name, "version": version, "scope": "required",
    });
    if found.licence.is_empty() {
        return Err(format!("{name} {version} names no licence in its manifest: read its files and decide"));
    }
    component["licenses"] = licences(&found.licence);
    // Ours have no address: what the registry calls by the same name, as it does one of them, is something else.
    if !found.is_ours {
        let sum = sums.get(&(name.clone(), version.clone()));
        let sum = sum.ok_or_else(|| format!("Cargo.lock has no sum for {name} {version}"))?;
        component["hashes"] = hashes(sum);
        component["purl"] = reference(found).into();
    }
    Ok(component)
}

/// Who needs whom, by references; the daemon needs the standard library and what is bundled besides.
fn dependencies(materials: &Materials) -> Vec<Value> {
    let references: Vec<String> = materials.crates.iter().map(reference).collect();
    let mut dependencies = Vec::new();
    for (place, found) in materials.crates.iter().enumerate() {
        let mut needs: Vec<&str> = found.needs.iter().map(|&need| references[need].as_str()).collect();
        if place == 0 {
            needs.push(STANDARD_LIBRARY);
            needs.extend(materials.bundled.iter().filter_map(|bundled| bundled["bom-ref"].as_str()));
        }
        needs.sort_unstable();
        dependencies.push(json!({ "ref": references[place], "dependsOn": needs }));
    }
    dependencies
}

/// A crate's name within the bill: of the registry's, its package URL.
fn reference(found: &Linked) -> String {
    let Linked { name, version, .. } = found;
    // A plus is a space in a URL, unless it is written so.
    let version = version.replace('+', "%2B");
    if found.is_ours { format!("{name}@{version}") } else { format!("pkg:cargo/{name}@{version}") }
}

/// An SPDX expression; a slash is the older form of `OR`.
fn licences(expression: &str) -> Value {
    let words: Vec<&str> = expression.split('/').map(str::trim).collect();
    json!([{ "expression": words.join(" OR ") }])
}

fn hashes(sha256: &str) -> Value {
    json!([{ "alg": "SHA-256", "content": sha256 }])
}

/// A UUID made of the binary's sum (RFC 9562, version 8), where others take a random one.
fn serial_number(sha256: &str) -> String {
    let part = |range: std::ops::Range<usize>| sha256.get(range).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0..8), part(8..12), part(12..15), part(15..18), part(18..30))
}

#[cfg(test)]
mod tests;
