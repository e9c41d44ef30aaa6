use super::*;

#[test]
fn a_request_is_two_numbers() {
    assert_eq!(sizes("512 0"), Some([512, 0]));
    assert_eq!(sizes(" 0 16\n"), Some([0, 16]));
    for bad in ["", "512", "512 ", "a b", "1 2 3", "-1 2"] {
        assert_eq!(sizes(bad), None, "{bad:?}");
    }
}

#[test]
fn a_rate_is_a_number_of_frames_that_can_come() {
    assert_eq!((parse_rate("15"), parse_rate("0.5"), parse_frame_ms("0")), (Ok(15.0), Ok(0.5), Ok(0.0)));
    for bad in ["0", "-1", "NaN", "inf", "2000", "often"] {
        assert!(parse_rate(bad).is_err(), "{bad}");
    }
}
