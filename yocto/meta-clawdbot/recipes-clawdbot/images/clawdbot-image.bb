# nooelint: oelint.var.suggestedvar.CVE_PRODUCT
SUMMARY = "A board that runs clawdbot and nothing else"
DESCRIPTION = "Boots to the started daemon. No login is set up: add ssh-server-dropbear and a key, or what your fleet uses."
HOMEPAGE = "https://example.org/clawdbot"
BUGTRACKER = "https://example.org/clawdbot/issues"
SECTION = "images"
LICENSE = "MIT"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "systemd"

IMAGE_INSTALL = "\
    packagegroup-core-boot \
    packagegroup-base \
    clawdbot \
    ${CORE_IMAGE_EXTRA_INSTALL} \
"
# A camera for machines that have none: the kernel's own test driver.
IMAGE_INSTALL:append = "${@bb.utils.contains('DISTRO_FEATURES', 'clawdbot-test', ' kernel-module-vivid', '', d)}"
