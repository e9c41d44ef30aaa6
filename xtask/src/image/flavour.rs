//! Whose kernel and firmware an image has. The rest is the same: Debian, our package, our settings.

use std::path::Path;

use crate::Outcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Debian's kernel and firmware: Pi 3 and 4 with a USB camera. All of it can be had, built and booted here.
    Debian,
    /// The Raspberry Pi's own: Pi 5, CSI cameras, throttle bits. Its archive must be reachable from where it is built.
    RaspberryPiOs,
}

/// What every image has beside Debian's minimum.
const PACKAGES: &[&str] = &[
    "avahi-daemon",
    "ca-certificates",
    "dbus",
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "firmware-brcm80211",
    "hostname",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "libnss-mdns",
    "libpam-systemd",
    "mosquitto-clients",
    "nano",
    "openssh-server",
    "procps",
    "raspi-firmware",
    "sudo",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "systemd-zram-generator",
    "tzdata",
    "udev",
    "wireless-regdb",
    "wpasupplicant",
    "zstd",
];

impl Flavour {
    pub(super) fn named(name: &str) -> Result<Self, String> {
        match name {
            "debian" => Ok(Self::Debian),
            "raspberry-pi-os" => Ok(Self::RaspberryPiOs),
            _ => Err(format!("there is no flavour {name:?}, only debian and raspberry-pi-os")),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::RaspberryPiOs => "raspberry-pi-os",
        }
    }

    /// Boards that start from it, by the names of Imager's list.
    pub(super) const fn devices(self) -> &'static [&'static str] {
        match self {
            Self::Debian => &["pi3-64bit", "pi4-64bit"],
            Self::RaspberryPiOs => &["pi3-64bit", "pi4-64bit", "pi5-64bit"],
        }
    }

    /// Whether an archive was named where one is needed, and only there.
    pub(super) fn check(self, archive: Option<&str>, keyring: Option<&Path>) -> Outcome {
        match (self, archive, keyring) {
            (Self::Debian, None, None) | (Self::RaspberryPiOs, Some(_), Some(_)) => Ok(()),
            (Self::Debian, ..) => {
                Err("--archive and --keyring are for --flavour raspberry-pi-os; Debian's packages come from --mirror"
                    .to_owned())
            }
            (Self::RaspberryPiOs, ..) => {
                Err("the Raspberry Pi's own packages are not in Debian: name their archive by \
                                              --archive URL and the key that it is signed with by --keyring FILE \
                                              (raspberrypi-archive-keyring on a Raspberry Pi)"
                    .to_owned())
            }
        }
    }

    /// All packages, the kernel's among them.
    pub(super) fn packages(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Debian => &["linux-image-arm64"],
            Self::RaspberryPiOs => &["linux-image-rpi-v8", "linux-image-rpi-2712", "raspi-utils", "rpicam-apps-lite"],
        };
        let mut packages = [PACKAGES, own].concat();
        packages.sort_unstable();
        packages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flavour_has_a_kernel_and_its_name() {
        for flavour in [Flavour::Debian, Flavour::RaspberryPiOs] {
            assert_eq!(Flavour::named(flavour.name()), Ok(flavour));
            assert!(flavour.packages().iter().any(|package| package.starts_with("linux-image-")));
            assert!(flavour.packages().is_sorted() && !flavour.devices().is_empty());
        }
        assert!(!Flavour::Debian.devices().contains(&"pi5-64bit"), "Debian's kernel has no driver for its RP1");
    }
}
