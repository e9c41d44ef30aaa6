//! The check can fail.

use super::*;

fn verified(unit: &str) -> Option<Outcome> {
    if !process::is_installed("systemd-analyze") {
        assert!(std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_none(), "systemd-analyze is not installed");
        // Written past the test runner's capture, which shows nothing of a test that passes.
        let notice = b"SKIPPED: systemd-analyze is not installed\n";
        std::io::Write::write_all(&mut std::io::stderr(), notice).unwrap();
        return None;
    }
    Some(verify(unit))
}

#[test]
fn a_misspelt_setting_is_an_error() {
    let unit = "[Service]\nExecStart=/usr/bin/clawdbot run\nProtectSistem=strict\n";
    if let Some(outcome) = verified(unit) {
        assert!(outcome.is_err_and(|error| error.contains("ProtectSistem")));
    }
}

#[test]
fn a_plain_unit_passes() {
    if let Some(outcome) = verified("[Service]\nExecStart=/usr/bin/clawdbot run\n") {
        assert_eq!(outcome, Ok(()));
    }
}

#[test]
fn a_unit_that_runs_something_else_is_an_error() {
    assert!(verify("[Service]\nExecStart=/bin/false\n").is_err());
}
