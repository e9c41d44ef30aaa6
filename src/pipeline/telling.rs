//! The way of what happened to MQTT: composes the message and hands it over. It never waits, so a camera never does.

use std::collections::BTreeMap;
use std::sync::Arc;

use clawdbot_flow::event::Event;

use crate::mqtt::payload::Composer;
use crate::mqtt::{Message, Publisher};

/// Tells the world. Clones speak through the same connection.
#[derive(Clone)]
pub(crate) struct Telling {
    composer: Arc<Composer>,
    publisher: Publisher,
}

impl Telling {
    /// Messages of `composer` through `publisher`.
    pub(crate) const fn new(composer: Arc<Composer>, publisher: Publisher) -> Self {
        Self { composer, publisher }
    }

    /// Tells of `event`.
    pub(crate) fn event(&self, event: &Event) {
        self.send(self.composer.event(event));
    }

    /// Tells how many objects of each label `camera` has in view.
    pub(crate) fn camera_state(&self, camera: &str, objects: &BTreeMap<String, u32>) {
        self.send(self.composer.camera_state(camera, objects));
    }

    /// Builds the messages.
    pub(crate) fn composer(&self) -> &Composer {
        &self.composer
    }

    /// Hands `message` over; a refusal is counted by the publisher and logged here.
    pub(crate) fn send(&self, message: Message) {
        if let Err(refused) = self.publisher.publish(message) {
            tracing::warn!("{refused}");
        }
    }
}
