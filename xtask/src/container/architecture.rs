//! The processors that the image is built for.

/// One of them, by Debian's and the container engines' name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    /// By its name.
    pub(super) fn find(name: &str) -> Option<Self> {
        [Self::Amd64, Self::Arm64].into_iter().find(|architecture| architecture.name() == name)
    }

    /// This machine's.
    ///
    /// # Errors
    /// Where it is neither.
    pub(super) fn of_this_machine() -> Result<Self, String> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::Amd64),
            "aarch64" => Ok(Self::Arm64),
            other => Err(format!("there is no image for {other}: run it on x86_64 or aarch64")),
        }
    }

    /// As Debian and the engines call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The program that strips its binaries.
    pub(super) fn strip(self) -> &'static str {
        match self {
            _ if self.is_native() => "strip",
            Self::Amd64 => "x86_64-linux-gnu-strip",
            Self::Arm64 => "aarch64-linux-gnu-strip",
        }
    }

    /// Whether this machine runs it without help.
    pub(super) fn is_native(self) -> bool {
        Self::of_this_machine() == Ok(self)
    }

    /// The program that plays its processor, with arguments; empty where none is needed.
    pub(super) fn emulator(self) -> &'static [&'static str] {
        match self {
            _ if self.is_native() => &[],
            Self::Amd64 => &["/usr/bin/qemu-x86_64-static"],
            Self::Arm64 => &["/usr/bin/qemu-aarch64-static", "-cpu", "cortex-a72"],
        }
    }
}
