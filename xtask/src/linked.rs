//! The crates that the daemon's binary links for a target, and who needs whom: what `cargo tree` says, without what only
//! builds, tests or runs in the compiler. The package's copyright file and the bill of materials both tell of these.

use std::collections::BTreeMap;

use crate::process;

/// One crate of the binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The SPDX expression of its manifest; empty where it has none.
    pub(crate) licence: String,
    /// Whether it lies in this repository.
    pub(crate) is_ours: bool,
    /// Places in the list of those that it needs itself.
    pub(crate) needs: Vec<usize>,
}

/// Every crate of the binary for `triple`; the first is the daemon itself.
///
/// # Errors
/// When cargo fails, or names nothing but the daemon.
pub(crate) fn of(triple: &str) -> Result<Vec<Linked>, String> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        "clawdbot",
        "--edges",
        "normal,no-proc-macro",
        "--target",
        triple,
        "--prefix",
        "depth",
        "--format",
        "{p}|{l}",
    ];
    let crates = parse(&process::output(&mut process::cargo(&arguments))?)?;
    if crates.iter().all(|found| found.is_ours) {
        return Err(format!("cargo names no crate of others that the binary links for {triple}"));
    }
    Ok(crates)
}

/// What `cargo tree --prefix depth --format '{p}|{l}'` prints: `2serde v1.0.228|MIT OR Apache-2.0 (*)`. Below the first line
/// of a crate stand those that it needs; a line with `(*)` is one that stood further above.
fn parse(tree: &str) -> Result<Vec<Linked>, String> {
    let mut crates: Vec<Linked> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    // The crates above the line, from the root on.
    let mut above: Vec<usize> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (depth, found) = entry(line).ok_or_else(|| format!("`cargo tree` printed {line:?}, which is no crate"))?;
        let place = *places.entry((found.name.clone(), found.version.clone())).or_insert(crates.len());
        if place == crates.len() {
            crates.push(found);
        }
        if depth > above.len() {
            return Err(format!("`cargo tree` printed {line:?} below nothing"));
        }
        above.truncate(depth);
        if let Some(&parent) = above.last()
            && !crates[parent].needs.contains(&place)
        {
            crates[parent].needs.push(place);
        }
        above.push(place);
    }
    Ok(crates)
}

/// A line's depth and crate.
fn entry(line: &str) -> Option<(usize, Linked)> {
    let end = line.find(|letter: char| !letter.is_ascii_digit())?;
    let depth = line[..end].parse().ok()?;
    let (package, licence) = line[end..].split_once('|')?;
    let mut words = package.split(' ');
    let found = Linked {
        name: words.next()?.to_owned(),
        version: words.next()?.strip_prefix('v')?.to_owned(),
        licence: licence.trim_end_matches(" (*)").to_owned(),
        // Behind the version cargo says where a crate lies that comes from no registry.
        is_ours: package.contains(" (/"),
        needs: Vec::new(),
    };
    Some((depth, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0clawdbot v0.1.0 (/work/x)|MIT OR Apache-2.0
1clap v4.6.9|MIT OR Apache-2.0
2strsim v0.11.1|MIT
1clawdbot-llm v0.1.0 (/work/x/crates/llm)|MIT OR Apache-2.0
2clap v4.6.9|MIT OR Apache-2.0 (*)
2nameless v1.0.0|
1strsim v0.11.1|MIT
";

    #[test]
    fn a_tree_is_read_as_a_graph() {
        let crates = parse(TREE).unwrap();
        let names: Vec<&str> = crates.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["clawdbot", "clap", "strsim", "clawdbot-llm", "nameless"]);
        assert_eq!(crates[0].needs, [1, 3, 2]);
        assert_eq!((&crates[1].needs[..], &crates[3].needs[..]), (&[2][..], &[1, 4][..]));
        assert!(crates[3].is_ours && !crates[1].is_ours);
        assert_eq!((crates[1].licence.as_str(), crates[4].licence.as_str()), ("MIT OR Apache-2.0", ""));
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert!(parse("serde v1.0.0|MIT\n").is_err(), "no depth");
        assert!(parse("0serde|MIT\n").is_err(), "no version");
        assert!(parse("1serde v1.0.0|MIT\n").is_err_and(|error| error.contains("below nothing")));
    }

    #[test]
    fn what_is_linked_has_no_crate_of_tests_and_no_macro() {
        let crates = of("x86_64-unknown-linux-gnu").unwrap();
        let has = |name: &str| crates.iter().any(|found| found.name == name);
        assert!(has("serde_json") && has("clawdbot-kernels") && has("rustls"));
        // A test's, a macro, a build script's, and a developer's own tool.
        for name in ["rcgen", "jsonschema", "serde_derive", "cc", "xtask", "minisign"] {
            assert!(!has(name), "{name}");
        }
    }
}
