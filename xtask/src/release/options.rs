//! What may be said to `cargo xtask release`.

use std::path::PathBuf;

use super::{CHECKLIST, OF_BINARIES, PIECES};

const USAGE: &str =
    "usage: cargo xtask release --dry-run [--key FILE] [--amd64-binary FILE] [--arm64-binary FILE] [--out DIR]
           [--only PIECE]... [--without PIECE]...
       cargo xtask release --key FILE [--out DIR]";

#[derive(Debug, Default)]
pub(super) struct Options {
    /// Nothing that is made will be published.
    pub(super) is_rehearsal: bool,
    /// The secret key to sign with, as minisign keeps it.
    pub(super) key: Option<PathBuf>,
    /// Release builds that are there already.
    pub(super) amd64_binary: Option<PathBuf>,
    pub(super) arm64_binary: Option<PathBuf>,
    /// Where the artefacts go; without it `artefacts/VERSION` in the target directory.
    pub(super) out: Option<PathBuf>,
    /// Pieces to make; empty means all.
    only: Vec<String>,
    without: Vec<String>,
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value\n{USAGE}"));
            match name.as_str() {
                "--dry-run" => options.is_rehearsal = true,
                "--key" => options.key = Some(absolute(value()?)?),
                "--amd64-binary" => options.amd64_binary = Some(absolute(value()?)?),
                "--arm64-binary" => options.arm64_binary = Some(absolute(value()?)?),
                "--out" => options.out = Some(absolute(value()?)?),
                "--only" => options.only.push(piece(value()?)?),
                "--without" => options.without.push(piece(value()?)?),
                _ => return Err(format!("does not know {name:?}\n{USAGE}")),
            }
        }
        options.check()?;
        Ok(options)
    }

    /// What is published must be whole, of this commit, and signed with the real key.
    fn check(&self) -> Result<(), String> {
        if self.is_rehearsal {
            return Ok(());
        }
        let is_partial = !self.only.is_empty() || !self.without.is_empty();
        if is_partial || self.amd64_binary.is_some() || self.arm64_binary.is_some() {
            return Err(format!(
                "pieces may be left out, and binaries taken as they are, in a rehearsal only: say --dry-run\n{USAGE}"
            ));
        }
        if self.key.is_none() {
            return Err(format!(
                "this command publishes nothing: it makes and signs what {CHECKLIST} then publishes by hand. Rehearse it with \
                 --dry-run, or name the secret key that signs: --key FILE\n{USAGE}"
            ));
        }
        Ok(())
    }

    /// Whether a piece is to be made.
    pub(super) fn wants(&self, piece: &str) -> bool {
        let is_in = |list: &[String]| list.iter().any(|name| name == piece);
        (self.only.is_empty() || is_in(&self.only)) && !is_in(&self.without)
    }

    /// Whether any piece needs the daemon itself.
    pub(super) fn wants_binaries(&self) -> bool {
        OF_BINARIES.into_iter().any(|piece| self.wants(piece))
    }
}

fn piece(name: &str) -> Result<String, String> {
    if PIECES.iter().any(|piece| piece.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = PIECES.iter().map(|piece| piece.name).collect();
    Err(format!("a release has no piece {name:?}; there are {}", names.join(", ")))
}

/// Commands run in the repository's root, so what was said relative to the caller's folder is made whole.
fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{path:?} is no path: {error}"))
}
