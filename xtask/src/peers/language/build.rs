//! The instruction sets that llama.cpp is built for, and what cmake is told for each.

/// Settings of each build: one static library without parts that nobody measures; no instruction set is guessed.
const SETTINGS: [&str; 11] = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DGGML_OPENMP=OFF",
    "-DGGML_CCACHE=OFF",
    "-DGGML_NATIVE=OFF",
];
const AVX2: [&str; 6] =
    ["-DGGML_SSE42=ON", "-DGGML_AVX=ON", "-DGGML_AVX2=ON", "-DGGML_BMI2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON"];
const AARCH64: [&str; 4] = [
    "-DCMAKE_SYSTEM_NAME=Linux",
    "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
    "-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc",
    "-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++",
];
/// What comes after AVX2: as /proc/cpuinfo and as llama.cpp call it. AMX is left out: it wants a permission that a virtual
/// machine may not have.
const ABOVE_AVX2: [(&str, &str); 5] = [
    ("avx_vnni", "GGML_AVX_VNNI"),
    ("avx512f", "GGML_AVX512"),
    ("avx512_vbmi", "GGML_AVX512_VBMI"),
    ("avx512_vnni", "GGML_AVX512_VNNI"),
    ("avx512_bf16", "GGML_AVX512_BF16"),
];
/// An instruction set that it is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Build {
    /// Nothing above AVX2.
    Avx2,
    /// All that this processor has, but for AMX.
    Native,
    /// Armv8.0: Raspberry Pi 3 and 4.
    Armv8,
    /// Armv8.2 with dot products: Raspberry Pi 5.
    DotProduct,
}

impl Build {
    /// As folders and reports call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Avx2 => "avx2",
            Self::Native => "native",
            Self::Armv8 => "armv8-a",
            Self::DotProduct => "armv8.2-a+dotprod",
        }
    }

    /// Our instruction set to compare it with.
    pub(super) const fn our_isa(self) -> &'static str {
        match self {
            Self::Avx2 => "avx2",
            Self::Native => "avx_vnni",
            Self::Armv8 => "neon",
            Self::DotProduct => "neon_dotprod",
        }
    }

    /// What it must say of itself, and what it must not.
    pub(super) const fn signs(self) -> (&'static str, &'static str) {
        match self {
            Self::Avx2 => ("AVX2 = 1", "AVX512 = 1"),
            Self::Native => ("AVX_VNNI = 1", "AMX_INT8 = 1"),
            Self::Armv8 => ("NEON = 1", "DOTPROD = 1"),
            Self::DotProduct => ("DOTPROD = 1", "MATMUL_INT8 = 1"),
        }
    }

    /// Whether this processor is the one that the build is for.
    pub(super) fn can_run(self) -> bool {
        match self {
            Self::Avx2 => cpu_flags().iter().any(|flag| flag == "avx2"),
            Self::Native => cpu_flags().iter().any(|flag| flag == "avx_vnni"),
            Self::Armv8 | Self::DotProduct => false,
        }
    }

    /// Whose libraries it shares but for the kernels: only these know the instruction set, and the rest takes longest to build.
    pub(super) const fn rest(self) -> Self {
        match self {
            Self::Avx2 | Self::Native => Self::Avx2,
            Self::Armv8 | Self::DotProduct => Self::Armv8,
        }
    }

    /// What compiles and links for it.
    pub(super) const fn compiler(self) -> &'static str {
        match self {
            Self::Avx2 | Self::Native => "c++",
            Self::Armv8 | Self::DotProduct => "aarch64-linux-gnu-g++",
        }
    }

    /// For cmake.
    pub(super) fn settings(self) -> Vec<String> {
        let own: Vec<String> = match self {
            Self::Avx2 => x86(&[]),
            Self::Native => x86(&cpu_flags()),
            Self::Armv8 | Self::DotProduct => AARCH64
                .map(ToOwned::to_owned)
                .into_iter()
                .chain([format!("-DGGML_CPU_ARM_ARCH={}", self.name())])
                .collect(),
        };
        SETTINGS.map(ToOwned::to_owned).into_iter().chain(own).collect()
    }
}

/// Settings for a processor with AVX2 and those of `flags` that come after it.
fn x86(flags: &[String]) -> Vec<String> {
    let above = ABOVE_AVX2.iter().map(|(flag, setting)| {
        let switch = if flags.iter().any(|has| has == flag) { "ON" } else { "OFF" };
        format!("-D{setting}={switch}")
    });
    let amx = ["TILE", "INT8", "BF16"].map(|part| format!("-DGGML_AMX_{part}=OFF"));
    AVX2.map(ToOwned::to_owned).into_iter().chain(above).chain(amx).collect()
}

/// What /proc/cpuinfo says that the processor can do.
fn cpu_flags() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    flags.map_or_else(Vec::new, |(_, flags)| flags.split_whitespace().map(ToOwned::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_names_its_instructions() {
        let native = x86(&["avx2", "avx_vnni", "avx512_vnni", "amx_int8"].map(ToOwned::to_owned));
        for (setting, switch) in [("AVX_VNNI", "ON"), ("AVX512", "OFF"), ("AVX512_VNNI", "ON"), ("AMX_INT8", "OFF")] {
            assert!(native.contains(&format!("-DGGML_{setting}={switch}")), "{setting}: {native:?}");
        }
        assert!(Build::Avx2.settings().contains(&"-DGGML_AVX_VNNI=OFF".to_owned()));
        assert!(Build::Armv8.settings().contains(&"-DGGML_CPU_ARM_ARCH=armv8-a".to_owned()));
    }
}
