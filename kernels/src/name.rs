//! The grammar of kernels' names: `op_types[_tile]_isa`, e.g. `gemm_i8i8i32_4x8x8_neon_dotprod`.
//!
//! - op: the folder under `kernels/src`;
//! - types: of the input, of the second operand (weights, or the other addend) if there is one, of the accumulator or
//!   result, run together: `u8`, `i4`, `i8`, `i16`, `i32`,
//!   `f16`, `f32`;
//! - tile: the block of results of the inner loop (rows x channels) and the step along K, as much as applies;
//! - isa: [`Isa::name`].

use crate::isa::Isa;

#[cfg(test)]
mod tests;

/// A name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The operator's folder.
    pub op: String,
    /// Element types.
    pub types: Vec<String>,
    /// Numbers between the `x`.
    pub tile: Vec<usize>,
    /// What it needs.
    pub isa: Isa,
}

/// Why a name is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// The last words are no [`Isa::name`].
    #[error("kernel name '{0}' does not end in an instruction set (scalar, neon, neon_dotprod, avx2, avx_vnni)")]
    NoIsa(String),
    /// The word before the tile is not made of element types.
    #[error("kernel name '{0}' has no element types (u8, i4, i8, i16, i32, f16, f32 run together) before its tile")]
    NoTypes(String),
    /// Nothing stands before the types.
    #[error("kernel name '{0}' names no operator before its element types")]
    NoOperator(String),
}

impl Name {
    /// Takes `name` apart.
    ///
    /// # Errors
    /// When it does not follow the grammar.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let (rest, isa) = Isa::ALL
            .into_iter()
            .find_map(|isa| Some((name.strip_suffix(isa.name())?.strip_suffix('_')?, isa)))
            .ok_or_else(|| NameError::NoIsa(name.to_owned()))?;
        let (rest, tile) = match rest.rsplit_once('_') {
            Some((before, word)) => tile(word).map_or((rest, Vec::new()), |tile| (before, tile)),
            None => (rest, Vec::new()),
        };
        let (op, word) = rest.rsplit_once('_').ok_or_else(|| NameError::NoTypes(name.to_owned()))?;
        let types = types(word).ok_or_else(|| NameError::NoTypes(name.to_owned()))?;
        if op.is_empty() {
            return Err(NameError::NoOperator(name.to_owned()));
        }
        Ok(Self { op: op.to_owned(), types, tile, isa })
    }
}

fn tile(word: &str) -> Option<Vec<usize>> {
    word.split('x').map(|side| side.parse().ok().filter(|&side| side > 0)).collect()
}

fn types(word: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let element =
            ["u8", "i4", "i8", "i16", "i32", "f16", "f32"].into_iter().find(|element| rest.starts_with(element))?;
        found.push(element.to_owned());
        rest = &rest[element.len()..];
    }
    (!found.is_empty()).then_some(found)
}
