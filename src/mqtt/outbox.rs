//! Events that wait for a broker's acknowledgement, in the order of publishing.
//!
//! They are kept in memory, so they survive a broker's restart but not ours.

use std::collections::VecDeque;

use clawdbot_flow::limits::MQTT_PACKET_BYTES_MAX;

use super::message::Message;
use super::session::IN_FLIGHT_MAX;

/// The most events that wait. Drop rule: the oldest that is not in flight makes room, because news outranks history.
pub(super) const OUTBOX_MESSAGES_MAX: usize = 4096;
/// The most bytes that wait, topics and payloads together; same drop rule.
pub(super) const OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;

const _: () = assert!(IN_FLIGHT_MAX < OUTBOX_MESSAGES_MAX);
const _: () = assert!((IN_FLIGHT_MAX + 1) * MQTT_PACKET_BYTES_MAX <= OUTBOX_BYTES_MAX);

/// Names one event in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(u64);

/// The events. The first [`Outbox::in_flight`] of them have been handed out and wait for their acknowledgement.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    in_flight: usize,
    bytes: usize,
    next_id: u64,
}

#[derive(Debug)]
struct Entry {
    id: EntryId,
    message: Message,
}

impl Outbox {
    /// Adds `message` and returns how many older ones had to go for it.
    pub(super) fn push(&mut self, message: Message) -> u64 {
        self.bytes += message.packet_bytes();
        self.entries.push_back(Entry { id: EntryId(self.next_id), message });
        self.next_id += 1;
        let mut dropped = 0;
        while self.entries.len() > OUTBOX_MESSAGES_MAX || self.bytes > OUTBOX_BYTES_MAX {
            // The asserts above leave at least the newest one that is not in flight.
            let Some(entry) = self.entries.remove(self.in_flight) else { break };
            self.bytes -= entry.message.packet_bytes();
            dropped += 1;
        }
        dropped
    }

    /// Hands out the oldest event that is not in flight; it stays here until it is acknowledged.
    pub(super) fn take_next(&mut self) -> Option<(EntryId, Message)> {
        let entry = self.entries.get(self.in_flight)?;
        self.in_flight += 1;
        Some((entry.id, entry.message.clone()))
    }

    /// Deletes an event that the broker has acknowledged.
    pub(super) fn acknowledge(&mut self, id: EntryId) {
        let found = self.entries.iter().take(self.in_flight).position(|entry| entry.id == id);
        if let Some(entry) = found.and_then(|index| self.entries.remove(index)) {
            self.in_flight -= 1;
            self.bytes -= entry.message.packet_bytes();
        }
    }

    /// The connection is gone: all that was in flight is to be sent again, in order.
    pub(super) const fn rewind(&mut self) {
        self.in_flight = 0;
    }

    /// How many events wait, in flight or not.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests;
