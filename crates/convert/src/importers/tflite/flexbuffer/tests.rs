//! A map by hand, and what damage does to it.

use super::scalars;

/// {"n": 40, "s": 0.5, "t": true, "text": "x"} in one-byte widths but for the float, which is referred to.
fn map() -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes[..4].copy_from_slice(&0.5_f32.to_le_bytes());
    let names: Vec<usize> = ["n", "s", "t", "text"]
        .map(|name| {
            let at = bytes.len();
            bytes.extend(name.bytes().chain([0]));
            at
        })
        .to_vec();
    bytes.extend([1, b'x', 0]);
    let text = bytes.len() - 2;
    // The keys: their number, then a distance back to each.
    bytes.push(4);
    let keys = bytes.len();
    for name in names {
        let here = bytes.len();
        bytes.push(u8::try_from(here - name).unwrap());
    }
    // The values: distance to the keys, width of the keys, number; then each; then the types.
    let here = bytes.len();
    bytes.extend([u8::try_from(here - keys).unwrap(), 1, 4]);
    let values = bytes.len();
    bytes.push(40);
    bytes.push(u8::try_from(values + 1).unwrap());
    bytes.push(1);
    bytes.push(u8::try_from(values + 3 - text).unwrap());
    bytes.extend([1 << 2, 8 << 2 | 2, 26 << 2, 5 << 2]);
    let root = bytes.len();
    bytes.extend([u8::try_from(root - values).unwrap(), 9 << 2, 1]);
    bytes
}

#[test]
fn scalars_are_found_by_name() {
    let found = scalars(&map()).unwrap();
    let found: Vec<(&str, f64)> = found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(found, [("n", 40.0), ("s", 0.5), ("t", 1.0)]);
}

#[test]
fn damage_is_no_panic() {
    let sound = map();
    assert_eq!(scalars(&[]), None);
    for at in 0..sound.len() {
        drop(scalars(&sound[..at]));
        drop(scalars(&sound[at..]));
        for byte in 0..=255 {
            let mut bytes = sound.clone();
            bytes[at] = byte;
            drop(scalars(&bytes));
        }
    }
    // What claims to be another kind of value, or wider than the buffer, is nothing.
    let with = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        let at = bytes.len() - at;
        bytes[at] = byte;
        scalars(&bytes)
    };
    assert_eq!(with(2, 1 << 2), None);
    assert_eq!(with(1, 3), None);
    assert_eq!(with(3, 255), None);
}
