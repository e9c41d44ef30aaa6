//! Where frames and readings come from: cameras, sensors, the board itself, and pictures in files.
//!
//! A room for each kind of source declares its `Options`; `config` makes them, `app` starts a thread for each and
//! lends it what it needs (clock, frame pool, queue, [`stop::Stop`]).

pub(crate) mod board;
pub(crate) mod camera;
pub(crate) mod picture;
pub(crate) mod sensor;
pub(crate) mod stop;
