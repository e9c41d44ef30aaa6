//! Where things go beside MQTT.

pub(crate) mod log;
