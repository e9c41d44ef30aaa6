//! Floor 1: what a network is, how it is stored, and how it runs.
//!
//! The way of a network: an importer makes a float [`graph::Graph`]; passes simplify it; the converter decides each
//! layer's precision and lowers it to a [`program::Program`] with packed weights; the bundle stores that and
//! [`metadata`]; the executor runs it out of the mapped file.

pub mod arena;
pub mod bundle;
pub mod executor;
#[cfg(test)]
mod fixture;
pub mod gguf;
pub mod graph;
pub mod metadata;
pub mod model;
pub mod passes;
pub mod plan;
pub mod program;
pub mod reference;
pub mod tensor;
pub mod workers;
