//! A message on its way out.

/// What a message is decides how it is delivered; there is no other combination of QoS and retain flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// How something *is*: QoS 1, retained. Only the last value of a topic counts, so a newer one replaces an older one
    /// that still waits, and the last value is sent again after each connect, since a broker may have forgotten it.
    State,
    /// Something that *happened*: QoS 1, not retained. Each one counts; they are delivered in the order of publishing.
    Event,
    /// A measurement that the next one replaces: QoS 0, not retained, sent only while connected.
    Sample,
}

impl Kind {
    /// Whether the broker must acknowledge it (QoS 1) or not (QoS 0).
    pub(crate) const fn acknowledged(self) -> bool {
        !matches!(self, Self::Sample)
    }

    /// Whether the broker keeps it for later subscribers.
    pub(crate) const fn retained(self) -> bool {
        matches!(self, Self::State)
    }
}

/// A topic and what to say there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The whole topic, as a function of `topics` spells it.
    pub(crate) topic: String,
    /// The payload's bytes.
    pub(crate) payload: Vec<u8>,
    /// How it is delivered.
    pub(crate) kind: Kind,
}

impl Message {
    /// The size of the MQTT 3.1.1 PUBLISH packet that carries it, in bytes: fixed header (1), remaining length (up to
    /// 4), topic length (2), topic, packet id (2 with QoS 1), payload. Never less than the true size.
    pub(crate) fn packet_bytes(&self) -> usize {
        const HEADERS: usize = 1 + 4 + 2 + 2;
        HEADERS.saturating_add(self.topic.len()).saturating_add(self.payload.len())
    }
}
