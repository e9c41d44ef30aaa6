//! The way of what happened to MQTT: composes the message and hands it over. It never waits, so a camera never does.

use std::collections::BTreeMap;
use std::sync::Arc;

use clawdbot_flow::event::Event;
use clawdbot_flow::queue::Queue;

use crate::mqtt::payload::Composer;
use crate::mqtt::{Message, Publisher};

/// Tells the world. Clones speak through the same connection.
#[derive(Clone)]
pub(crate) struct Telling {
    composer: Arc<Composer>,
    publisher: Publisher,
    /// Where the language model's tasks hear what happens.
    events: Option<Queue<Event>>,
}

impl Telling {
    /// Messages of `composer` through `publisher`.
    pub(crate) const fn new(composer: Arc<Composer>, publisher: Publisher) -> Self {
        Self { composer, publisher, events: None }
    }

    /// The same, and each event goes to `events`, too.
    pub(crate) fn with_listener(mut self, events: Option<Queue<Event>>) -> Self {
        self.events = events;
        self
    }

    /// Tells of `event`.
    pub(crate) fn event(&self, event: &Event) {
        self.send(self.composer.event(event));
        if let Some(events) = &self.events {
            // Its rule is to drop the oldest, so only a closed queue refuses.
            let _closed = events.push(event.clone());
        }
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
