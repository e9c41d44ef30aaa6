//! Instruction sets: which exist, which this processor has, and the one place where a body made for one is called.
//!
//! This is the only file that detects features. An [`Isa`] is a value that is passed down, so a caller can force one and
//! a test can walk all of them.

use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// What a kernel may use. Ordered from the plainest to the most able within a processor family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Plain Rust: the reference.
    Scalar,
    /// Armv8.0 Advanced SIMD: Raspberry Pi 3, Zero 2 W, 4.
    Neon,
    /// Advanced SIMD with the dot product instructions of Armv8.2: Raspberry Pi 5, RK3588.
    NeonDotprod,
    /// AVX2 with FMA and F16C (they came together, in 2013).
    Avx2,
    /// AVX2 with AVX-VNNI, dot products of bytes in the older encoding: Alder Lake and its small cores (N100), Zen 5.
    AvxVnni,
}

/// A word that is no instruction set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{word}' is no instruction set; use one of scalar, neon, neon_dotprod, avx2, avx_vnni")]
pub struct UnknownIsa {
    word: String,
}

/// A processor core that `clawdbot kernels --as` knows: its name, what it offers, where one meets it.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// As compilers and QEMU call it (`-cpu`, `-mcpu`).
    pub name: &'static str,
    /// The best instruction set of ours that it has.
    pub isa: Isa,
    /// Boards with it.
    pub boards: &'static str,
}

/// Known cores. Source: the cores' technical reference manuals (dot product: `ID_AA64ISAR0_EL1.DP`), x86-64 psABI levels.
pub const CORES: &[Core] = &[
    Core { name: "cortex-a53", isa: Isa::Neon, boards: "Raspberry Pi 3, Zero 2 W" },
    Core { name: "cortex-a55", isa: Isa::NeonDotprod, boards: "RK3588 (small cores), RK3566" },
    Core { name: "cortex-a57", isa: Isa::Neon, boards: "Jetson Nano" },
    Core { name: "cortex-a72", isa: Isa::Neon, boards: "Raspberry Pi 4, RK3399 (big cores)" },
    Core { name: "cortex-a76", isa: Isa::NeonDotprod, boards: "Raspberry Pi 5, RK3588 (big cores)" },
    Core { name: "neoverse-n1", isa: Isa::NeonDotprod, boards: "Ampere Altra, Graviton 2" },
    Core { name: "x86-64", isa: Isa::Scalar, boards: "any 64-bit PC" },
    Core { name: "x86-64-v2", isa: Isa::Scalar, boards: "Celeron J4125, other Atoms before Gracemont" },
    Core { name: "x86-64-v3", isa: Isa::Avx2, boards: "PCs since Haswell and Zen" },
    Core { name: "gracemont", isa: Isa::AvxVnni, boards: "Alder Lake-N: N95, N97, N100, N305" },
    Core { name: "alderlake", isa: Isa::AvxVnni, boards: "PCs since Alder Lake" },
    Core { name: "znver5", isa: Isa::AvxVnni, boards: "PCs since Zen 5" },
];

impl Isa {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Scalar, Self::Neon, Self::NeonDotprod, Self::Avx2, Self::AvxVnni];

    /// The best that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        let best_first = [Self::NeonDotprod, Self::Neon, Self::AvxVnni, Self::Avx2];
        best_first.into_iter().find(|isa| isa.available()).unwrap_or(Self::Scalar)
    }

    /// Whether this processor has it. Costs a few loads: the answer is cached by the standard library.
    #[must_use]
    pub fn available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDotprod => {
                std::arch::is_aarch64_feature_detected!("neon") && std::arch::is_aarch64_feature_detected!("dotprod")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
                    && std::arch::is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => Self::Avx2.available() && std::arch::is_x86_feature_detected!("avxvnni"),
            _ => false,
        }
    }

    /// Whether a processor that has `self` can run what was made for `other`.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (_, Self::Scalar)
                | (Self::Neon | Self::NeonDotprod, Self::Neon)
                | (Self::NeonDotprod, Self::NeonDotprod)
                | (Self::Avx2 | Self::AvxVnni, Self::Avx2)
                | (Self::AvxVnni, Self::AvxVnni)
        )
    }

    /// The word for it in names of kernels, in `CLAWDBOT_ISA` and in `KERNELS_REQUIRE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::NeonDotprod => "neon_dotprod",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avx_vnni",
        }
    }

    /// What the core of that name offers; `None` for one that [`CORES`] does not list.
    #[must_use]
    pub fn for_core(name: &str) -> Option<Self> {
        CORES.iter().find(|core| core.name == name).map(|core| core.isa)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(word: &str) -> Result<Self, UnknownIsa> {
        Self::ALL.into_iter().find(|isa| isa.name() == word).ok_or_else(|| UnknownIsa { word: word.to_owned() })
    }
}

/// An operator: what one call of it needs.
pub trait Operator: 'static {
    /// The arguments of one call.
    type Task<'a>;
}

/// A body: safe code that needs the features of one ISA, which makes its pointer an `unsafe fn`.
type Body<O> = for<'a> unsafe fn(<O as Operator>::Task<'a>);

/// One implementation of an operator.
///
/// The table in which it stands is part of the safety argument: a variant's body may use no feature beyond its `isa`. The
/// file that holds it is named after the ISA, and a test compares name, fields and file.
pub struct Variant<O: Operator> {
    /// See [`crate::name`].
    pub name: &'static str,
    /// What it needs.
    pub isa: Isa,
    /// The block of results that its inner loop makes, and the step along K: as much as applies.
    pub tile: &'static [usize],
    /// `None` where this build is for another processor family.
    pub(crate) body: Option<Body<O>>,
}

impl<O: Operator> Variant<O> {
    /// Whether [`Self::run`] can be called here.
    #[must_use]
    pub fn runnable(&self) -> bool {
        self.body.is_some() && self.isa.available()
    }

    /// Runs this variant.
    ///
    /// # Panics
    /// Where it is not [`Self::runnable`]: the caller forced an ISA that is not here.
    pub fn run(&self, task: O::Task<'_>) {
        let Some(body) = self.body.filter(|_| self.isa.available()) else {
            panic!("{} was asked for, but this processor has no {}", self.name, self.isa);
        };
        // SAFETY: a body is safe code but for its target features; they are those of `self.isa`, and that is available.
        unsafe { body(task) }
    }
}

/// The variant that `isa` runs: the last of `variants` that it includes and that this build holds.
pub(crate) fn choose<O: Operator>(variants: &[Variant<O>], isa: Isa) -> &Variant<O> {
    let fitting = variants.iter().rev().find(|variant| isa.includes(variant.isa) && variant.body.is_some());
    fitting.unwrap_or(&variants[0])
}
/// A body in an `aarch64` build, else nothing.
macro_rules! on_arm {
    ($body:path) => {{
        #[cfg(target_arch = "aarch64")]
        {
            Some($body as _)
        }
        #[cfg(not(target_arch = "aarch64"))]
        {
            None
        }
    }};
}
pub(crate) use on_arm;

/// A body in an `x86_64` build, else nothing.
macro_rules! on_x86 {
    ($body:path) => {{
        #[cfg(target_arch = "x86_64")]
        {
            Some($body as _)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            None
        }
    }};
}
pub(crate) use on_x86;
