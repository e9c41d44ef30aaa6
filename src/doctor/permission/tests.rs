use super::*;

#[test]
fn the_service_comes_in_by_its_group_or_with_everybody() {
    let admits = |mode, group: &str| Permission { mode, group: group.to_owned() }.admits_the_service();
    assert!(admits(0o660, "video") && admits(0o666, "root"));
    assert!(!admits(0o660, "plugdev") && !admits(0o600, "video") && !admits(0o640, "video"));
}

#[test]
fn groups_are_found_by_number() {
    let groups = "root:x:0:\nvideo:x:44:pi,clawdbot\nbroken\n";
    assert_eq!(group_name(groups, 44).as_deref(), Some("video"));
    assert_eq!(group_name(groups, 45), None);
}
