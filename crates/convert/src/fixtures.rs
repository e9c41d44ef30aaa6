//! The real models and pictures that tests read, where they are at hand.

use std::path::PathBuf;

/// The bytes of a file of `shared/data` beside the repository; `None` (said aloud) where it is missing, unless
/// `CLAWDBOT_REQUIRE_DATA=1` makes that a failure.
pub(crate) fn data(path: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CLAWDBOT_REQUIRE_DATA").is_some_and(|value| value == "1") => {
            panic!("{}: {error}", path.display())
        }
        Err(error) => {
            // Written past the test runner's capture, which shows nothing of a test that passes.
            let notice = format!("SKIPPED: {}: {error}\n", path.display());
            std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
            None
        }
    }
}

/// The array `name` of a `.npz` file that numpy wrote uncompressed: its shape and elements.
pub(crate) fn npz_f32(archive: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let entry = format!("{name}.npy");
    // A local file header has the name at byte 30, behind it an extra field; numpy stores the array right after.
    let header =
        archive.windows(entry.len()).position(|window| window == entry.as_bytes()).expect("no such array") - 30;
    let word = |at: usize| usize::from(u16::from_le_bytes([archive[header + at], archive[header + at + 1]]));
    assert_eq!((&archive[header..header + 4], word(8)), (b"PK\x03\x04".as_slice(), 0), "{name} is compressed");
    let array = &archive[header + 30 + word(26) + word(28)..];
    assert_eq!(&array[..6], b"\x93NUMPY");
    let text_end = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
    let text = std::str::from_utf8(&array[10..text_end]).expect("the array's description is text");
    assert!(text.contains("'<f4'") && text.contains("'fortran_order': False"), "{text}");
    let shape = text.split(['(', ')']).nth(1).expect("a shape").split(',');
    let shape: Vec<usize> = shape.filter_map(|side| side.trim().parse().ok()).collect();
    let elements = array[text_end..].chunks_exact(4).take(shape.iter().product());
    (shape, elements.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}
