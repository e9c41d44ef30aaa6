//! What headers and statuses say.

use super::*;

#[test]
fn a_range_is_read_or_refused() {
    assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
    assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
    for wrong in ["", "bytes */10", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-x/10", "items 5-9/10", "bytes 5-9"] {
        assert_eq!(content_range(wrong), None, "{wrong}");
    }
}

#[test]
fn the_host_is_told_without_what_belongs_to_nobody_else() {
    assert_eq!(host("https://name:secret@a.example:8443/x?y"), "a.example:8443");
    assert_eq!(host("http://a.example"), "a.example");
    assert_eq!(host("https://a.example?x=/"), "a.example");
}

#[test]
fn no_message_shows_a_password_or_a_key() {
    assert_eq!(shown("https://name:secret@a.example:8443/x/y.onnx?key=1"), "https://a.example:8443/x/y.onnx?...");
    assert_eq!(shown("http://a.example/x.onnx"), "http://a.example/x.onnx");
    assert_eq!(shown("http://a.example?x=/"), "http://a.example?...");
    assert_eq!(shown("x.onnx"), "x.onnx");
    let url = "https://name:secret@a.example/x?key=1";
    let refused = problem(url, &ureq::Error::BadUri(url.to_owned()));
    let Problem::Lasting(missing) = of_status(url, 404, None) else { panic!("404 passes") };
    let said = format!("{refused:?} {missing}");
    assert!(!said.contains("secret") && !said.contains("key="), "{said}");
}

#[test]
fn a_status_passes_or_says_what_to_do() {
    let passing = |status, wait| match of_status("u", status, wait) {
        Problem::Passing(_, wait) => Some(wait),
        _ => None,
    };
    assert_eq!(passing(503, Some(7)), Some(Some(7)));
    assert_eq!(passing(429, Some(9_999)), Some(Some(WAIT_MAX_S)));
    assert_eq!(passing(500, None), Some(None));
    assert!(matches!(of_status("u", 416, None), Problem::NoSuchRange));
    for (status, says) in [(404, "--from URL"), (401, "--from FILE"), (403, "browser"), (204, "no file")] {
        let Problem::Lasting(error) = of_status("https://a/x", status, None) else { panic!("{status} passes") };
        let error = error.to_string();
        assert!(
            error.contains("https://a/x") && error.contains(says) && error.contains(&status.to_string()),
            "{error}"
        );
    }
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such() {
    use std::net::ToSocketAddrs as _;
    // `.invalid` never has an address (RFC 6761).
    let unknown = ("nobody.invalid", 443).to_socket_addrs().unwrap_err();
    let Problem::Passing(reason, None) = problem("https://nobody.invalid/x", &unknown.into()) else {
        panic!("it would not be tried again")
    };
    assert!(reason.contains("is there a network?"), "{reason}");
}
