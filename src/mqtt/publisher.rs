//! The way into the MQTT room from any thread: it never waits.

use std::sync::Arc;

use clawdbot_flow::limits::MQTT_PACKET_BYTES_MAX;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::link::Link;
use super::message::Message;

/// Messages between the publishing threads and the client: one burst of every camera and sensor. Drop rule: refuse the
/// new one and count it. The client empties it at once; what waits for a broker waits in the session's outbox.
const INBOX_MESSAGES_MAX: usize = 256;

/// Hands messages to the client. Clones speak to the same client.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    messages: mpsc::Sender<Message>,
    link: Arc<Link>,
}

/// The client's end of the [`Publisher`].
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) link: Arc<Link>,
}

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// No broker would take it.
    #[error(
        "a message of {bytes} bytes for {topic} is larger than the limit of {MQTT_PACKET_BYTES_MAX} bytes a packet; it \
         was dropped: publish less at once"
    )]
    TooLarge {
        /// Where it was to go.
        topic: String,
        /// How large its packet would have been.
        bytes: usize,
    },
    /// More came in one moment than the client could take.
    #[error(
        "a message for {topic} found {INBOX_MESSAGES_MAX} others waiting and was dropped: the MQTT client does not \
         keep up; see `dropped` in health"
    )]
    Full {
        /// Where it was to go.
        topic: String,
    },
    /// The client has ended.
    #[error("a message for {topic} came after the MQTT client had ended and was dropped")]
    Closed {
        /// Where it was to go.
        topic: String,
    },
}

/// A publisher and the inbox that goes with it, for [`super::run`].
pub(crate) fn channel() -> (Publisher, Inbox) {
    let (sender, receiver) = mpsc::channel(INBOX_MESSAGES_MAX);
    let link = Arc::new(Link::default());
    (Publisher { messages: sender, link: Arc::clone(&link) }, Inbox { messages: receiver, link })
}

impl Publisher {
    /// Hands `message` over without waiting. Taken means: QoS 1 is delivered once a broker is there, unless the bounded
    /// outbox overflows first, which is counted.
    ///
    /// # Errors
    /// [`Refused`] says why the message was dropped; the drop is counted.
    pub(crate) fn publish(&self, message: Message) -> Result<(), Refused> {
        let bytes = message.packet_bytes();
        let outcome = if bytes > MQTT_PACKET_BYTES_MAX {
            Err(Refused::TooLarge { topic: message.topic, bytes })
        } else {
            self.messages.try_send(message).map_err(|error| match error {
                TrySendError::Full(message) => Refused::Full { topic: message.topic },
                TrySendError::Closed(message) => Refused::Closed { topic: message.topic },
            })
        };
        if outcome.is_err() {
            self.link.refused.increment();
        }
        outcome
    }

    /// The connection, for health and stats.
    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

#[cfg(test)]
impl Inbox {
    /// What waits for the client, oldest first.
    pub(crate) fn drain(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.messages.try_recv().ok()).collect()
    }
}

#[cfg(test)]
mod tests;
