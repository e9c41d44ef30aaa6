//! The types of tensors: how many values make a block, and how many bytes. From ggml's `ggml_type` and the blocks of
//! `ggml-common.h`; sizes compared with those of the `gguf` package 0.19.0.

/// How a tensor's rows are stored: in blocks of some values each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockType {
    id: u32,
    name: &'static str,
    values: usize,
    bytes: usize,
}

impl BlockType {
    /// IEEE binary32.
    pub const F32: Self = Self::new(0, "F32", 1, 4);
    /// IEEE binary16.
    pub const F16: Self = Self::new(1, "F16", 1, 2);
    /// 4 bits and a scale.
    pub const Q4_0: Self = Self::new(2, "Q4_0", 32, 18);
    /// 4 bits, a scale and a least value.
    pub const Q4_1: Self = Self::new(3, "Q4_1", 32, 20);
    /// 5 bits and a scale.
    pub const Q5_0: Self = Self::new(6, "Q5_0", 32, 22);
    /// 5 bits, a scale and a least value.
    pub const Q5_1: Self = Self::new(7, "Q5_1", 32, 24);
    /// 8 bits and a scale.
    pub const Q8_0: Self = Self::new(8, "Q8_0", 32, 34);
    /// 4 bits, scales of scales.
    pub const Q4_K: Self = Self::new(12, "Q4_K", 256, 144);
    /// 5 bits, scales of scales.
    pub const Q5_K: Self = Self::new(13, "Q5_K", 256, 176);
    /// 6 bits, scales of scales.
    pub const Q6_K: Self = Self::new(14, "Q6_K", 256, 210);
    /// bfloat16.
    pub const BF16: Self = Self::new(30, "BF16", 1, 2);

    /// Every type whose size is known; a file may hold those that are not dequantised as long as nobody reads them.
    const ALL: [Self; 31] = [
        Self::F32,
        Self::F16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::new(10, "Q2_K", 256, 84),
        Self::new(11, "Q3_K", 256, 110),
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::new(15, "Q8_K", 256, 292),
        Self::new(16, "IQ2_XXS", 256, 66),
        Self::new(17, "IQ2_XS", 256, 74),
        Self::new(18, "IQ3_XXS", 256, 98),
        Self::new(19, "IQ1_S", 256, 50),
        Self::new(20, "IQ4_NL", 32, 18),
        Self::new(21, "IQ3_S", 256, 110),
        Self::new(22, "IQ2_S", 256, 82),
        Self::new(23, "IQ4_XS", 256, 136),
        Self::new(24, "I8", 1, 1),
        Self::new(25, "I16", 1, 2),
        Self::new(26, "I32", 1, 4),
        Self::new(27, "I64", 1, 8),
        Self::new(28, "F64", 1, 8),
        Self::new(29, "IQ1_M", 256, 56),
        Self::BF16,
        Self::new(34, "TQ1_0", 256, 54),
        Self::new(35, "TQ2_0", 256, 66),
        Self::new(39, "MXFP4", 32, 17),
    ];

    const fn new(id: u32, name: &'static str, values: usize, bytes: usize) -> Self {
        Self { id, name, values, bytes }
    }

    /// The type with this number in the file.
    #[must_use]
    pub fn of(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|block| block.id == id)
    }

    /// As ggml calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Values in one block; a row is a whole number of blocks.
    #[must_use]
    pub const fn values(self) -> usize {
        self.values
    }

    /// Bytes of one block.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bytes
    }
}
