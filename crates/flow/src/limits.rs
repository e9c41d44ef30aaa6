//! Every bound that more than one room relies on, and how they hang together, checked by the compiler.

/// Frames that one camera may have under way: one being filled, one waiting, one being analysed, one spare.
pub const FRAMES_IN_FLIGHT_MAX: usize = 4;
/// The largest frame we take from a camera: 1080p YUYV, with room for the largest JPEG of that size.
pub const FRAME_BYTES_MAX: usize = 1920 * 1080 * 2;
/// Cameras that one daemon serves.
pub const CAMERAS_MAX: usize = 8;
/// Frame memory that one camera may take.
pub const FRAME_POOL_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Boxes that survive non-maximum suppression for one frame.
pub const DETECTIONS_MAX: usize = 300;
/// The largest picture side that we decode.
pub const PICTURE_SIDE_MAX: u32 = 16_384;
/// The largest picture that we decode, in pixels.
pub const PICTURE_PIXELS_MAX: u64 = 64 * 1024 * 1024;
/// The largest MQTT packet that we send; checked before a message is queued.
pub const MQTT_PACKET_BYTES_MAX: usize = 256 * 1024;
/// The largest MQTT packet that we take. A larger one costs the connection, so there is room to tell whoever sends too much.
pub const MQTT_PACKET_TAKEN_BYTES_MAX: usize = 2 * 1024 * 1024;

const _: () = assert!(FRAMES_IN_FLIGHT_MAX * FRAME_BYTES_MAX <= FRAME_POOL_BYTES_MAX);
