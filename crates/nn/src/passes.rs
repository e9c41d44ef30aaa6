//! Rewrites of a float graph that leave its results as they are and its work smaller. Each is a function from graph to
//! graph that takes what it recognises and leaves the rest alone; `reference` is the judge.

mod activation;
mod affine;
mod constants;
mod dead;
mod gates;
mod pad;
mod pools;
mod residual;
mod slices;
#[cfg(test)]
mod tests;

pub use activation::fuse_activations;
pub use affine::fold_affine;
pub use constants::fold_constants;
pub use dead::remove_dead;
pub use gates::fuse_gates;
pub use pad::fold_pads;
pub use pools::chain_pools;
pub use residual::fuse_residuals;
pub use slices::{fold_unshuffles, merge_slices};

use crate::graph::Graph;

/// All passes, in an order in which each finds what the earlier ones made: constants first, then pixels that
/// were moved into channels, sigmoids that gate their own input (which would read it twice otherwise), then what belongs into a
/// convolution (padding, factors, activation), pools that can begin where others end, then residual sums, which need the
/// convolution bare; dead nodes last.
#[must_use]
pub fn simplify(graph: Graph) -> Graph {
    let graph = fold_constants(graph);
    let graph = fold_unshuffles(merge_slices(graph));
    let graph = remove_dead(fuse_gates(graph));
    let graph = chain_pools(fold_pads(graph));
    let graph = fold_affine(graph);
    let graph = fuse_activations(graph);
    let graph = fuse_residuals(graph);
    remove_dead(graph)
}
