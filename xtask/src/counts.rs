//! `cargo xtask counts [BUNDLE]`: instructions that the aarch64 binary executes for one inference, on a processor without
//! and on one with dot products. Deterministic, so a change of a thousandth shows on any machine.
//!
//! `clawdbot detect --repeat` runs N and N + 1 times under qemu with `xtask/qemu/insncount.c`; the difference is one
//! inference with its pre- and post-processing. Prints and writes `benches/record/<machine>/<date>-<commit>-counts.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{self, repository_root};
use crate::{cross, record};

#[cfg(test)]
mod tests;

/// Cores to count as, and the kernels that they choose.
const CORES: &[(&str, &str)] = &[("cortex-a72", "neon"), ("cortex-a76", "neon_dotprod")];
/// Repetitions of the shorter run: at least one, so that what happens only once is in both runs.
const REPEATS: u32 = 2;
/// Functions to name.
const TOP: usize = 15;

/// Counts, prints, records.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let model = match arguments {
        [] => None,
        [bundle] => Some(bundle.as_str()),
        _ => return Err("usage: cargo xtask counts [BUNDLE] (the bundled default without one)".to_owned()),
    };
    let binary = cross::build_foreign()?;
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let plugin = build_plugin(folder.path())?;
    let picture = picture()?;
    let mut results = Vec::new();
    for &(core, isa) in CORES {
        let once = |repeats| {
            let report = folder.path().join(format!("{core}-{repeats}.txt"));
            count(core, &plugin, &report, detect(&binary, model, &picture, repeats))
        };
        let counts = once(REPEATS + 1)?.minus(&once(REPEATS)?);
        println!("{core} ({isa}): {:.2} M instructions an inference", counts.total as f64 / 1e6);
        for (name, instructions) in counts.most(TOP) {
            println!("  {:>8.2} M  {name}", instructions as f64 / 1e6);
        }
        results.push(json!({ "core": core, "isa": isa, "counts": counts.json() }));
    }
    let command = format!("cargo xtask counts {}", model.unwrap_or_default());
    record::write("counts", &json!({ "command": command.trim_end(), "results": results }))
}

/// Compiles the plugin into `folder`.
pub(crate) fn build_plugin(folder: &Path) -> Result<PathBuf, String> {
    let plugin = folder.join("insncount.so");
    let mut command = process::command("cc", &["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
    process::run(command.arg(&plugin).arg("xtask/qemu/insncount.c"))?;
    Ok(plugin)
}

/// The first of the repository's pictures.
fn picture() -> Result<PathBuf, String> {
    let folder = repository_root().join("assets/pictures");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let pictures = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    pictures.min().ok_or_else(|| format!("{} is empty; run `cargo xtask bundle-default`", folder.display()))
}

/// The program and its arguments.
fn detect(binary: &Path, model: Option<&str>, picture: &Path, repeats: u32) -> Vec<String> {
    let mut words = vec![binary.display().to_string(), "detect".to_owned(), picture.display().to_string()];
    words.extend(["--threads".to_owned(), "1".to_owned(), "--repeat".to_owned(), repeats.to_string()]);
    if let Some(model) = model {
        words.extend(["--model".to_owned(), model.to_owned()]);
    }
    words
}

/// Runs `program`, a path and its arguments, as the Arm core `core`; `report` is where the plugin writes.
pub(crate) fn count(core: &str, plugin: &Path, report: &Path, program: Vec<String>) -> Result<Counts, String> {
    count_under(
        process::command("qemu-aarch64", &["-L", "/usr/aarch64-linux-gnu", "-cpu", core]),
        plugin,
        report,
        program,
    )
}

/// The same under `qemu`, which has been told what it is.
pub(crate) fn count_under(qemu: Command, plugin: &Path, report: &Path, program: Vec<String>) -> Result<Counts, String> {
    let plugin = format!("{},top=100000", plugin.display());
    let mut command = qemu;
    command.args(["-plugin", &plugin, "-d", "plugin", "-D"]).arg(report).args(program).env_remove("CLAWDBOT_ISA");
    process::output(&mut command)?;
    let text = std::fs::read_to_string(report).map_err(|error| format!("{}: {error}", report.display()))?;
    Counts::parse(&text).ok_or_else(|| {
        let shown = process::shown(&command);
        format!("`{shown}` counted nothing; it must be Debian's dynamic qemu-user (the static one loads no plugin)")
    })
}

/// Instructions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    total: u64,
    kinds: BTreeMap<String, u64>,
    functions: BTreeMap<String, u64>,
}

impl Counts {
    /// The plugin's lines.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut counts = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            match (words.next()?, words.next(), words.next()) {
                ("total", Some(number), None) => counts.total = number.parse().ok()?,
                ("kind", Some(name), Some(number)) => {
                    counts.kinds.insert(name.to_owned(), number.parse().ok()?);
                }
                ("function", Some(number), Some(name)) => {
                    *counts.functions.entry(readable(name)).or_default() += number.parse::<u64>().ok()?;
                }
                _ => {}
            }
        }
        (counts.total > 0).then_some(counts)
    }

    /// All of them.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Those in functions whose name begins with `path`.
    pub(crate) fn of(&self, path: &str) -> u64 {
        self.functions.iter().filter(|(name, _)| name.starts_with(path)).map(|(_, count)| count).sum()
    }

    /// What a longer run has more than a shorter one.
    fn minus(&self, less: &Self) -> Self {
        let difference = |more: &BTreeMap<String, u64>, less: &BTreeMap<String, u64>| {
            let rest = |name: &String, count: &u64| count.saturating_sub(less.get(name).copied().unwrap_or_default());
            more.iter().map(|(name, count)| (name.clone(), rest(name, count))).filter(|(_, count)| *count > 0).collect()
        };
        Self {
            total: self.total.saturating_sub(less.total),
            kinds: difference(&self.kinds, &less.kinds),
            functions: difference(&self.functions, &less.functions),
        }
    }

    /// The functions with the most.
    fn most(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut functions: Vec<(&str, u64)> =
            self.functions.iter().map(|(name, &count)| (name.as_str(), count)).collect();
        functions.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        functions.truncate(limit);
        functions
    }

    fn json(&self) -> Value {
        let functions: Vec<Value> =
            self.most(TOP).into_iter().map(|(name, count)| json!({ "name": name, "instructions": count })).collect();
        json!({ "total": self.total, "kinds": self.kinds, "functions": functions })
    }
}

/// The path in a mangled name: `_ZN4gemm4neon3run17h0123456789abcdefE` is `gemm::neon::run`. Others stay as they are.
fn readable(mangled: &str) -> String {
    let Some(mut rest) = mangled.strip_prefix("_ZN") else { return mangled.to_owned() };
    let mut words = Vec::new();
    while let Some(digits) = rest.find(|character: char| !character.is_ascii_digit()).filter(|&digits| digits > 0) {
        let Ok(length) = rest[..digits].parse::<usize>() else { break };
        let Some(word) = rest.get(digits..digits + length) else { return mangled.to_owned() };
        words.push(word);
        rest = &rest[digits + length..];
    }
    // The hash stays out: it changes with every build.
    let is_hash = |word: &&str| word.len() == 17 && word.starts_with('h');
    words.retain(|word| !is_hash(word));
    words.join("::")
}
