//! Floor 2: from a picture to detections, and from detections to objects. Pure: no files, no threads, no clock.
//!
//! The flow: [`preprocess`] brings a frame to the network's input; the executor (`clawdbot_nn`) runs it; [`heads`] reads
//! detections out of its results, with [`nms`]; [`objects`] turns the detections of frame after frame into things that
//! come and go. Where the picture has more pixels than the network, [`motion`] and [`regions`] decide what it looks at.
#![forbid(unsafe_code)]

pub mod annotate;
pub mod heads;
pub mod motion;
pub mod nms;
pub mod objects;
pub mod preprocess;
pub mod regions;
