//! Versions compare as numbers, not as text.

use super::*;

#[test]
fn the_newest_version_wins_by_number() {
    let text = "  0x0010:   Name: GLIBC_2.4  Flags: none  Version: 9\n  0x0020:   Name: GLIBC_2.34  Flags: none\n\
                  0x0030: Name: GLIBC_2.17\n  Name: GCC_3.0\n";
    assert_eq!(newest_needed(text), Ok(Version(2, 34)));
    assert!(Version(2, 36) < Version(2, 39) && Version(2, 9) < Version(2, 36));
}

#[test]
fn a_third_number_is_left_out() {
    assert_eq!(newest_needed("GLIBC_2.2.5 (3)"), Ok(Version(2, 2)));
}

#[test]
fn private_and_missing_versions_are_no_floor() {
    assert!(newest_needed("Name: GLIBC_PRIVATE").is_err());
    assert!(newest_needed("There is no version information.").is_err());
}
