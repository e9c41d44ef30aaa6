//! What recipe, image and kernel must come to once bitbake has put every layer together.

use super::bitbake::Bitbake;
use super::crates;
use super::variables::Variables;

/// A variable, and a word that must be among those of its value.
type Expectation = (&'static str, &'static str);

const RECIPE: &[Expectation] = &[
    ("LIC_FILES_CHKSUM", "file://NOTICE;md5="),
    ("PV", "+git"),
    ("CARGO_BUILD_FLAGS", "--no-default-features"),
    ("CARGO_BUILD_FLAGS", "--features broker"),
    ("CARGO_BUILD_FLAGS", "--features v4l2"),
    ("CARGO_BUILD_FLAGS", "--frozen"),
    ("CONFFILES:clawdbot", "/etc/clawdbot/clawdbot.toml"),
    ("SYSTEMD_SERVICE:clawdbot", "clawdbot.service"),
    // What the class for units adds where the distribution has systemd.
    ("DEPENDS", "systemd-systemctl-native"),
    ("USERADD_PARAM:clawdbot", "-G video"),
    ("RRECOMMENDS:clawdbot", "kernel-module-uvcvideo"),
    ("SRC_URI", "destsuffix=clawdbot-"),
];
const IMAGE: &[Expectation] = &[("IMAGE_INSTALL", "clawdbot"), ("IMAGE_INSTALL", "kernel-module-vivid")];
const KERNEL: &[Expectation] = &[("SRC_URI", "file://clawdbot-camera.cfg"), ("SRC_URI", "file://clawdbot-vivid.cfg")];

/// Asks bitbake for our recipe and our image.
///
/// # Errors
/// Names the recipe, the variable and what is missing.
pub(super) fn check_ours(bitbake: &Bitbake<'_>) -> Result<String, String> {
    let recipe = bitbake.variables(super::RECIPE)?;
    met("clawdbot", &recipe, RECIPE)?;
    let wanted = crates::of_repository()?.len();
    let found = recipe.get("SRC_URI").matches("crate://crates.io/").count();
    if found != wanted {
        return Err(format!("clawdbot: SRC_URI names {found} crates, but Cargo.lock {wanted}"));
    }
    met("clawdbot-image", &bitbake.variables(super::IMAGE)?, IMAGE)?;
    Ok(format!("as they should be, with {found} crates, for Rust {}", recipe.get("RUSTVERSION")))
}

/// Asks bitbake for the kernel that the machine prefers.
///
/// # Errors
/// Names the variable and what is missing.
pub(super) fn check_kernel(bitbake: &Bitbake<'_>) -> Result<String, String> {
    let kernel = bitbake.variables_of_provider("virtual/kernel")?;
    met(kernel.get("PN"), &kernel, KERNEL)?;
    Ok(format!("{} {} takes both fragments", kernel.get("PN"), kernel.get("PV")))
}

fn met(recipe: &str, variables: &Variables, expectations: &[Expectation]) -> Result<(), String> {
    let missed = expectations.iter().find(|(name, part)| !variables.get(name).contains(part));
    missed.map_or(Ok(()), |(name, part)| {
        Err(format!("{recipe}: {name} should hold {part:?}, but is {:?}", variables.get(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_its_part_is_an_error_that_names_it() {
        let variables = Variables::read("IMAGE_INSTALL=\"packagegroup-core-boot clawdbot\"\n");
        assert!(met("x", &variables, &IMAGE[..1]).is_ok());
        assert!(met("x", &variables, IMAGE).is_err_and(|error| error.contains("kernel-module-vivid")));
    }
}
