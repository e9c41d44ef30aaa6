//! `cargo xtask release`: everything that a release publishes, in one folder, with its sums and their signature. Publishing
//! itself is done by hand: `RELEASE-CHECKLIST.md` has the steps.
//!
//! `--dry-run` rehearses it from any commit: it may leave pieces out, take binaries that were built before, and sign with a
//! key that it makes and throws away. Without it nothing of that is allowed.

mod archives;
mod binaries;
mod notes;
mod options;
mod packages;
mod sbom;
mod signature;
mod sums;
mod work;

use std::path::PathBuf;

use options::Options;
use work::Work;

use crate::Outcome;
use crate::process;

/// One piece of a release: a few files that are made together.
struct Piece {
    name: &'static str,
    /// Makes its files and answers where they are.
    make: fn(&Work) -> Result<Vec<PathBuf>, String>,
}

/// Every piece, in the order in which they are made: the card image takes the package of the piece before it.
const PIECES: &[Piece] = &[
    Piece { name: "notes", make: notes::make },
    Piece { name: "source", make: archives::source },
    Piece { name: "yocto", make: archives::yocto_layer },
    Piece { name: "binaries", make: binaries::make },
    Piece { name: "sbom", make: sbom::make },
    Piece { name: "deb", make: packages::debian },
    Piece { name: "container", make: packages::containers },
    Piece { name: "image", make: packages::card_image },
];
/// Pieces for which the daemon itself must be built.
const OF_BINARIES: [&str; 5] = ["binaries", "sbom", "deb", "container", "image"];
const CHECKLIST: &str = "RELEASE-CHECKLIST.md";

/// Makes, sums and signs all of it.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    let signer = signature::Signer::of(&options)?;
    let work = Work::begin(&options)?;
    let (wanted, left_out): (Vec<&Piece>, Vec<&Piece>) = PIECES.iter().partition(|piece| options.wants(piece.name));
    let mut count = 0;
    for piece in &wanted {
        println!("== {}", piece.name);
        let files = (piece.make)(&work).map_err(|error| {
            if let Err(moved) = work.is_still_of_one_commit() {
                return moved;
            }
            format!("{}: {error}\n(a rehearsal may do without it: --dry-run --without {})", piece.name, piece.name)
        })?;
        work.is_still_of_one_commit()?;
        for file in &files {
            println!("   {}", work::described(file)?);
        }
        count += files.len();
    }
    println!("== sums and signature");
    let sums = sums::write(&work.out)?;
    signer.sign(&sums, &work)?;
    let left_out: Vec<&str> = left_out.iter().map(|piece| piece.name).collect();
    println!("{}", closing(&options, &work, count, &left_out));
    Ok(())
}

/// The last line: what there is, and what is missing.
fn closing(options: &Options, work: &Work, count: usize, left_out: &[&str]) -> String {
    let folder = work.out.display();
    let version = &work.release.version;
    if !options.is_rehearsal {
        return format!(
            "{version}: {count} artefacts in {folder}, summed and signed. NOTHING was published: {CHECKLIST} goes on"
        );
    }
    let missing = if left_out.is_empty() {
        "nothing was left out".to_owned()
    } else {
        format!("{} of {} pieces were LEFT OUT: {}", left_out.len(), PIECES.len(), left_out.join(", "))
    };
    let key = if options.key.is_some() { "the key that was named" } else { "a REHEARSAL KEY that is gone" };
    format!("rehearsal of {version}: {count} artefacts in {folder}, signed with {key}; {missing}")
}

/// Makes a folder, and those above it.
fn create(folder: &std::path::Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))
}

/// Writes a whole file.
fn write(path: &std::path::Path, bytes: impl AsRef<[u8]>) -> Outcome {
    std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Git in this checkout, which may belong to another user than the one who releases.
fn git(arguments: &[&str]) -> std::process::Command {
    let mut command = process::command("git", &["-c", "safe.directory=*"]);
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests;
