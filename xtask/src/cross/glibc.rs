//! Which glibc a binary needs, by the version names that `readelf --version-info` prints.

use std::fmt;

/// A glibc version: major, minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// The newest `GLIBC_x.y` in the output of `readelf --version-info`.
///
/// # Errors
/// When none is named: then it was no dynamic binary, and its floor is unknown.
pub(crate) fn newest_needed(version_info: &str) -> Result<Version, String> {
    let names = version_info.split("GLIBC_").skip(1);
    names.filter_map(parse).max().ok_or_else(|| "readelf names no glibc version: is it a dynamic binary?".to_owned())
}

/// The version that `text` begins with: `2.34` or `2.2.5`, of which the first two numbers count.
fn parse(text: &str) -> Option<Version> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let mut numbers = text[..end].split('.').map(|number| number.parse().ok());
    Some(Version(numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests;
