//! The stages between sources and MQTT: a frame becomes detections, detections become objects, objects become events.
//!
//! Each camera has a thread of its own ([`analysis`]) that decodes and preprocesses its frames and keeps its objects; all
//! of them share one [`detector`], whose network runs one frame at a time on the compute pool. What happened is told
//! through [`telling`]; how fast it went stands in [`meter`]. Beside the cameras one thread answers questions
//! ([`answering`]) with a language model ([`language`]); frames that are due go before its work ([`way`]).

pub(crate) mod analysis;
pub(crate) mod answering;
pub(crate) mod detector;
pub(crate) mod language;
pub(crate) mod meter;
pub(crate) mod network;
pub(crate) mod telling;
pub(crate) mod way;
