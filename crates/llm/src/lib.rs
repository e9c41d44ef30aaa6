//! A language model, from text to tokens and from tokens to text. A pure room: no files, no sockets, no clock, no threads of
//! its own; memory is taken when a model or a slot is made, and a token allocates nothing.
//!
//! ```text
//! messages -> template -> tokenizer -> forward (over kernels, with a cache of keys and values) -> sampler -> text
//! ```
#![forbid(unsafe_code)]

pub mod constrain;
pub mod engine;
#[cfg(test)]
mod fixtures;
pub mod forward;
pub mod kv_cache;
pub mod lookup;
pub mod marking;
pub mod model;
pub mod pace;
mod parts;
pub mod rope;
pub mod sampler;
pub mod stop;
pub mod template;
pub mod tokenizer;
pub mod watch;
