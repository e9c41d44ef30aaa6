//! The card's boot partition, which every computer can read and write.
//!
//! A file that was taken goes through three names, so that a power cut at any moment neither takes it twice nor leaves its
//! passwords: `clawdbot.toml` (not taken yet), `clawdbot.importing.toml` (taken, passwords still in it) and
//! `clawdbot.imported.toml`. Passwords are overwritten in place, where they lie on the card: a new file would leave the old
//! one's blocks behind. (What a card's own electronics keep of old blocks, nobody can overwrite.)

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Error;
use super::whole_file::{sync_folder_of, write_whole};

/// What a user puts there.
const FILE: &str = "clawdbot.toml";
/// What some systems make of it without saying so: they hide the end of names.
const MISNAMED: &str = "clawdbot.toml.txt";
const IMPORTING: &str = "clawdbot.importing.toml";
const IMPORTED: &str = "clawdbot.imported.toml";
const COMPLAINT: &str = "clawdbot-error.txt";
/// The last line of a file that was taken.
const NOTE: &str = "# Taken by clawdbot. Passwords were replaced by asterisks; to set the board up again, write them anew and call the file \
                    clawdbot.toml.";
/// More is no file of ours.
const BYTES_MAX: u64 = 1024 * 1024;

/// The folder where the partition is mounted.
pub(crate) struct Partition(PathBuf);

/// What lies there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing to take.
    Nothing,
    /// A file that was not taken yet.
    File(PathBuf),
    /// A file under a name that nobody meant, in words for the user.
    Misnamed(String),
}

impl Partition {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Looks for the file.
    pub(crate) fn find(&self) -> Found {
        let file = self.0.join(FILE);
        if file.is_file() {
            return Found::File(file);
        }
        if self.0.join(MISNAMED).is_file() {
            return Found::Misnamed(format!(
                "the file is called {MISNAMED}, so it was not read; call it {FILE} (your computer may hide the end of names)"
            ));
        }
        Found::Nothing
    }

    /// Leaves a text beside the file that says what is wrong.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn complain(&self, problem: &str) -> Result<(), Error> {
        let text = format!(
            "clawdbot could not take its settings from this card:\r\n\r\n{}\r\n\r\nCorrect {FILE} and start \
             the board again; this file then goes away, and until then what was set before holds. Passwords stay in {FILE} until it is right.\r\n",
            problem.replace('\n', "\r\n")
        );
        let path = self.0.join(COMPLAINT);
        write_whole(&path, text.as_bytes(), 0o644, None).map_err(Error::at(&path))
    }

    /// The file was taken: it gets its other name, and `without_secrets` says what becomes of its text.
    ///
    /// # Errors
    /// When the card can't be written.
    pub(crate) fn taken(&self, without_secrets: impl Fn(&str) -> String) -> Result<(), Error> {
        self.rename(FILE, IMPORTING)?;
        self.go_on(without_secrets)?;
        let complaint = self.0.join(COMPLAINT);
        match fs::remove_file(&complaint) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::at(&complaint)(error)),
            _ => sync_folder_of(&complaint).map_err(Error::at(&complaint)),
        }
    }

    /// Does what a power cut in [`Self::taken`] left undone.
    ///
    /// # Errors
    /// When the card can't be written.
    pub(crate) fn go_on(&self, without_secrets: impl Fn(&str) -> String) -> Result<(), Error> {
        let path = self.0.join(IMPORTING);
        if !path.is_file() {
            return Ok(());
        }
        overwrite(&path, without_secrets).map_err(Error::at(&path))?;
        self.rename(IMPORTING, IMPORTED)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        let path = self.0.join(from);
        fs::rename(&path, self.0.join(to)).and_then(|()| sync_folder_of(&path)).map_err(Error::at(&path))
    }
}

/// Replaces a file's text in place by one of the same length, and says so in its last line.
fn overwrite(path: &Path, change: impl Fn(&str) -> String) -> io::Result<()> {
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    let mut changed = change(&text);
    if !changed.contains(NOTE) {
        changed.push_str(&format!("\n{NOTE}\n"));
    }
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(changed.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
