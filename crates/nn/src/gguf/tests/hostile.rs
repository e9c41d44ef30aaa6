//! Files that lie: each must be an error that names what is wrong, without a panic and without taking memory.

use proptest::prelude::*;

use super::open;
use super::writer::{File, scalar, string, texts};

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let message = open(bytes).map(|_| ()).expect_err(expected);
    assert!(message.contains("`test`") && message.contains(expected), "`{message}` does not say `{expected}`");
}

/// A small good file with keys of all shapes and two tensors.
fn good() -> File {
    let mut file = File::new();
    file.text("general.architecture", "llama").key("llama.block_count", 4, &30_u32.to_le_bytes());
    file.key("tokens", 9, &texts(&["a", "b"])).key("scores", 9, &scalar(6, 2, &[0; 8])).key("flag", 7, &[0]);
    file.tensor("norm", &[3], 0, &[0; 12]).tensor("weights", &[32, 2], 8, &[1; 68]);
    file
}

#[test]
fn the_first_fields() {
    let bytes = good().bytes();
    refused(b"", "ends at byte 0 in the middle of the first field");
    refused(b"TFL3....", "does not begin with `GGUF`");
    refused(&good().bytes_as(1), "it has version 1, versions 2 and 3 are read");
    refused(&good().bytes_as(4), "it has version 4");
    refused(&good().bytes_as(3_u32.swap_bytes()), "it is big-endian");
    for (at, what) in [(8, "the number of tensors"), (16, "the number of keys")] {
        for count in [1 << 63, u64::MAX, 1 << 20] {
            let mut bytes = bytes.clone();
            bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(count));
            refused(&bytes, &format!("{what} is {count}"));
        }
        let mut bytes = bytes.clone();
        bytes[at..at + 8].copy_from_slice(&60_000_u64.to_le_bytes());
        assert!(open(&bytes).is_err());
    }
}

#[test]
fn keys() {
    let with = |kind: u32, value: &[u8]| good().key("bad", kind, value).bytes();
    refused(&with(8, &u64::MAX.to_le_bytes()), "the length of the value of `bad` is 18446744073709551615");
    refused(&with(8, &(1_u64 << 20).to_le_bytes()), "in the middle of the value of `bad`");
    refused(&with(8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), "key `the value of `bad``: its text is not UTF-8");
    refused(&with(13, &[]), "key `bad`: its type 13 is not known");
    refused(&with(7, &[2]), "key `bad`: a truth value of 2");
    refused(&with(9, &scalar(9, 1, &scalar(4, 0, &[]))), "key `bad`: arrays of arrays are not read");
    refused(&with(9, &scalar(77, 1, &[0; 8])), "key `bad`: its type 77 is not known");
    for kind in [0, 4, 8, 9, 12] {
        refused(&with(9, &scalar(kind, u64::MAX, &[])), "the number of elements in arrays up to `bad`");
        refused(&with(9, &scalar(kind, 1 << 22, &[])), "in the middle of the array of `bad`");
    }
    refused(&with(9, &scalar(10, 1, &u64::MAX.to_le_bytes())), "key `bad`: a number above 2^63 - 1");
    refused(&good().key("flag", 7, &[1]).bytes(), "key `flag`: it appears twice");
}

#[test]
fn the_alignment() {
    for alignment in [0, 3, 33, 1 << 17, 1 << 31] {
        let bytes = good().key("general.alignment", 4, &u32::to_le_bytes(alignment)).bytes();
        refused(&bytes, "key `general.alignment`: it is Unsigned(");
    }
    refused(&good().text("general.alignment", "32").bytes(), "key `general.alignment`: it is Text(");
}

#[test]
fn descriptions_of_tensors() {
    let with = |shape: &[u64], kind: u32| good().tensor("bad", shape, kind, &[0; 64]).bytes();
    refused(&with(&[1; 5], 0), "tensor `bad`: it has 5 dimensions");
    refused(&with(&[], 0), "tensor `bad`: it has 0 dimensions");
    refused(&with(&[1 << 40, 1 << 40], 0), "tensor `bad`: its dimensions [1099511627776, 1099511627776] are larger");
    refused(&with(&[1 << 32, 1 << 31, 2], 0), "tensor `bad`: its dimensions");
    refused(&with(&[u64::MAX], 0), "tensor `bad`: its dimensions");
    refused(&with(&[4, 0], 0), "tensor `bad`: it is empty");
    refused(&with(&[0, 4], 0), "tensor `bad`: it is empty");
    for kind in [4, 5, 9, 31, 99, u32::MAX] {
        refused(&with(&[32], kind), &format!("tensor `bad`: its type {kind} is not known"));
    }
    refused(&with(&[48], 2), "tensor `bad`: its rows of 48 are no multiple of the 32 that make a Q4_0 block");
    refused(&with(&[128], 12), "no multiple of the 256 that make a Q4_K block");
    refused(&good().tensor("norm", &[3], 0, &[0; 12]).bytes(), "tensor `norm`: the name appears twice");
}

#[test]
fn places_of_tensors() {
    let with = |offsets: [u64; 2]| good().with_offsets(3, &offsets);
    assert!(open(&with([0, 32])).is_ok());
    refused(&with([0, 33]), "tensor `weights`: its offset 33 is no multiple of the alignment 32");
    refused(&with([0, 0]), "lies inside the tensor before it");
    refused(&with([64, 32]), "tensor `norm`: its offset 64 lies inside the tensor before it");
    refused(&with([0, 64]), "tensor `weights`: its 68 bytes from 64 on");
    refused(&with([0, u64::MAX - 31]), "tensor `weights`: its 68 bytes");
    refused(&with([0, 1 << 62]), "tensor `weights`: its 68 bytes");
    let bytes = with([0, 32]);
    refused(&bytes[..bytes.len() - 1], "the copy is incomplete");
}

#[test]
fn a_file_cut_anywhere_is_refused_and_a_flipped_bit_never_panics() {
    let bytes = good().bytes();
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
    let mut damaged = bytes.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            damaged[at] = bytes[at] ^ (1 << bit);
            if let Ok(gguf) = open(&damaged) {
                for (name, tensor) in gguf.tensors() {
                    drop(gguf.row(name, tensor.rows - 1, &mut vec![0.0; tensor.columns]));
                }
            }
        }
        damaged[at] = bytes[at];
    }
}

#[test]
fn names_that_are_no_text() {
    let mut bytes = good().bytes();
    let at = bytes.windows(4).position(|window| window == b"norm").unwrap();
    bytes[at] = 0xff;
    refused(&bytes, "a tensor's name");
    let length = string("norm")[..8].to_vec();
    let at = bytes.windows(9).position(|window| window[..8] == length && window[8] == 0xff).unwrap();
    bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    refused(&bytes, "the length of a tensor's name");
}

proptest! {
    #[test]
    fn noise_behind_a_good_beginning_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [&b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"[..], &noise].concat();
        drop(open(&bytes));
        prop_assert!(open(&noise).is_err());
    }
}
