use super::{distance, line_of, unknown};

#[test]
fn lines_count_from_one() {
    assert_eq!([line_of("a\nb\n", 0), line_of("a\nb\n", 2), line_of("a", 99)], [1, 2, 1]);
}

#[test]
fn a_slip_is_recognised_and_nonsense_is_not() {
    assert_eq!((distance("prot", "port"), distance("", "abc"), distance("abc", "abc")), (2, 3, 0));
    assert!(unknown("key", "hots", &["host", "port"]).contains("did you mean `host`"));
    assert!(!unknown("key", "completely-different", &["host", "port"]).contains("did you mean"));
}
