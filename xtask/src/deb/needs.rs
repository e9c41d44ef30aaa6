//! What the binary needs at run time: the libraries that it names, and the Debian packages that bring them.

use crate::cross::glibc;

/// Which package brings a library. `{glibc}` stands for the newest symbol version that the binary asks for.
const PACKAGES: &[(&str, &str)] = &[
    ("libc.so.6", "libc6 (>= {glibc})"),
    ("libm.so.6", "libc6 (>= {glibc})"),
    ("ld-linux-x86-64.so.2", "libc6 (>= {glibc})"),
    ("ld-linux-aarch64.so.1", "libc6 (>= {glibc})"),
    ("libgcc_s.so.1", "libgcc-s1 (>= 4.2)"),
];

/// The packages to depend on, by the output of `readelf --wide --dynamic --version-info`.
///
/// # Errors
/// Names a library of which we do not know who brings it.
pub(super) fn packages(readelf: &str) -> Result<String, String> {
    let glibc = glibc::newest_needed(readelf)?;
    let mut packages: Vec<String> = Vec::new();
    for library in libraries(readelf) {
        let Some((_, package)) = PACKAGES.iter().find(|(name, _)| *name == library) else {
            return Err(format!("the binary needs {library}; say in xtask/src/deb/needs.rs which package brings it"));
        };
        let package = package.replace("{glibc}", &glibc.to_string());
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages.sort();
    Ok(packages.join(", "))
}

/// The names in lines such as ` 0x1 (NEEDED)  Shared library: [libc.so.6]`.
fn libraries(readelf: &str) -> impl Iterator<Item = &str> {
    let needed = readelf.lines().filter(|line| line.contains("(NEEDED)"));
    needed.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READELF: &str = " 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libm.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000c (INIT)               0x4000
  0x0010:   Name: GLIBC_2.35  Flags: none  Version: 21
  0x0020:   Name: GLIBC_2.4  Flags: none  Version: 20
";

    #[test]
    fn each_package_is_named_once_with_the_version_that_the_symbols_want() {
        assert_eq!(packages(READELF).as_deref(), Ok("libc6 (>= 2.35), libgcc-s1 (>= 4.2)"));
    }

    #[test]
    fn a_library_that_nobody_brings_is_an_error() {
        let with = READELF.replace("libm.so.6", "libclang.so.1");
        assert!(packages(&with).is_err_and(|error| error.contains("libclang.so.1")));
    }
}
