//! Copies of programs and libraries in which every `cpuid` instruction is a trap that `benches/peers/preload.c` answers.

use std::path::Path;

use crate::process::{command, output};

/// `cpuid`, and the trap in its place: see benches/peers/preload.c.
const CPUID: [u8; 2] = [0x0F, 0xA2];
const TRAP: [u8; 2] = [0x27, 0xA2];

/// Writes `target` as `source` with every `cpuid` replaced, and answers how many there were.
///
/// # Errors
/// When `source` is no 64-bit ELF file, or what objdump calls `cpuid` is none.
pub(super) fn without_cpuid(source: &Path, target: &Path) -> Result<usize, String> {
    let mut bytes = std::fs::read(source).map_err(|error| format!("{}: {error}", source.display()))?;
    let mut listing = command("objdump", &["--disassemble", "--no-show-raw-insn"]);
    let addresses = cpuid_addresses(&output(listing.arg(source))?);
    let refused = |why: &str| format!("{}: {why}", source.display());
    let segments = segments(&bytes).ok_or_else(|| refused("no 64-bit ELF file"))?;
    for &address in &addresses {
        let offset = segments.iter().find_map(|segment| segment.offset(address));
        let place = offset.and_then(|offset| bytes.get_mut(offset..offset + CPUID.len()));
        let place = place.filter(|place| **place == CPUID).ok_or_else(|| {
            refused(&format!("objdump shows a cpuid at {address:#x}, but the bytes there are another instruction's"))
        })?;
        place.copy_from_slice(&TRAP);
    }
    std::fs::write(target, bytes).map_err(|error| format!("{}: {error}", target.display()))?;
    let permissions = std::fs::metadata(source).map(|metadata| metadata.permissions());
    permissions
        .and_then(|permissions| std::fs::set_permissions(target, permissions))
        .map_err(|error| format!("{}: {error}", target.display()))?;
    Ok(addresses.len())
}

/// Copies a folder; in libraries every `cpuid` is replaced. Answers how many were.
///
/// # Errors
/// As [`without_cpuid`].
pub(super) fn copy_folder(source: &Path, target: &Path) -> Result<usize, String> {
    let failed = |error: std::io::Error| format!("cannot copy {} to {}: {error}", source.display(), target.display());
    std::fs::create_dir_all(target).map_err(failed)?;
    let mut replaced = 0;
    for entry in std::fs::read_dir(source).map_err(failed)? {
        let from = entry.map_err(failed)?.path();
        let Some(name) = from.file_name() else { continue };
        let to = target.join(name);
        if from.is_dir() {
            replaced += copy_folder(&from, &to)?;
        } else if name.to_string_lossy().contains(".so") {
            replaced += without_cpuid(&from, &to)?;
        } else {
            std::fs::copy(&from, &to).map_err(failed)?;
        }
    }
    Ok(replaced)
}

/// The addresses in objdump's listing: an address, a colon, a tab, `cpuid`.
fn cpuid_addresses(listing: &str) -> Vec<u64> {
    let address = |line: &str| {
        let (address, instruction) = line.split_once(':')?;
        (instruction.trim() == "cpuid").then(|| u64::from_str_radix(address.trim(), 16).ok()).flatten()
    };
    listing.lines().filter_map(address).collect()
}

/// A part of an ELF file that is mapped: PT_LOAD.
struct Segment {
    file_offset: u64,
    address: u64,
    file_size: u64,
}

impl Segment {
    fn offset(&self, address: u64) -> Option<usize> {
        let inside = address.checked_sub(self.address)?;
        (inside < self.file_size).then(|| usize::try_from(self.file_offset + inside).ok()).flatten()
    }
}

/// The mapped parts by the program headers of a little-endian 64-bit ELF file (System V ABI, chapter 5).
fn segments(bytes: &[u8]) -> Option<Vec<Segment>> {
    const PT_LOAD: u64 = 1;
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let number = |at: usize, length: usize| {
        let field = bytes.get(at..at.checked_add(length)?)?;
        Some(field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header = |index: u64| {
        let at = usize::try_from(table.checked_add(index * size)?).ok()?;
        let segment =
            Segment { file_offset: number(at + 8, 8)?, address: number(at + 16, 8)?, file_size: number(at + 32, 8)? };
        Some((number(at, 4)? == PT_LOAD, segment))
    };
    let headers: Vec<(bool, Segment)> = (0..count).map(header).collect::<Option<_>>()?;
    Some(headers.into_iter().filter(|(loaded, _)| *loaded).map(|(_, segment)| segment).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_a_listing() {
        let listing =
            "0000 <f>:\n   18f3c2:\tcpuid\n   18f3c4:\tmov    %eax,%ebx\n   18f3d0:\tcpuid  \n   aa: call cpuid_f\n";
        assert_eq!(cpuid_addresses(listing), [0x18f3c2, 0x18f3d0]);
    }

    #[test]
    fn an_address_becomes_an_offset_by_its_segment() {
        let mut file = vec![0_u8; 64 + 56];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64; // the table's offset
        file[54] = 56; // a header's size
        file[56] = 1; // how many
        file[64] = 1; // PT_LOAD
        file[64 + 8] = 0x10;
        file[64 + 17] = 0x20; // address 0x2000
        file[64 + 32] = 0x30;
        let found = segments(&file).unwrap();
        assert_eq!(
            (found[0].offset(0x2004), found[0].offset(0x2030), found[0].offset(0x1fff)),
            (Some(0x14), None, None)
        );
        assert!(segments(&file[..100]).is_none() && segments(b"MZ").is_none());
    }
}
