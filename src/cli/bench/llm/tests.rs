use super::*;

#[test]
fn a_request_is_two_numbers() {
    assert_eq!(sizes("512 0"), Some([512, 0]));
    assert_eq!(sizes(" 0 16\n"), Some([0, 16]));
    for bad in ["", "512", "512 ", "a b", "1 2 3", "-1 2"] {
        assert_eq!(sizes(bad), None, "{bad:?}");
    }
}
