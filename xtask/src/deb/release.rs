//! Which version the package is, and when: both from the commit, so that two builds agree.

use crate::process::{command, output, repository_root};

/// Overrides the commit's time, as in every reproducible build: seconds since 1970.
const EPOCH_VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// A version of the package and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Debian's form: `0.1.0`, or before that `0.1.0~git20261129170512`, which sorts before it.
    pub(crate) version: String,
    /// Seconds since 1970; no file in the package is newer.
    pub(crate) epoch: u64,
}

impl Release {
    /// This checkout's: a release when `changes/` has a folder of that version, else a stage on the way to it.
    pub(crate) fn current() -> Result<Self, String> {
        let epoch = epoch()?;
        let version = env!("CARGO_PKG_VERSION");
        if repository_root().join("changes").join(version).is_dir() {
            return Ok(Self { version: version.to_owned(), epoch });
        }
        Ok(Self { version: format!("{version}~git{}", date(&format!("@{epoch}"), "+%Y%m%d%H%M%S")?), epoch })
    }
}

/// The time of this checkout's last commit, or what the environment says.
fn epoch() -> Result<u64, String> {
    let text = match std::env::var(EPOCH_VARIABLE) {
        Ok(text) => text,
        // A gate may run as another user than the one who cloned.
        Err(_) => output(&mut command("git", &["-c", "safe.directory=*", "log", "-1", "--format=%ct"]))
            .map_err(|error| format!("{error}: without a git checkout, say the time in {EPOCH_VARIABLE}"))?,
    };
    text.trim().parse().map_err(|_| format!("{EPOCH_VARIABLE} is {text:?}, not seconds since 1970"))
}

/// A time as `date` understands it (`@SECONDS`, `2026-11-29 12:00`), in UTC, in the form that `format` asks for.
pub(crate) fn date(time: &str, format: &str) -> Result<String, String> {
    let mut command = command("date", &["--utc", "--date", time, format]);
    Ok(output(command.env("LC_ALL", "C"))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_in_the_form_of_a_changelog() {
        assert_eq!(date("@0", "+%a, %d %b %Y %T %z"), Ok("Thu, 01 Jan 1970 00:00:00 +0000".to_owned()));
        assert!(date("the day before", "+%s").is_err());
    }
}
