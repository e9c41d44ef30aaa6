//! Floor 3: how good a model is, in the figures that its field uses. Pure: what is read from files comes in as text.
//!
//! [`coco`] reads annotations, [`average_precision`] compares detections with them as pycocotools does, [`bootstrap`] says how
//! much of a difference is chance, [`labels`] says which category a model's label means; [`top_k`] counts how often a
//! classifier is right; [`stage`] makes camera-like scenes;
//! [`perplexity`] is how surprised a language model is by a text.
#![forbid(unsafe_code)]

pub mod average_precision;
pub mod bootstrap;
pub mod coco;
pub mod labels;
pub mod perplexity;
pub mod stage;
pub mod top_k;
