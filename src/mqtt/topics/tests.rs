use super::*;

#[test]
fn topics_are_spelled_as_the_reference_says() {
    let topics = Topics::new("clawdbot/v1", "porch");
    assert_eq!(topics.status(), "clawdbot/v1/porch/status");
    assert_eq!(topics.info(), "clawdbot/v1/porch/info");
    assert_eq!(topics.health(), "clawdbot/v1/porch/health");
    assert_eq!(topics.stats(), "clawdbot/v1/porch/stats");
    assert_eq!(topics.camera_status("front"), "clawdbot/v1/porch/camera/front/status");
    assert_eq!(topics.camera_state("front"), "clawdbot/v1/porch/camera/front/state");
    assert_eq!(topics.camera_event("front"), "clawdbot/v1/porch/camera/front/event");
    assert_eq!(topics.sensor_state("cpu"), "clawdbot/v1/porch/sensor/cpu/state");
}

#[test]
fn no_name_can_add_a_level_or_a_wildcard() {
    let topics = Topics::new("/clawdbot/v1/", "Front Porch/#");
    for topic in [topics.camera_event("a/b/+"), topics.camera_event("#"), topics.camera_event("\u{0}\u{1f}")] {
        assert_eq!(topic.split('/').count(), 6, "{topic}");
        assert!(!topic.contains(['#', '+', '\0']), "{topic}");
    }
    assert_eq!(topics.node(), "front_porch_");
}

#[test]
fn a_slug_is_its_own_slug_and_never_empty_or_long() {
    for name in ["Front door", "Küche", "", "///", "cam-1_x", &"é".repeat(300), &"a".repeat(300)] {
        let once = slug(name);
        assert_eq!(slug(&once), once);
        assert!((1..=SLUG_BYTES_MAX).contains(&once.len()), "{name:?} -> {once:?}");
        assert!(once.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')), "{once:?}");
    }
    assert_eq!(slug("Front door"), "front_door");
    assert_eq!(slug("Küche"), "k_che");
}
