//! The configuration that the other checks go by, and whether there is one.

use std::path::{Path, PathBuf};

use clawdbot_flow::rooted::Root;

use super::finding::{Check, Finding};
use crate::config::{Config, Environment, Problems, Secrets};

/// Where the service's file lies.
const SERVICE_FILE: &str = "/etc/clawdbot/clawdbot.toml";

/// What came of the configuration.
pub(crate) enum Configuration {
    /// It holds.
    Good {
        /// The file; `None`: there is none, defaults hold.
        file: Option<PathBuf>,
        /// What it says.
        config: Box<Config>,
        /// Whether its secrets could be read; if not, they are empty in `config`.
        secrets: bool,
    },
    /// It has errors.
    Bad {
        /// The file; `None`: the environment alone is wrong.
        file: Option<PathBuf>,
        /// What is wrong.
        problems: Problems,
    },
    /// There is a file that this user may not read.
    Closed {
        /// The file.
        file: PathBuf,
    },
}

impl Configuration {
    /// The file that was named, else the service's, else none.
    pub(crate) fn load(named: Option<&Path>, environment: &Environment, root: &Root) -> Self {
        let service = root.join(SERVICE_FILE);
        let file = match named {
            Some(path) => Some(path.to_owned()),
            None => service.exists().then_some(service),
        };
        if let Some(file) = &file
            && std::fs::File::open(file).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        {
            return Self::Closed { file: file.clone() };
        }
        let load = |secrets| Config::load(file.as_deref(), environment, root, secrets);
        match load(Secrets::Read) {
            Ok(config) => Self::Good { file, config: Box::new(config), secrets: true },
            // Secrets may be for others' eyes: then the rest still holds.
            Err(problems) => match load(Secrets::Probe) {
                Ok(config) => Self::Good { file, config: Box::new(config), secrets: false },
                Err(_) => Self::Bad { file, problems },
            },
        }
    }

    /// What holds, if anything does.
    pub(super) fn config(&self) -> Option<&Config> {
        match self {
            Self::Good { config, .. } => Some(config),
            Self::Bad { .. } | Self::Closed { .. } => None,
        }
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Good { file: Some(file), .. } | Self::Bad { file: Some(file), .. } | Self::Closed { file } => {
                file.display().to_string()
            }
            Self::Good { file: None, .. } => "none, so the defaults".to_owned(),
            Self::Bad { file: None, .. } => "the environment".to_owned(),
        }
    }

    /// What a check says that cannot do without.
    pub(super) fn missing(check: Check) -> Finding {
        Finding::unknown(check, "there is no configuration to go by", "cure the configuration first, see above")
    }

    pub(super) fn finding(&self) -> Finding {
        let check = Check::Configuration;
        match self {
            Self::Good { file: None, .. } => Finding::note(
                check,
                format!("there is no file and no {SERVICE_FILE}: the defaults are looked at"),
                "name the file with --config, or begin one with `clawdbot check-config --default`",
            ),
            Self::Good { file: Some(file), config, secrets } => {
                let seen = format!("{} is right", file.display());
                match config.notes.as_slice() {
                    _ if !secrets => Finding::note(
                        check,
                        format!("{seen}; its password can't be read here"),
                        "run `sudo clawdbot doctor`, so that the broker's login is tried too",
                    ),
                    [] => Finding::ok(check, seen),
                    notes => Finding::note(
                        check,
                        format!("{seen}; {}", notes.join("; ")),
                        format!("see whether that is meant: `clawdbot check-config {}`", file.display()),
                    ),
                }
            }
            Self::Bad { file, problems } => Finding::problem(
                check,
                one_line(&problems.to_string()),
                file.as_ref().map_or_else(
                    || "correct or unset the variables that it names".to_owned(),
                    |file| format!("correct it; `clawdbot check-config {}` shows whether it is right", file.display()),
                ),
            ),
            Self::Closed { file } => Finding::unknown(
                check,
                format!("{} may not be read by this user", file.display()),
                "run `sudo clawdbot doctor`",
            ),
        }
    }
}

/// A list of problems in one line.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    match lines.split_first() {
        Some((first, rest)) if !rest.is_empty() => format!("{first}: {}", rest.join("; ")),
        _ => text.to_owned(),
    }
}
