//! What may be said to `cargo xtask image`.

use std::path::PathBuf;

use super::flavour::Flavour;
use crate::process;

const USAGE: &str =
    "usage: cargo xtask image --board pi [--flavour debian|raspberry-pi-os] [--archive URL] [--keyring FILE]
    [--suite NAME] [--mirror URL] [--deb FILE] [--read-only] [--compress] [--out FILE]";

#[derive(Debug)]
pub(super) struct Options {
    pub(super) flavour: Flavour,
    /// Where the Raspberry Pi's own packages lie.
    pub(super) archive: Option<String>,
    /// The key that they are signed with.
    pub(super) keyring: Option<PathBuf>,
    pub(super) suite: String,
    /// Where Debian's packages come from.
    pub(super) mirror: String,
    /// Our package; without it the newest that `cargo xtask deb` left.
    pub(super) deb: Option<PathBuf>,
    pub(super) is_read_only: bool,
    pub(super) is_compressed: bool,
    pub(super) out: Option<PathBuf>,
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            flavour: Flavour::Debian,
            archive: None,
            keyring: None,
            suite: "bookworm".to_owned(),
            mirror: "http://deb.debian.org/debian".to_owned(),
            deb: None,
            is_read_only: false,
            is_compressed: false,
            out: None,
        };
        let mut board = None;
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or_else(|| format!("{name} wants a value\n{USAGE}"));
            match name.as_str() {
                "--board" => board = Some(value()?),
                "--flavour" => options.flavour = Flavour::named(&value()?)?,
                "--archive" => options.archive = Some(value()?),
                "--keyring" => options.keyring = Some(process::absolute(&value()?)?),
                "--suite" => options.suite = value()?,
                "--mirror" => options.mirror = value()?,
                "--deb" => options.deb = Some(process::absolute(&value()?)?),
                "--out" => options.out = Some(process::absolute(&value()?)?),
                "--read-only" => options.is_read_only = true,
                "--compress" => options.is_compressed = true,
                _ => return Err(format!("does not know {name:?}\n{USAGE}")),
            }
        }
        match board.as_deref() {
            Some("pi") => {}
            Some(other) => return Err(format!("there is no board {other:?}, only pi\n{USAGE}")),
            None => return Err(format!("say for which board: --board pi\n{USAGE}")),
        }
        options.flavour.check(options.archive.as_deref(), options.keyring.as_deref())?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Options, String> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn a_board_is_enough() {
        let options = parsed("--board pi").unwrap();
        assert_eq!((options.flavour, options.suite.as_str()), (Flavour::Debian, "bookworm"));
        assert!(!options.is_read_only && !options.is_compressed && options.deb.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(parsed("").is_err_and(|error| error.contains("--board pi")));
        assert!(parsed("--board banana").is_err_and(|error| error.contains("banana")));
        assert!(parsed("--board pi --flavour arch").is_err());
        assert!(parsed("--board pi --out").is_err_and(|error| error.contains("wants a value")));
    }

    #[test]
    fn the_raspberry_pi_s_archive_must_be_named() {
        let error = parsed("--board pi --flavour raspberry-pi-os").unwrap_err();
        assert!(error.contains("--archive") && error.contains("--keyring"), "{error}");
        let error = parsed("--board pi --archive http://example.org").unwrap_err();
        assert!(error.contains("raspberry-pi-os"), "{error}");
    }
}
