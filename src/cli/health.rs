//! `clawdbot health`: how the daemon that runs here fares, by the sign of life that it leaves. For container engines, and for
//! whoever has no broker at hand.

use std::path::{Path, PathBuf};

use clap::Args;
use clawdbot_flow::rooted::Root;
use serde_json::json;

use super::{Failure, print};
use crate::config::Environment;
use crate::health::Sign;

/// Where the unit's daemon has its runtime folder.
const RUNTIME_FOLDER: &str = "/run/clawdbot";

/// What may be said to `health`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Where the tree of the board begins.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = Environment::of_process().runtime_folder().unwrap_or_else(|| RUNTIME_FOLDER.into());
    answer(&folder, &Root::new(&arguments.root), arguments.json)
}

fn answer(folder: &Path, root: &Root, json: bool) -> Result<(), Failure> {
    let reason = match Sign::read(folder, root) {
        Ok(sign) if json => return print(&json!({ "ok": true, "sign": sign }).to_string()),
        Ok(sign) => return print(&text(&sign)),
        Err(unwell) => unwell.to_string(),
    };
    if json {
        print(&json!({ "ok": false, "reason": reason }).to_string())?;
    }
    Err(Failure::Failed(reason))
}

/// One line: `well: process 7, version 0.1.0, up 61 s, 4 stages move, the quietest camera/front (1000 of 6000 ms)`.
fn text(sign: &Sign) -> String {
    let Sign { version, process, uptime_s, stages, .. } = sign;
    let quietest = stages.iter().max_by_key(|stage| stage.silent_ms);
    let quietest = quietest.map_or_else(String::new, |stage| {
        format!(", the quietest {} ({} of {} ms)", stage.name, stage.silent_ms, stage.silent_ms_max)
    });
    format!("well: process {process}, version {version}, up {uptime_s} s, {} stages move{quietest}", stages.len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::{SignOfLife, Vitals};

    #[test]
    fn a_daemon_that_runs_is_exit_code_0_and_one_that_has_parted_1() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::default();
        let life = SignOfLife::begin(folder.path(), &root).unwrap();
        life.renew(&Vitals { uptime: Duration::from_secs(61), resident_bytes: None, heartbeats: Vec::new() });
        assert!(answer(folder.path(), &root, true).is_ok() && answer(folder.path(), &root, false).is_ok());
        drop(life);
        let failure = answer(folder.path(), &root, true).unwrap_err();
        assert!(matches!(failure, Failure::Failed(reason) if reason.contains("no daemon runs")));
    }

    #[test]
    fn the_text_names_the_quietest_stage() {
        let stage = |name: &str, silent_ms| json!({ "name": name, "silent_ms": silent_ms, "silent_ms_max": 6000 });
        let stages = [stage("camera/front", 10), stage("reporting", 500)];
        let sign = json!({ "version": "0.1.0", "process": 7, "uptime_s": 61, "stages": stages });
        assert_eq!(
            text(&serde_json::from_value(sign).unwrap()),
            "well: process 7, version 0.1.0, up 61 s, 2 stages move, the quietest reporting (500 of 6000 ms)"
        );
    }
}
