mod boards;
pub(super) mod tree;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Check, Configuration, Verdict, examine};
use crate::config::Environment;
use tree::Tree;

fn load(tree: &Tree, named: Option<&Path>) -> Configuration {
    Configuration::load(named, &Environment::default(), &tree.machine().root)
}

#[test]
fn every_check_finds_something_in_its_order_even_on_a_board_that_tells_nothing() {
    let tree = Tree::new();
    let findings = examine(&tree.machine(), &load(&tree, None));
    let checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, Check::ALL);
    for check in [Check::Supply, Check::Throttle, Check::Temperature, Check::Card, Check::Governor, Check::PageSize] {
        let finding = findings.iter().find(|finding| finding.check == check).unwrap();
        assert_eq!(finding.verdict, Verdict::Unknown, "{}: {}", check.name(), finding.seen);
    }
}

#[test]
fn whoever_is_not_well_is_told_what_to_do() {
    let tree = Tree::new();
    for finding in examine(&tree.machine(), &load(&tree, None)) {
        assert_eq!(finding.next.is_none(), finding.verdict == Verdict::Ok, "{}", finding.seen);
        let texts = finding.seen.chars().chain(finding.next.iter().flat_map(|next| next.chars()));
        assert!(!texts.clone().any(|letter| letter == '\n'), "{}", finding.seen);
    }
}

#[test]
fn a_bad_configuration_is_one_problem_and_leaves_the_rest_unknown() {
    let tree = Tree::new();
    tree.put("etc/clawdbot/clawdbot.toml", "[mqtt]\nprot = 1883\n[node]\nname = \"A b\"");
    let configuration = load(&tree, None);
    let findings = examine(&tree.machine(), &configuration);
    let problems: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Problem)
        .map(|finding| finding.check.name())
        .collect();
    assert_eq!(problems, ["configuration"]);
    assert!(findings[0].seen.contains("2 errors") && findings[0].seen.contains("mqtt.prot"), "{}", findings[0].seen);
    for check in [Check::Camera, Check::Usb, Check::Broker, Check::Certificate, Check::Model] {
        let finding = findings.iter().find(|finding| finding.check == check).unwrap();
        assert_eq!(finding.verdict, Verdict::Unknown);
    }
}

#[test]
fn a_named_file_outranks_the_service_s_and_a_secret_that_cannot_be_read_is_told() {
    let tree = Tree::new();
    tree.put("etc/clawdbot/clawdbot.toml", "");
    tree.put("mine.toml", "[mqtt]\nhost = \"broker.lan\"\nusername = \"a\"\npassword_file = \"/no/such/password\"");
    let mine = tree.path("mine.toml");
    let Configuration::Good { file, secrets, .. } = load(&tree, Some(&mine)) else { panic!("it is good") };
    assert!(file == Some(mine) && !secrets);
    let Configuration::Good { file: Some(file), secrets: true, .. } = load(&tree, None) else { panic!("it is good") };
    assert!(file.ends_with("etc/clawdbot/clawdbot.toml"));
}

#[test]
fn a_file_for_others_eyes_is_unknown() {
    if rustix::process::geteuid().is_root() {
        // Root may read everything, so there is nothing to see; what follows is pure.
        let closed = Configuration::Closed { file: "/etc/clawdbot/clawdbot.toml".into() };
        assert_eq!(closed.finding().verdict, Verdict::Unknown);
        return;
    }
    let tree = Tree::new();
    tree.put("etc/clawdbot/clawdbot.toml", "");
    let path = tree.path("etc/clawdbot/clawdbot.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(load(&tree, None).finding().verdict, Verdict::Unknown);
}

#[test]
fn the_page_names_every_check_and_every_verdict() {
    let page = include_str!("../../docs/reference/doctor.md");
    for name in Check::ALL.map(Check::name).into_iter().chain(Verdict::FROM_BAD.map(Verdict::name)) {
        assert!(page.contains(&format!("| `{name}` |")), "docs/reference/doctor.md has no row for `{name}`");
    }
}
