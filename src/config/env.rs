//! Every environment variable that the daemon looks at, and nowhere else is one named.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clawdbot_kernels::isa::Isa;

/// An environment variable: its name, what it holds when it is not set, and what it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// What holds without it, in words.
    pub(crate) default: &'static str,
    /// What it is for, in one sentence.
    pub(crate) about: &'static str,
}

/// Ceiling for model concurrency.
pub(super) const MAX_CONCURRENCY: Variable = Variable {
    name: "CLAWDBOT_MAX_CONCURRENCY",
    default: "no ceiling",
    about: "The most inferences that may run at once, 1 to 64.",
};
/// Ceiling for the batch.
pub(super) const BATCH_SIZE: Variable = Variable {
    name: "CLAWDBOT_BATCH_SIZE",
    default: "no ceiling",
    about: "The largest batch that a model may be given, 1 to 64.",
};
/// The forced instruction set.
pub(super) const ISA: Variable = Variable {
    name: "CLAWDBOT_ISA",
    default: "the best of this machine",
    about: "The instruction set that the kernels use, by the names that `clawdbot kernels` prints.",
};
/// The log filter.
pub(super) const LOG: Variable = Variable {
    name: "CLAWDBOT_LOG",
    default: "the key `log.filter`",
    about: "What is logged: a level (`debug`), or directives (`info,clawdbot::mqtt=debug`). Outranks `log.filter`.",
};
/// Where systemd puts credentials.
pub(super) const CREDENTIALS_DIRECTORY: Variable = Variable {
    name: "CREDENTIALS_DIRECTORY",
    default: "no credentials",
    about: "The folder with the unit's credentials (`LoadCredential=`), set by systemd; see `mqtt.password_credential`.",
};
/// Where systemd keeps our state.
const STATE_DIRECTORY: Variable = Variable {
    name: "STATE_DIRECTORY",
    default: "no state is kept from one start to the next",
    about: "The folder for what outlives a restart, set by systemd (`StateDirectory=`).",
};
/// Where systemd lets us leave what only a running daemon has.
const RUNTIME_DIRECTORY: Variable = Variable {
    name: "RUNTIME_DIRECTORY",
    default: "`clawdbot health` cannot ask the daemon",
    about: "The folder for what lives as long as the daemon, set by systemd (`RuntimeDirectory=`); see `clawdbot health`.",
};

/// All of them, beside the override of each key (`CLAWDBOT__SECTION__KEY`).
pub(crate) const VARIABLES: &[Variable] =
    &[MAX_CONCURRENCY, BATCH_SIZE, ISA, LOG, CREDENTIALS_DIRECTORY, STATE_DIRECTORY, RUNTIME_DIRECTORY];

/// How the name of every key's override begins: `CLAWDBOT__MQTT__HOST`, `CLAWDBOT__CAMERA__0__ID`.
pub(super) const OVERRIDE_PREFIX: &str = "CLAWDBOT__";

/// The variables as they stood at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The process's own: those in [`VARIABLES`] and the overrides. One that is not UTF-8 counts with its bad parts
    /// replaced, so that the check of its value names it.
    pub(crate) fn of_process() -> Self {
        Self::of(
            std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())),
        )
    }

    /// Those of `variables` that we look at.
    pub(crate) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_ours =
            |name: &str| name.starts_with(OVERRIDE_PREFIX) || VARIABLES.iter().any(|variable| variable.name == name);
        Self { variables: variables.into_iter().filter(|(name, _)| is_ours(name)).collect() }
    }

    /// The value of `variable`; `None` when it is not set, or empty.
    pub(super) fn get(&self, variable: Variable) -> Option<&str> {
        self.variables.get(variable.name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The overrides: name and value, by name.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .filter(|(name, _)| name.starts_with(OVERRIDE_PREFIX))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The instruction set that kernels run on: the forced one, else the best of this machine.
    ///
    /// # Errors
    /// Says so when the word is none, or when this machine lacks what it names.
    pub(crate) fn isa(&self) -> Result<Isa, String> {
        let Some(word) = self.get(ISA) else { return Ok(Isa::detect()) };
        let isa: Isa = word.parse().map_err(|error| format!("{}: {error}", ISA.name))?;
        if isa.available() {
            return Ok(isa);
        }
        let here: Vec<&str> = Isa::ALL.into_iter().filter(|isa| isa.available()).map(Isa::name).collect();
        Err(format!("{}: this machine has no {isa}, only {}; unset the variable", ISA.name, here.join(", ")))
    }

    /// Whether an instruction set is forced.
    pub(crate) fn forces_isa(&self) -> bool {
        self.get(ISA).is_some()
    }

    /// The folder for what outlives a restart, if there is one.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        self.first_folder(STATE_DIRECTORY)
    }

    /// The folder for what lives as long as the daemon, if there is one.
    pub(crate) fn runtime_folder(&self) -> Option<PathBuf> {
        self.first_folder(RUNTIME_DIRECTORY)
    }

    /// systemd separates several folders by colons; the first is ours.
    fn first_folder(&self, variable: Variable) -> Option<PathBuf> {
        self.get(variable)?.split(':').next().map(PathBuf::from)
    }
}
