//! A `systemctl` that keeps what it is asked for and answers as if a systemd ran.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::Outcome;
use crate::debian_root::Root;

const PLACE: &str = "/usr/bin/systemctl";
/// Where the real one goes: it can enable and disable without a running systemd.
const REAL: &str = "/usr/bin/systemctl.real";
const JOURNAL: &str = "/var/log/systemctl.asked";
/// There while "the service runs".
const ACTIVE: &str = "/run/clawdbot.active";
const SCRIPT: &str = r#"#!/bin/sh
echo "$*" >>/var/log/systemctl.asked
for word; do
    case $word in
    is-active) test -e /run/clawdbot.active; exit ;;
    start | restart) : >/run/clawdbot.active; exit ;;
    stop) rm -f /run/clawdbot.active; exit ;;
    daemon-reload) exit ;;
    esac
done
# Links alone, which it makes without asking a systemd.
SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real "$@"
"#;
/// Verbs that matter; questions and reloads of other units do not.
const VERBS: [&str; 4] = ["daemon-reload", "start", "restart", "stop"];

/// The recorder in a root.
pub(super) struct Recorder<'a>(&'a Root);

impl<'a> Recorder<'a> {
    /// Puts it in the place of `systemctl`, and makes the root look as if systemd ran.
    pub(super) fn install(root: &'a Root) -> Result<Self, String> {
        let moved = fs::rename(root.path(PLACE), root.path(REAL))
            .and_then(|()| fs::write(root.path(PLACE), SCRIPT))
            .and_then(|()| fs::set_permissions(root.path(PLACE), fs::Permissions::from_mode(0o755)))
            .and_then(|()| fs::create_dir_all(root.path("/run/systemd/system")));
        moved.map_err(|error| format!("cannot put a recorder in the place of {PLACE}: {error}"))?;
        Ok(Self(root))
    }

    /// Since the last look, exactly these verbs were asked for, in this order.
    pub(super) fn expect(&self, verbs: &[&str]) -> Outcome {
        let journal = self.0.path(JOURNAL);
        let asked = fs::read_to_string(&journal).unwrap_or_default();
        fs::write(&journal, "").map_err(|error| format!("cannot empty {JOURNAL}: {error}"))?;
        let found = verbs_asked(&asked);
        if found == verbs {
            return Ok(());
        }
        Err(format!("systemctl should have been asked for {verbs:?}, but was asked for {found:?}:\n{asked}"))
    }

    /// Asks the real systemctl, which the journal does not show.
    pub(super) fn real(&self, arguments: &[&str]) -> Outcome {
        self.0.run(&[&["env", "SYSTEMD_OFFLINE=1", REAL], arguments].concat())
    }

    /// From now on the service seems not to run.
    pub(super) fn stop(&self) -> Outcome {
        fs::remove_file(self.0.path(ACTIVE)).map_err(|error| format!("the service did not seem to run: {error}"))
    }

    /// From now on the service seems to run.
    pub(super) fn start(&self) -> Outcome {
        fs::write(self.0.path(ACTIVE), "").map_err(|error| format!("cannot write {ACTIVE}: {error}"))
    }
}

/// What was asked about everything or about our unit, in order.
fn verbs_asked(journal: &str) -> Vec<&str> {
    let lines = journal.lines().filter(|line| line.contains("clawdbot.service") || line.contains("daemon-reload"));
    lines.filter_map(|line| line.split(' ').find(|word| VERBS.contains(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_other_units_do_not_count() {
        let journal = "--system daemon-reload\n--system is-enabled -- clawdbot.service\n\
                       try-reload-or-restart systemd-modules-load.service\n--quiet --system restart clawdbot.service\n";
        assert_eq!(verbs_asked(journal), ["daemon-reload", "restart"]);
    }
}
