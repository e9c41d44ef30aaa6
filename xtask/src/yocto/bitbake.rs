//! Running bitbake: as an ordinary user with an environment of its own, every word of it kept in a log.

use std::process::{Command, Stdio};

use super::LAYER;
use super::build_folder::BuildFolder;
use super::sources::Sources;
use super::variables::Variables;
use crate::Outcome;
use crate::process;

/// bitbake asks for exactly this one.
const LOCALE: &str = "en_US.UTF-8";
/// `nobody`: whom a session that is root runs bitbake as, which refuses root.
const NOBODY: &str = "65534";
/// blacksail would have AND and OR in LICENSE, which scarthgap does not know.
const OLD_LICENSE_SYNTAX: &str = "LICENSE is using an old syntax";
/// As many lines of bitbake's words end an error.
const TAIL_LINES: usize = 40;

/// See the module.
pub(super) struct Bitbake<'a> {
    sources: &'a Sources,
    folder: &'a BuildFolder,
    is_root: bool,
}

impl<'a> Bitbake<'a> {
    /// Checks what bitbake needs of this machine.
    ///
    /// # Errors
    /// Says what is missing and how to get it.
    pub(super) fn new(sources: &'a Sources, folder: &'a BuildFolder) -> Result<Self, String> {
        let locales = process::output(&mut process::command("locale", &["-a"]))?;
        if !has_locale(&locales) {
            return Err(format!(
                "bitbake needs the locale {LOCALE}: apt-get install locales, then localedef -i en_US -f UTF-8 {LOCALE}"
            ));
        }
        let is_root = process::output(&mut process::command("id", &["-u"]))?.trim() == "0";
        let bitbake = Self { sources, folder, is_root };
        if is_root {
            let owner = format!("{NOBODY}:{NOBODY}");
            process::run(process::command("chown", &["--recursive", &owner]).arg(&folder.path))?;
            bitbake.check_access()?;
        }
        Ok(bitbake)
    }

    /// Whether the ordinary user may read what it must.
    fn check_access(&self) -> Outcome {
        for path in [self.folder.path.as_path(), self.sources.folder.as_path(), process::repository_root()] {
            let mut command = self.command("ls");
            if !command.arg(path).output().is_ok_and(|output| output.status.success()) {
                let path = path.display();
                return Err(format!(
                    "bitbake refuses root, and the user {NOBODY} whom it runs as cannot read {path}: put it where \
                     everybody may look (CARGO_TARGET_DIR moves the build folder), or be an ordinary user"
                ));
            }
        }
        Ok(())
    }

    /// `program` with bitbake's environment, as the ordinary user.
    fn command(&self, program: &str) -> Command {
        let mut command = if self.is_root {
            let mut command = Command::new("setpriv");
            let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
            command.args(user).args(["--clear-groups", "--", program]);
            command
        } else {
            Command::new(program)
        };
        let path = format!(
            "{}:{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            self.sources.bitbake().display(),
            self.sources.scripts().display()
        );
        command.env_clear().env("PATH", path).env("HOME", self.folder.home()).env("LANG", LOCALE);
        command.env("BUILDDIR", &self.folder.path).current_dir(&self.folder.path).stdin(Stdio::null());
        command
    }

    /// What bitbake says to `arguments`; `name` is the log's.
    fn say(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command("bitbake");
        let output = command.args(arguments).output().map_err(|error| format!("cannot start bitbake: {error}"))?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let log = self.folder.path.join(format!("{name}.log"));
        std::fs::write(&log, &said).map_err(|error| format!("{}: {error}", log.display()))?;
        let ours: Vec<&str> = complaints(&said).collect();
        if output.status.success() && ours.is_empty() {
            return Ok(said);
        }
        // Where bitbake failed its last words say why; where it did not, a warning about us is the reason.
        let end = if output.status.success() { ours.join("\n") } else { tail(&said) };
        Err(format!("`bitbake {}` is not content ({}); {}:\n{end}", arguments.join(" "), output.status, log.display()))
    }

    /// Every variable of one of our recipes, a path below the layer, appends of all layers included.
    ///
    /// # Errors
    /// With bitbake's own words.
    pub(super) fn variables(&self, recipe: &str) -> Result<Variables, String> {
        let said = self.say("variables", &["-e", "-b", &of_layer(recipe)])?;
        Ok(Variables::read(&said))
    }

    /// Every variable of the recipe that provides `target`; all recipes are read for that.
    ///
    /// # Errors
    /// With bitbake's own words.
    pub(super) fn variables_of_provider(&self, target: &str) -> Result<Variables, String> {
        Ok(Variables::read(&self.say("variables-of-provider", &["-e", target])?))
    }

    /// Runs one task of one of our recipes, and those before it.
    ///
    /// # Errors
    /// With bitbake's own words.
    pub(super) fn task(&self, recipe: &str, task: &str) -> Outcome {
        self.say(task, &["-b", &of_layer(recipe), "-c", task]).map(drop)
    }

    /// Reads every recipe of every layer, goes through all that building `target` would take, and does nothing of it.
    ///
    /// # Errors
    /// With bitbake's own words.
    pub(super) fn dry_run(&self, target: &str) -> Result<String, String> {
        let said = self.say("dry-run", &["-n", target])?;
        Ok(format!("{} {}", line(&said, "Parsing of ")?, line(&said, "NOTE: Tasks Summary: ")?))
    }
}

/// The whole path of a file of the layer.
fn of_layer(path: &str) -> String {
    process::repository_root().join(LAYER).join(path).to_string_lossy().into_owned()
}

/// Whether `locale -a` names the one that bitbake wants; C libraries spell the encoding in two ways.
fn has_locale(list: &str) -> bool {
    list.lines().any(|name| name.eq_ignore_ascii_case(LOCALE) || name.eq_ignore_ascii_case("en_US.utf8"))
}

/// Warnings and errors about us: the rest of the world's are not ours to mend.
fn complaints(said: &str) -> impl Iterator<Item = &str> {
    let loud = said.lines().filter(|line| line.starts_with("WARNING: ") || line.starts_with("ERROR: "));
    loud.filter(|line| line.contains("clawdbot") && !line.contains(OLD_LICENSE_SYNTAX))
}

/// The first line that begins with `start`.
fn line(said: &str, start: &str) -> Result<String, String> {
    let found = said.lines().find(|line| line.starts_with(start));
    found
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("bitbake said no line that begins with {start:?}:\n{}", tail(said)))
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_locale_count() {
        assert!(has_locale("C\nen_US.utf8\n") && has_locale("en_US.UTF-8\n"));
        assert!(!has_locale("C\nC.utf8\nen_GB.utf8\n"));
    }

    #[test]
    fn a_warning_about_us_is_a_complaint_and_another_s_is_none() {
        let said = "WARNING: Layer clawdbot should set LAYERSERIES_COMPAT_clawdbot\nWARNING: Host distribution\nNOTE: clawdbot\n\
                    WARNING: clawdbot: LICENSE is using an old syntax and should be upgraded\n";
        assert_eq!(complaints(said).count(), 1);
    }

    #[test]
    fn what_bitbake_did_not_say_is_an_error() {
        assert_eq!(line("x\nParsing of 998 .bb files\n", "Parsing of ").unwrap(), "Parsing of 998 .bb files");
        assert!(line("x\n", "Parsing of ").is_err());
    }
}
