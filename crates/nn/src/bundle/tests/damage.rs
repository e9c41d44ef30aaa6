//! Bits that changed on the way, and files that end early.

use proptest::prelude::*;

use super::{encoded, open};
use crate::fixture;

/// Length of the header with its own length.
fn header_length(bytes: &[u8]) -> usize {
    8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

#[test]
fn a_flipped_bit_anywhere_in_the_header_is_found() {
    let bytes = encoded(Some(&fixture::vision()));
    let mut damaged = bytes.clone();
    for at in 0..header_length(&bytes) {
        // All bits of the length, and one of each other byte, each in turn: all of them take many seconds.
        let bits = if at < 8 { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            damaged[at] = bytes[at] ^ (1 << bit);
            let Err(message) = open(&damaged) else { panic!("bit {bit} of byte {at} was flipped unnoticed") };
            assert!(message.contains("`test`"), "{message}");
        }
        damaged[at] = bytes[at];
    }
    assert!(open(&damaged).is_ok());
}

#[test]
fn every_changed_byte_of_the_data_is_found_and_its_tensor_named() {
    let bytes = encoded(None);
    let mut damaged = bytes.clone();
    for at in header_length(&bytes)..bytes.len() {
        damaged[at] ^= 0x10;
        let message = open(&damaged).unwrap_err();
        assert!(message.contains("tensor `"), "{message}");
        damaged[at] ^= 0x10;
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = encoded(None);
    for length in 0..bytes.len() {
        let message = open(&bytes[..length]).unwrap_err();
        assert!(length >= header_length(&bytes) || message.contains("incomplete"), "{length}: {message}");
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = encoded(None);
    bytes.push(0);
    assert!(open(&bytes).unwrap_err().contains("belong to none"));
}

#[test]
fn a_header_longer_than_any_is_refused_before_it_is_read() {
    for length in [16 * 1024 * 1024 + 1, u64::MAX] {
        let mut bytes = encoded(None);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert!(open(&bytes).unwrap_err().contains("exceeds the limit"));
    }
}

proptest! {
    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&bytes).is_err());
    }

    #[test]
    fn noise_in_place_of_the_json_is_refused(text in "[\\[\\]{}\":,a-z0-9 ]{0,100}") {
        let length = u64::try_from(text.len()).unwrap().to_le_bytes();
        prop_assert!(open(&[&length, text.as_bytes()].concat()).is_err());
    }
}
