//! Floor 3: turns a trained network into a bundle.
//!
//! An importer reads a float graph, passes simplify it, calibration measures what its values hold, sensitivity finds
//! the layers that INT8 would hurt, and lowering writes the program and its packed tensors.

#[cfg(test)]
mod fixtures;
pub mod importers;
