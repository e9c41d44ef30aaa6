//! Running other programs, with errors that name the command and what to do about it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::Outcome;

/// The repository's root folder: the parent of xtask's own, which cargo names to what it runs; else the nearest above the
/// current one that has an xtask. A path that is compiled in would make two builds differ (`cross --reproducible`).
pub(crate) fn repository_root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let named = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = std::env::current_dir().unwrap_or_default();
        let above = here.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file());
        named.as_deref().and_then(Path::parent).or(above).unwrap_or(&here).to_owned()
    })
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR`, or `target` in the repository.
pub(crate) fn target_directory() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    repository_root().join(chosen.unwrap_or_else(|| PathBuf::from("target")))
}

/// A path that was said relative to the caller's folder, made whole: commands run in the repository's root.
pub(crate) fn absolute(path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{path:?} is no path: {error}"))
}

/// For a subcommand that takes no arguments.
///
/// # Errors
/// Names the argument that was given all the same.
pub(crate) fn refuse_arguments(arguments: &[String]) -> Outcome {
    arguments.first().map_or(Ok(()), |argument| Err(format!("takes no arguments, but got {argument:?}")))
}

/// A command that runs in the repository's root, without standard input.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository_root()).stdin(Stdio::null());
    command
}

/// Cargo itself, as the one that started us.
///
/// What that one says of our own package stays here: ring's build script runs again when it changes, and with it everything that
/// a build by hand has made.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), arguments);
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs `command` with its output on ours.
///
/// # Errors
/// When it cannot be started or does not end with exit code 0.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed with {status}", shown(command))) }
}

/// Runs `command` and returns its standard output as text; its standard error goes to ours.
///
/// # Errors
/// When it cannot be started, does not end with exit code 0, or prints something other than UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("`{}` failed with {}", shown(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` printed something that is no UTF-8", shown(command)))
}

/// Whether a program of this name is on the PATH.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Fails with the packages to install where a program of `needs` (program, package) is missing.
///
/// # Errors
/// Names them.
pub(crate) fn require(needs: &[(&str, &str)]) -> Outcome {
    let is_there = |program: &str| is_installed(program) || Path::new("/usr/sbin").join(program).is_file();
    let missing: Vec<&str> =
        needs.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("programs are missing: apt-get install {}", missing.join(" ")))
    }
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("cannot start `{program}`: {error}; CONTRIBUTING.md lists what to install")
}

/// What `work` answers to each of `items`, as many at a time as there are processors here.
pub(crate) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::new());
    let take = || {
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(index)
        {
            let answer = work(item);
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(take);
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|&(index, _)| index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
