//! Arrays out of the archives that numpy writes.

/// The elements of the array `name`, which must be of unsigned bytes in C order.
pub(crate) fn bytes(archive: &[u8], name: &str) -> Vec<u8> {
    elements(archive, name, "|u1")
}

/// The same of 64-bit integers.
pub(crate) fn integers(archive: &[u8], name: &str) -> Vec<i64> {
    let bytes = elements(archive, name, "<i8");
    bytes.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight bytes"))).collect()
}

/// The same of 32-bit floats.
pub(crate) fn floats(archive: &[u8], name: &str) -> Vec<f32> {
    let bytes = elements(archive, name, "<f4");
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes"))).collect()
}

fn elements(archive: &[u8], name: &str, kind: &str) -> Vec<u8> {
    let entry = format!("{name}.npy");
    // A local file header has the name at byte 30, behind it an extra field; the content comes right after.
    let at = archive.windows(entry.len()).position(|window| window == entry.as_bytes()).expect("no such array") - 30;
    let word = |place: usize| usize::from(u16::from_le_bytes([archive[at + place], archive[at + place + 1]]));
    assert_eq!((&archive[at..at + 4], word(8)), (&b"PK\x03\x04"[..], 8), "{name} is not deflated");
    let content = &archive[at + 30 + word(26) + word(28)..];
    let array = miniz_oxide::inflate::decompress_to_vec(content).expect("the array inflates");
    let start = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
    let text = String::from_utf8_lossy(&array[10..start]);
    assert!(text.contains(&format!("'{kind}'")) && text.contains("'fortran_order': False"), "{name}: {text}");
    array[start..].to_vec()
}
