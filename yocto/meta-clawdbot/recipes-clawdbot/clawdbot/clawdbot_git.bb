SUMMARY = "Cameras and sensors to MQTT events, on INT8 kernels of its own"
DESCRIPTION = "Watches cameras and sensors, finds objects by a neural network, asks a language model, tells it all over MQTT."
HOMEPAGE = "https://example.org/clawdbot"
BUGTRACKER = "https://example.org/clawdbot/issues"
SECTION = "multimedia"
CVE_PRODUCT = "clawdbot"

# Our own code under either of the first two; the bundled network, font, clip and V4L2 bindings as NOTICE says; the linked
# crates under no other than these (deny.toml).
LICENSE = "(MIT | Apache-2.0) & Apache-2.0 & BSD-3-Clause & CC0-1.0 & ISC & MIT & Zlib"
LIC_FILES_CHKSUM = "\
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://LICENSE-MIT;md5=86bee92be7c5edf92f148c10fa9d7c4c \
    file://NOTICE;md5=3cae8956006faf506f2f164456e24ea1 \
"

# The version of Cargo.toml; `cargo test -p xtask` holds them equal, as it does the checksums above and the list of crates.
PV = "0.1.0+git"

# The commit that is checked out where the layer lies: whoever pins the checkout has pinned recipe, crates and source
# together. To build from a mirror set CLAWDBOT_GIT (with a branch) and SRCREV.
CLAWDBOT_GIT ?= "git://${@os.path.normpath(d.getVar('THISDIR') + '/../../../..')};protocol=file;usehead=1;nobranch=1"
# With destsuffix the source is where S points in every series, before and after the move to UNPACKDIR.
SRC_URI = "${CLAWDBOT_GIT};destsuffix=${BP}"
# It moves only when the layer's own checkout does.
# nooelint: oelint.vars.autorev
SRCREV ?= "${AUTOREV}"
require ${BPN}-crates.inc

inherit cargo features_check systemd useradd

# There is a unit and no init script.
REQUIRED_DISTRO_FEATURES = "systemd"
# The checked-in V4L2 bindings are for 64 bit.
COMPATIBLE_HOST = "(aarch64|x86_64).*-linux"

# `convert` turns trained networks into bundles: on a workstation, not on a board.
PACKAGECONFIG ??= "broker v4l2"
PACKAGECONFIG[broker] = "--features broker"
PACKAGECONFIG[convert] = "--features convert"
PACKAGECONFIG[v4l2] = "--features v4l2"
# Newer cargo classes pass PACKAGECONFIG_CONFARGS by themselves; to name a feature twice does no harm.
CARGO_BUILD_FLAGS:append = " --no-default-features --package clawdbot ${PACKAGECONFIG_CONFARGS}"

# rust-version of Cargo.toml. An older compiler would fail an hour into the build, on a crate that nobody knows.
CLAWDBOT_RUST_MIN = "1.89"
# nooelint: oelint.task.noanonpython
python () {
    rust_min = d.getVar("CLAWDBOT_RUST_MIN")
    rust = (d.getVar("RUSTVERSION") or "").rstrip("%")
    if rust and bb.utils.vercmp_string(rust, rust_min) < 0:
        raise bb.parse.SkipRecipe("it needs Rust %s, but RUSTVERSION is %s: add a layer with a newer Rust, such as the "
                                  "Rust mixin of meta-lts-mixins for this series" % (rust_min, rust))
}

# What becomes /etc/clawdbot/clawdbot.toml; an append may name a file of its own.
CLAWDBOT_CONFIG ?= "${S}/deploy/clawdbot.toml"

do_install:append() {
    install -D -m 0644 ${S}/systemd/clawdbot.service ${D}${systemd_system_unitdir}/clawdbot.service
    install -D -m 0644 ${S}/systemd/modules-load.d/clawdbot.conf ${D}${nonarch_libdir}/modules-load.d/clawdbot.conf
    # The file may come to hold a broker's password.
    install -D -m 0640 ${CLAWDBOT_CONFIG} ${D}${sysconfdir}/clawdbot/clawdbot.toml
    chown root:clawdbot ${D}${sysconfdir}/clawdbot/clawdbot.toml
}

SYSTEMD_SERVICE:${PN} = "clawdbot.service"

# The user is made when the image is, so that a read-only root has it; sysusers.d is therefore not installed.
USERADD_PACKAGES = "${PN}"
CLAWDBOT_HOME = "${localstatedir}/lib/clawdbot"
CLAWDBOT_SHELL = "${base_sbindir}/nologin"
USERADD_PARAM:${PN} = "--system -U -G video -M -d ${CLAWDBOT_HOME} -s ${CLAWDBOT_SHELL} clawdbot"

FILES:${PN} += "${nonarch_libdir}/modules-load.d"
CONFFILES:${PN} = "${sysconfdir}/clawdbot/clawdbot.toml"
RRECOMMENDS:${PN} = "kernel-module-uvcvideo"
