use serde_json::json;

use super::{outcome, report, text};
use crate::cli::Failure;
use crate::doctor::{Check, Finding, Verdict};

fn findings() -> Vec<Finding> {
    vec![
        Finding::ok(Check::Camera, "C920").about("front"),
        Finding::problem(Check::Supply, "under-voltage now", "use a stronger supply"),
        Finding::unknown(Check::Throttle, "nothing tells", "look yourself"),
    ]
}

#[test]
fn a_problem_fails_and_nothing_less_does() {
    let Err(Failure::Failed(message)) = outcome(&findings()) else { panic!("there is a problem") };
    assert!(message.contains("supply"), "{message}");
    let [fine, _, unknown] = findings().try_into().unwrap();
    let note = Finding::note(Check::Watchdog, "none", "switch it on");
    let warning = Finding::warning(Check::Card, "slow", "take another");
    assert!(outcome(&[fine, unknown, note, warning]).is_ok());
}

#[test]
fn the_json_leaves_out_what_is_not_there() {
    assert_eq!(
        report(None, "none, so the defaults", &findings()),
        json!({
            "version": 1,
            "configuration": "none, so the defaults",
            "verdict": "problem",
            "findings": [
                { "check": "camera", "subject": "front", "verdict": "ok", "seen": "C920" },
                { "check": "supply", "verdict": "problem", "seen": "under-voltage now", "next": "use a stronger supply" },
                { "check": "throttle", "verdict": "unknown", "seen": "nothing tells", "next": "look yourself" },
            ],
        })
    );
    assert_eq!(report(Some("Pi"), "", &[])["board"], "Pi");
}

#[test]
fn people_read_what_was_seen_and_below_it_what_to_do() {
    let expected = "\
board: Pi
configuration: /x.toml

ok       camera front    C920
problem  supply          under-voltage now
                      -> use a stronger supply
unknown  throttle        nothing tells
                      -> look yourself

1 problem, 0 warning, 1 unknown, 0 note, 1 ok";
    assert_eq!(text(Some("Pi"), "/x.toml", &findings()), expected);
}

#[test]
fn the_guide_knows_what_each_check_may_find() {
    let page = include_str!("../../../docs/guide/troubleshooting.md");
    let checks = Check::ALL.map(Check::name);
    let missing: Vec<&str> = checks.into_iter().filter(|check| !page.contains(&format!("`{check}`"))).collect();
    assert!(missing.is_empty(), "docs/guide/troubleshooting.md does not mention {missing:?}");
    let verdicts = [Verdict::Warning, Verdict::Problem];
    assert!(verdicts.iter().all(|verdict| page.contains(verdict.name())));
}
