//! How much is computed without a look at who else wants to.

/// How a forward pass is cut: after each *item*, a piece of one matrix's product, `between` is asked whether to go on. It may
/// wait there until a camera's frame has been analysed, and answer `false` when nobody wants the result any more.
#[derive(Clone, Copy)]
pub struct Pace<'a> {
    /// Multiplications of one item, over all threads; at least one tile of eight rows is done.
    pub item_macs: usize,
    /// Whether to go on.
    pub between: &'a (dyn Fn() -> bool + Sync),
    /// Called when all is computed: what follows, choosing tokens, needs the calling thread alone.
    pub done: &'a (dyn Fn() + Sync),
}

impl std::fmt::Debug for Pace<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "items of {} MACs", self.item_macs)
    }
}

impl Pace<'_> {
    /// Nobody else wants to compute.
    pub const ALONE: Self = Self { item_macs: usize::MAX, between: &|| true, done: &|| () };

    /// How many pieces of `macs` multiplications each make an item; at least one.
    pub(crate) const fn pieces(&self, macs: usize) -> usize {
        let pieces = self.item_macs / if macs == 0 { 1 } else { macs };
        if pieces == 0 { 1 } else { pieces }
    }

    /// Tiles of eight rows of an item, of a matrix with `columns`, for so many tokens.
    pub(crate) const fn tiles(&self, columns: usize, tokens: usize) -> usize {
        self.pieces(8 * columns * tokens)
    }
}
