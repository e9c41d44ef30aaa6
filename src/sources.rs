//! Where frames and readings come from: cameras, sensors, the board itself, and pictures in files.

pub(crate) mod picture;
