//! The root with the package in it: what must be there, what somebody put there, and what must be gone.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::super::package::{CONFIGURATION, Package};
use crate::Outcome;
use crate::debian_root::Root;

/// Files that the package brings, among others: one of each kind.
const INSTALLED: &[&str] = &[
    "/usr/bin/clawdbot",
    "/lib/systemd/system/clawdbot.service",
    "/usr/lib/modules-load.d/clawdbot.conf",
    "/usr/share/man/man1/clawdbot.1.gz",
    "/usr/share/man/man1/clawdbot-run.1.gz",
    "/usr/share/bash-completion/completions/clawdbot",
    "/usr/share/doc/clawdbot/copyright",
    "/usr/share/doc/clawdbot/changelog.gz",
];
/// What the daemon keeps, and must find again after an upgrade and after a removal. What comes to be kept joins here.
const STATE: &[&str] = &[
    "/var/lib/clawdbot/install-id",
    "/var/lib/clawdbot/clawdbot.sqlite",
    "/var/lib/clawdbot/models/own.claw.safetensors",
];
const STATE_FOLDER: &str = "/var/lib/clawdbot";
const ENABLED: &str = "/etc/systemd/system/multi-user.target.wants/clawdbot.service";
/// What an administrator's hand adds to the configuration.
const EDIT: &str = "[node]\nname = \"edited-by-hand\"\n";
/// A file of the administrator's beside the configuration.
const SECRET: &str = "/etc/clawdbot/mqtt-password";

/// A root in which the package lives.
pub(super) struct Household<'a>(&'a Root);

impl<'a> Household<'a> {
    pub(super) const fn new(root: &'a Root) -> Self {
        Self(root)
    }

    /// Lets dpkg act on the package, without questions: as unattended upgrades do.
    pub(super) fn dpkg(&self, action: &str, package: Option<&Package>) -> Outcome {
        let inside = "/tmp/clawdbot.deb";
        let subject = match package {
            Some(package) => {
                fs::copy(&package.path, self.0.path(inside))
                    .map_err(|error| format!("cannot copy {} into the root: {error}", package.path.display()))?;
                inside
            }
            None => "clawdbot",
        };
        let mut command = self.0.command(&["dpkg", "--force-confdef", "--force-confold", action, subject]);
        let output = command.output().map_err(|error| format!("cannot start `unshare`: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("dpkg {action} failed with {}:\n{}", output.status, String::from_utf8_lossy(&said)))
    }

    /// Every kind of file is there, undamaged, with the owners and modes that it needs.
    pub(super) fn is_installed(&self) -> Outcome {
        for path in INSTALLED {
            self.exists(path, true)?;
        }
        let damaged = self.0.output(&["dpkg", "--verify", "clawdbot"])?;
        if !damaged.is_empty() {
            return Err(format!("dpkg --verify complains:\n{damaged}"));
        }
        self.owned(STATE_FOLDER, "clawdbot:clawdbot 750")?;
        self.owned("/var/lib/clawdbot/models", "clawdbot:clawdbot 750")?;
        self.owned(&format!("/{CONFIGURATION}"), "root:clawdbot 640")
    }

    /// The daemon's own check of the installed configuration, as the daemon's user.
    pub(super) fn runs(&self) -> Outcome {
        let configuration = format!("/{CONFIGURATION}");
        let user = ["setpriv", "--reuid=clawdbot", "--regid=clawdbot", "--init-groups"];
        let answer = self.0.output(&[&user[..], &["clawdbot", "check-config", &configuration]].concat())?;
        if answer.starts_with("ok") { Ok(()) } else { Err(format!("check-config of the default says:\n{answer}")) }
    }

    pub(super) fn is_enabled(&self, wanted: bool) -> Outcome {
        self.exists(ENABLED, wanted)
    }

    /// Leaves what a daemon at work leaves.
    pub(super) fn live_in(&self) -> Outcome {
        let (user, group) = self.numbers(STATE_FOLDER)?;
        for path in STATE {
            let place = self.0.path(path);
            fs::write(&place, contents(path))
                .and_then(|()| std::os::unix::fs::chown(&place, Some(user), Some(group)))
                .map_err(|error| format!("cannot write {path} in the root: {error}"))?;
        }
        Ok(())
    }

    /// Everything that [`Self::live_in`] left is there, byte for byte, and still the daemon's.
    pub(super) fn state_is_whole(&self) -> Outcome {
        let owner = self.numbers(STATE_FOLDER)?;
        for path in STATE {
            let found = self.read(path)?;
            if found != contents(path) || self.numbers(path)? != owner {
                return Err(format!("{path} is no longer what it was: {found:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn edit_configuration(&self) -> Outcome {
        let path = self.0.path(CONFIGURATION);
        fs::write(&path, EDIT).map_err(|error| format!("cannot edit {CONFIGURATION}: {error}"))
    }

    /// The edit stands, and nobody but root and the daemon can read it.
    pub(super) fn configuration_is_edited(&self) -> Outcome {
        let found = self.read(CONFIGURATION)?;
        if found == EDIT { Ok(()) } else { Err(format!("the edited configuration is gone; it reads\n{found}")) }
    }

    pub(super) fn configuration_holds(&self, line: &str) -> Outcome {
        self.holds(CONFIGURATION, line)?;
        self.owned(&format!("/{CONFIGURATION}"), "root:clawdbot 640")
    }

    pub(super) fn new_default_lies_beside(&self, line: &str) -> Outcome {
        self.holds(&format!("{CONFIGURATION}.dpkg-dist"), line)?;
        self.owned(&format!("/{CONFIGURATION}"), "root:clawdbot 640")
    }

    pub(super) fn is_removed(&self) -> Outcome {
        INSTALLED.iter().try_for_each(|path| self.exists(path, false))
    }

    /// Nothing of the package and nothing of its state is left; its user is.
    pub(super) fn is_purged(&self) -> Outcome {
        self.is_removed()?;
        for path in [STATE_FOLDER, ENABLED, CONFIGURATION] {
            self.exists(path, false)?;
        }
        let left = self.0.output(&["find", "/var/lib/systemd", "/etc/systemd", "-name", "*clawdbot*"])?;
        if !left.is_empty() {
            return Err(format!("purge left behind:\n{left}"));
        }
        self.holds("/etc/passwd", "clawdbot:")
    }

    pub(super) fn leave_a_secret(&self) -> Outcome {
        fs::write(self.0.path(SECRET), "hush").map_err(|error| format!("cannot write {SECRET}: {error}"))
    }

    pub(super) fn secret_is_left(&self) -> Outcome {
        self.exists(SECRET, true)
    }

    fn exists(&self, path: &str, wanted: bool) -> Outcome {
        // A link may point to what only the root has.
        let is_there = fs::symlink_metadata(self.0.path(path)).is_ok();
        match (is_there, wanted) {
            (true, false) => Err(format!("{path} is there, but should not be")),
            (false, true) => Err(format!("{path} is not there")),
            _ => Ok(()),
        }
    }

    /// Owner, group and mode, as `USER:GROUP MODE`.
    fn owned(&self, path: &str, wanted: &str) -> Outcome {
        let found = self.0.output(&["stat", "--format=%U:%G %a", path])?;
        if found.trim() == wanted { Ok(()) } else { Err(format!("{path} is {}, not {wanted}", found.trim())) }
    }

    fn numbers(&self, path: &str) -> Result<(u32, u32), String> {
        let metadata = fs::metadata(self.0.path(path)).map_err(|error| format!("cannot look at {path}: {error}"))?;
        Ok((metadata.uid(), metadata.gid()))
    }

    fn holds(&self, path: &str, line: &str) -> Outcome {
        if self.read(path)?.lines().any(|found| found.starts_with(line)) {
            return Ok(());
        }
        Err(format!("{path} has no line that begins with {line:?}"))
    }

    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.path(path)).map_err(|error| format!("cannot read {path} in the root: {error}"))
    }
}

/// What stands in a file of the state: its own name.
fn contents(path: &str) -> String {
    format!("state of {path}\n")
}
