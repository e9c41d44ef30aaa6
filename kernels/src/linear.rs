//! What the products of a language model's layers share: a weight matrix of N rows times the activations of T tokens, in
//! groups of 32 along K.
//!
//! - **Floats of T tokens** are `[N/8][T][8]`: value n of token t lies at `((n / 8) * T + t) * 8 + n % 8`. One token's are a
//!   plain vector. Some rows of a matrix, eight at a time, make one contiguous piece of its result, so threads split with
//!   `chunks_mut`.
//! - **Quantised activations** are [`Activations`], made by [`crate::group_quantize`].
//! - **Weights** come in blocks of 32 along K by 8 rows, each with the 8 scales of its rows in front (binary16, little
//!   endian), `[N/8][K/32]` blocks a matrix; N is padded to 8 by rows whose scales are 0. See [`crate::linear_i4::pack`] and
//!   [`crate::linear_i8::pack`].
//!
//! **The law**, bit-equal on every ISA and for every T, so that a token's results do not depend on its company:
//!
//! ```text
//! y = 0
//! for each group g, ascending:
//!     s = sum over the group of weight * quant             in i32, exact
//!     y = fma(f32(s), weight_scale[n][g] * scale[g][t], y)  the product rounded to f32, then one fused operation
//! ```

#[cfg(target_arch = "x86_64")]
use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use crate::x86::Columns;

#[cfg(target_arch = "aarch64")]
pub(crate) mod dot;
pub(crate) mod loops;
#[cfg(target_arch = "aarch64")]
pub(crate) mod pairs;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
pub(crate) mod unpacked;

/// Values along K that share a scale.
pub const GROUP: usize = 32;

/// Rows of a block of weights.
pub const ROWS: usize = 8;

/// Bytes of a block's scales.
pub(crate) const SCALES: usize = 2 * ROWS;

/// The quantised activations of `tokens` tokens. Value k of token t is `quants[..] * scales[..]` at group k / 32.
#[derive(Clone, Copy, Debug)]
pub struct Activations<'a> {
    /// T, at least 1.
    pub tokens: usize,
    /// `[K/32][T][32]`, -127..=127.
    pub quants: &'a [i8],
    /// `[K/32][T]`, finite.
    pub scales: &'a [f32],
    /// `[K/32][T]`: -8 times the sum of the 32 quants, what unsigned nibbles with an offset of 8 add too much.
    pub corrections: &'a [i32],
}

/// One call of a layer with quantised activations.
#[derive(Debug)]
pub struct Task<'a> {
    /// The activations of all tokens.
    pub activations: Activations<'a>,
    /// Packed.
    pub weights: &'a [u8],
    /// Where results go.
    pub output: &'a mut [f32],
}

impl Activations<'_> {
    /// Groups along K: K / 32.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.scales.len().checked_div(self.tokens).unwrap_or(0)
    }

    /// Panics unless the slices belong together.
    fn check(&self) {
        let (tokens, groups) = (self.tokens, self.groups());
        assert!(tokens > 0, "activations of no token");
        assert!(
            self.scales.len() == groups * tokens
                && self.corrections.len() == groups * tokens
                && self.quants.len() == groups * tokens * GROUP,
            "{} quants, {} scales and {} corrections of {tokens} tokens",
            self.quants.len(),
            self.scales.len(),
            self.corrections.len()
        );
    }
}

impl Task<'_> {
    /// Panics unless the slices belong together; a block of weights has `block` bytes.
    pub(crate) fn check(&self, block: usize) {
        self.activations.check();
        let (panels, groups) = (panels(self.output.len(), self.activations.tokens), self.activations.groups());
        let weights = self.weights.len();
        assert!(weights == panels * groups * block, "{weights} bytes of weights for {panels} x {groups} blocks");
    }
}

/// What R tokens read of one group.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Step<'a, const R: usize> {
    pub(crate) quants: &'a [[i8; GROUP]; R],
    pub(crate) scales: &'a [f32; R],
    pub(crate) corrections: &'a [i32; R],
}

/// The steps of R tokens along K.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Steps<'a, const R: usize> {
    quants: Columns<'a, [i8; GROUP], R, 1>,
    scales: Columns<'a, f32, R, 1>,
    corrections: Columns<'a, i32, R, 1>,
}

#[cfg(target_arch = "x86_64")]
impl<'a, const R: usize> Steps<'a, R> {
    /// Those of the tokens from `first` on, in some of the groups along K.
    #[inline(always)]
    pub(crate) fn new(activations: &Activations<'a>, first: usize, groups: Range<usize>) -> Self {
        let tokens = activations.tokens;
        assert!(R <= tokens && first <= tokens - R, "R tokens from {first} on, of {tokens}");
        let mut steps = Self {
            quants: Columns::new(&[[0; GROUP]; R], groups.len()),
            scales: Columns::new(&[0.0; R], groups.len()),
            corrections: Columns::new(&[0; R], groups.len()),
        };
        if !groups.is_empty() {
            let first = groups.start * tokens + first;
            steps.quants.put(0, &activations.quants.as_chunks().0[first..], tokens);
            steps.scales.put(0, &activations.scales[first..], tokens);
            steps.corrections.put(0, &activations.corrections[first..], tokens);
        }
        steps
    }

    /// The next group, if there is one.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Step<'a, R>> {
        let ([quants], [scales], [corrections]) = (self.quants.next()?, self.scales.next()?, self.corrections.next()?);
        Some(Step { quants, scales, corrections })
    }
}

/// A call as variants take it apart, its lengths checked: blocks of `B` bytes, eight rows at a time.
pub(crate) struct Panels<'a, const B: usize> {
    pub(crate) activations: Activations<'a>,
    /// How many groups along K there are.
    pub(crate) groups: usize,
    blocks: &'a [[u8; B]],
    output: &'a mut [[f32; ROWS]],
    /// How many times eight rows there are.
    pub(crate) count: usize,
}

impl<'a, const B: usize> Panels<'a, B> {
    pub(crate) fn new(task: Task<'a>) -> Self {
        task.check(B);
        let Task { activations, weights, output } = task;
        let (count, groups) = (panels(output.len(), activations.tokens), activations.groups());
        Self { activations, groups, blocks: weights.as_chunks().0, output: output.as_chunks_mut().0, count }
    }

    /// The blocks of P times eight rows from `panel` on, group by group.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn blocks<const P: usize>(&self, panel: usize) -> Columns<'a, [u8; B], 1, P> {
        let mut columns = Columns::new(&[[0; B]; 1], self.groups);
        for index in 0..P {
            if self.groups > 0 {
                columns.put(index, &self.blocks[(panel + index) * self.groups..][..self.groups], 1);
            }
        }
        columns
    }

    /// The blocks of the eight rows of `panel` in some of the groups along K.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn blocks_of(&self, panel: usize, groups: Range<usize>) -> &'a [[u8; B]] {
        &self.blocks[panel * self.groups..][groups]
    }

    /// How many bytes P times eight rows take.
    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn bytes<const P: usize>(&self) -> usize {
        P * self.groups * B
    }

    /// Where the results of `panel` for R tokens from `token` on go.
    #[inline(always)]
    pub(crate) fn results<const R: usize>(&mut self, panel: usize, token: usize) -> &mut [[f32; ROWS]; R] {
        self.output[panel * self.activations.tokens + token..].first_chunk_mut().expect("R tokens")
    }

    /// What the results of P times eight rows from `panel` on by R tokens from `token` on are made of, and where they go: R
    /// times eight numbers, or P if there is but one token. Without a group along K they are nothing, and there is no tile.
    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    pub(crate) fn tile<const P: usize, const R: usize, const N: usize>(
        &mut self,
        panel: usize,
        token: usize,
    ) -> Option<(Tile<'a, B, P, R>, &mut [[f32; ROWS]; N])> {
        const { assert!(N == P * R && (P == 1 || R == 1)) }
        let (activations, groups, blocks) =
            (self.activations, self.groups, &self.blocks[panel * self.groups..][..P * self.groups]);
        assert!(token + R <= activations.tokens && (P == 1 || activations.tokens == 1), "a token that is not there");
        let results = self.results::<N>(panel, token);
        if groups == 0 {
            *results = [[0.0; ROWS]; N];
            return None;
        }
        Some((Tile { activations, token, groups, blocks }, results))
    }
}

/// What P times eight rows by R tokens read, checked by [`Panels`]: what the unsafe edges rely on.
#[cfg(target_arch = "aarch64")]
pub(crate) struct Tile<'a, const B: usize, const P: usize, const R: usize> {
    activations: Activations<'a>,
    token: usize,
    groups: usize,
    blocks: &'a [[u8; B]],
}

#[cfg(target_arch = "aarch64")]
impl<const B: usize, const P: usize, const R: usize> Tile<'_, B, P, R> {
    /// How many groups, at least one.
    const fn groups(&self) -> usize {
        self.groups
    }

    /// The blocks of the first eight rows, and behind them those of the others.
    const fn weights(&self) -> *const [u8; B] {
        self.blocks.as_ptr()
    }

    /// The blocks of the second eight rows.
    const fn second_weights(&self) -> *const [u8; B] {
        const { assert!(P == 2) }
        self.blocks.as_ptr().wrapping_add(self.groups)
    }

    /// 32 quants of each of the R tokens, and so on every [`Self::step`].
    const fn quants(&self) -> *const i8 {
        self.activations.quants.as_ptr().wrapping_add(self.token * GROUP)
    }

    /// A scale of each of the R tokens, and so on every [`Self::step`].
    const fn scales(&self) -> *const f32 {
        self.activations.scales.as_ptr().wrapping_add(self.token)
    }

    /// A correction of each of the R tokens, and so on every [`Self::step`].
    const fn corrections(&self) -> *const i32 {
        self.activations.corrections.as_ptr().wrapping_add(self.token)
    }

    /// Bytes from group to group of what has a T for each token, less the `done` that a pointer has moved already.
    const fn step<T>(&self, done: isize) -> isize {
        (self.activations.tokens * size_of::<T>()).cast_signed() - done
    }
}

/// How many times 8 rows a result of `output` elements has; panics where it is no whole number.
pub(crate) fn panels(output: usize, tokens: usize) -> usize {
    assert!(output.is_multiple_of(tokens * ROWS), "{output} results are no multiple of {tokens} tokens x {ROWS} rows");
    output / (tokens * ROWS)
}

/// Where value `n` of token `token` of `tokens` lies among floats.
#[must_use]
pub const fn float_index(tokens: usize, n: usize, token: usize) -> usize {
    (n / ROWS * tokens + token) * ROWS + n % ROWS
}

/// The scale of row `row` of a block, by its first bytes.
pub(crate) const fn scale(block: &[u8], row: usize) -> f32 {
    crate::float16::widen(u16::from_le_bytes([block[2 * row], block[2 * row + 1]]))
}

/// `values` of shape `[N][K]` over `scales` (binary16 bits, `[N][K/32]`), each to the nearest whole number within `low..=high`,
/// ties to even. Over a scale of 0 all are nothing.
///
/// # Panics
/// When K is no multiple of 32 or a length is another.
pub(crate) fn quantize_rows(values: &[f32], k: usize, scales: &[u16], [low, high]: [i8; 2]) -> Vec<i8> {
    // Added to a number below 2^22 it leaves no room for a fraction: its last place is 1.
    const WHOLE: f32 = 12_582_912.0;
    check_rows(values.len(), k, scales.len());
    let (low, high) = (f32::from(low), f32::from(high));
    let mut quants = vec![0; values.len()];
    let groups = values.as_chunks::<GROUP>().0.iter().zip(quants.as_chunks_mut::<GROUP>().0);
    for ((values, quants), &scale) in groups.zip(scales) {
        let scale = crate::float16::widen(scale);
        let divisor = if scale == 0.0 { f32::INFINITY } else { scale };
        for (value, quant) in values.iter().zip(quants) {
            // Bounds are whole, so it is the same to hold before rounding.
            let held = (value / divisor).max(low).min(high);
            *quant = ((held + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits())) as i8;
        }
    }
    quants
}

/// Lays `quants` of shape `[N][K]` with their `scales` (`[N][K/32]`) out in blocks of `block` bytes, which behind the scales are
/// `empty` where there is no row; `put` puts a group of a row into the bytes behind the scales.
pub(crate) fn pack_blocks(
    quants: &[i8],
    k: usize,
    scales: &[u16],
    (block, empty): (usize, u8),
    put: impl Fn(&mut [u8], usize, &[i8; GROUP]),
) -> Vec<u8> {
    check_rows(quants.len(), k, scales.len());
    let groups = k / GROUP;
    let n = scales.len().checked_div(groups).unwrap_or(0);
    let mut packed = vec![empty; n.div_ceil(ROWS) * groups * block];
    for block in packed.chunks_exact_mut(block) {
        block[..SCALES].fill(0);
    }
    for (index, (quants, scale)) in quants.as_chunks::<GROUP>().0.iter().zip(scales).enumerate() {
        let (row, group) = (index / groups, index % groups);
        let block = &mut packed[(row / ROWS * groups + group) * block..][..block];
        let (front, bytes) = block.split_at_mut(SCALES);
        front[row % ROWS * 2..][..2].copy_from_slice(&scale.to_le_bytes());
        put(bytes, row % ROWS, quants);
    }
    packed
}

/// Panics unless `values` elements in rows of `k` have one of `scales` scales each 32.
fn check_rows(values: usize, k: usize, scales: usize) {
    assert!(k.is_multiple_of(GROUP), "rows of {k}, which is no multiple of {GROUP}");
    assert!(values == scales * GROUP, "{scales} scales for {values} values");
    assert!(values == 0 || values.is_multiple_of(k), "{values} values are no rows of {k}");
}

/// The blocks of the eight rows in which row `row` of a matrix lies, and its number among them.
///
/// # Panics
/// When `weights` ends before them, or K is no multiple of 32.
pub(crate) fn panel_of(weights: &[u8], k: usize, row: usize, block: usize) -> (&[u8], usize) {
    assert!(k.is_multiple_of(GROUP), "rows of {k}, which is no multiple of {GROUP}");
    let length = k / GROUP * block;
    let panel = weights.get(row / ROWS * length..).and_then(|rest| rest.get(..length));
    let Some(panel) = panel else { panic!("row {row} of {k} is not in {} bytes of weights", weights.len()) };
    (panel, row % ROWS)
}

/// Panics unless `output` holds `tokens` tokens of `k` floats, `token` among them.
pub(crate) fn check_place(output: usize, k: usize, [token, tokens]: [usize; 2]) {
    assert!(k.is_multiple_of(ROWS) && output == k * tokens, "room for {output} floats, not {tokens} times {k}");
    assert!(token < tokens, "token {token} of {tokens}");
}
