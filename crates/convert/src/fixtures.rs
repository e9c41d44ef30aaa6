//! The real models and pictures that tests read, where they are at hand.

pub(crate) mod fidelity;

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

/// The array `name` of a `.npz` file that numpy wrote: its type (as numpy spells it), shape and bytes.
fn npz(archive: &[u8], name: &str) -> (String, Vec<usize>, Vec<u8>) {
    let entry = format!("{name}.npy");
    // A local file header has the name at byte 30, behind it an extra field; the array comes right after.
    let header =
        archive.windows(entry.len()).position(|window| window == entry.as_bytes()).expect("no such array") - 30;
    let word = |at: usize| usize::from(u16::from_le_bytes([archive[header + at], archive[header + at + 1]]));
    assert_eq!(&archive[header..header + 4], b"PK\x03\x04", "{name}");
    let stored = &archive[header + 30 + word(26) + word(28)..];
    let array = match word(8) {
        0 => stored.to_vec(),
        8 => miniz_oxide::inflate::decompress_to_vec(stored).expect("the array inflates"),
        other => panic!("{name} is compressed by method {other}"),
    };
    assert_eq!(&array[..6], b"\x93NUMPY");
    let text_end = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
    let text = std::str::from_utf8(&array[10..text_end]).expect("the array's description is text");
    assert!(text.contains("'fortran_order': False"), "{text}");
    let kind = text.split('\'').nth(3).expect("a type").to_owned();
    let shape = text.split(['(', ')']).nth(1).expect("a shape").split(',');
    let shape: Vec<usize> = shape.filter_map(|side| side.trim().parse().ok()).collect();
    (kind, shape, array[text_end..].to_vec())
}

/// The floats `name` of a `.npz` file.
pub(crate) fn npz_f32(archive: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let (kind, shape, bytes) = npz(archive, name);
    assert_eq!(kind, "<f4", "{name}");
    let elements = bytes.chunks_exact(4).take(shape.iter().product());
    (shape, elements.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}

/// The whole numbers `name` of a `.npz` file.
pub(crate) fn npz_i64(archive: &[u8], name: &str) -> Vec<i64> {
    let (kind, shape, bytes) = npz(archive, name);
    assert_eq!(kind, "<i8", "{name}");
    bytes.as_chunks().0.iter().take(shape.iter().product()).map(|&word| i64::from_le_bytes(word)).collect()
}

/// The bytes `name` of a `.npz` file.
pub(crate) fn npz_u8(archive: &[u8], name: &str) -> (Vec<usize>, Vec<u8>) {
    let (kind, shape, mut bytes) = npz(archive, name);
    assert_eq!(kind, "|u1", "{name}");
    bytes.truncate(shape.iter().product());
    (shape, bytes)
}

/// A picture of 24 bits a pixel.
pub(crate) struct Picture {
    /// Rows and columns.
    pub(crate) size: [usize; 2],
    /// Red, green, blue of each pixel, row by row from the top.
    pub(crate) pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads an uncompressed BMP of 24 bits.
    pub(crate) fn bmp(bytes: &[u8]) -> Self {
        let word = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((&bytes[..2], bytes[28], word(30)), (b"BM".as_slice(), 24, 0), "another kind of BMP");
        let start = usize::try_from(word(10)).unwrap();
        let [width, height] = [18, 22].map(|at| usize::try_from(word(at)).unwrap());
        // Rows are padded to four bytes and stand from the bottom up.
        let stride = (3 * width).next_multiple_of(4);
        let row = |row: usize| &bytes[start + (height - 1 - row) * stride..][..3 * width];
        let pixels = (0..height).flat_map(|at| row(at).chunks_exact(3).map(|it| [it[2], it[1], it[0]])).collect();
        Self { size: [height, width], pixels }
    }

    /// Resized to the bit as OpenCV's `INTER_LINEAR` does it: half-pixel centres, weights of 11 bits.
    pub(crate) fn resized(&self, [rows, columns]: [usize; 2]) -> Self {
        // Two neighbours and their weights.
        let place = |at: usize, from: usize, to: usize| {
            let place = ((at as f64 + 0.5) * (from as f64 / to as f64) - 0.5).max(0.0);
            let first = (place as usize).min(from - 1);
            let share = if first == from - 1 { 0.0 } else { (place - first as f64) as f32 };
            let weights = [1.0 - share, share].map(|share| (share * 2048.0).round_ties_even() as i32);
            ([first, (first + 1).min(from - 1)], weights)
        };
        let pixel = |at: usize| {
            let (lines, down) = place(at / columns, self.size[0], rows);
            let (places, along) = place(at % columns, self.size[1], columns);
            std::array::from_fn(|color| {
                let at = |row: usize, column: usize| i32::from(self.pixels[row * self.size[1] + column][color]);
                let line = |row| at(row, places[0]) * along[0] + at(row, places[1]) * along[1];
                let part = |side: usize| (down[side] * (line(lines[side]) >> 4)) >> 16;
                ((part(0) + part(1) + 2) >> 2) as u8
            })
        };
        Self { size: [rows, columns], pixels: (0..rows * columns).map(pixel).collect() }
    }

    /// As a network takes it: grey levels minus 128, four bytes a pixel.
    pub(crate) fn bytes(&self) -> Vec<i8> {
        let level = |level: u8| (level ^ 0x80).cast_signed();
        self.pixels.iter().flat_map(|&[r, g, b]| [level(r), level(g), level(b), 0]).collect()
    }
}
