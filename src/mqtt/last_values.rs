//! The last value of every retained topic: a broker may forget them (an embedded one always does), so all are sent
//! again after each connect.

use std::collections::VecDeque;

use super::message::Message;

/// The most retained topics: status, info, health, two a camera, one a sensor, with room. Drop rule: a value for one
/// topic more is refused and counted.
pub(super) const RETAINED_TOPICS_MAX: usize = 256;

/// The last values, in the order of first publishing.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    slots: Vec<Slot>,
    /// Slots that wait to be sent.
    due: VecDeque<usize>,
    superseded: u64,
}

#[derive(Debug)]
struct Slot {
    message: Message,
    version: u64,
    /// The broker has acknowledged this version at least once.
    acknowledged: bool,
    /// It stands in `due`.
    due: bool,
    /// This version was sent on this connection and is not acknowledged yet.
    in_flight: bool,
}

/// Names one value of one topic that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueId {
    slot: usize,
    version: u64,
    /// It had not been acknowledged before, so its acknowledgement counts.
    first: bool,
}

/// There are [`RETAINED_TOPICS_MAX`] other topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl LastValues {
    /// Makes `message` the value of its topic; the older one, if nobody has it yet, is superseded.
    ///
    /// # Errors
    /// [`Full`] when there is no room for one topic more.
    pub(super) fn set(&mut self, message: Message) -> Result<(), Full> {
        let found = self.slots.iter().position(|slot| slot.message.topic == message.topic);
        let index = match found {
            Some(index) => {
                let slot = &mut self.slots[index];
                // A value in flight is accounted for when its acknowledgement comes, or the connection goes.
                self.superseded += u64::from(!slot.acknowledged && !slot.in_flight);
                slot.message = message;
                slot.version += 1;
                (slot.acknowledged, slot.in_flight) = (false, false);
                index
            }
            None if self.slots.len() == RETAINED_TOPICS_MAX => return Err(Full),
            None => {
                self.slots.push(Slot { message, version: 0, acknowledged: false, due: false, in_flight: false });
                self.slots.len() - 1
            }
        };
        self.mark_due(index);
        Ok(())
    }

    fn mark_due(&mut self, index: usize) {
        if !self.slots[index].due {
            self.slots[index].due = true;
            self.due.push_back(index);
        }
    }

    /// A broker is there: every value is due, in the order of first publishing.
    pub(super) fn all_due(&mut self) {
        self.due.clear();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.due = true;
            slot.in_flight = false;
            self.due.push_back(index);
        }
    }

    /// Hands out the value that has been due the longest.
    pub(super) fn take_next(&mut self) -> Option<(ValueId, Message)> {
        let index = self.due.pop_front()?;
        let slot = &mut self.slots[index];
        slot.due = false;
        slot.in_flight = true;
        let id = ValueId { slot: index, version: slot.version, first: !slot.acknowledged };
        Some((id, slot.message.clone()))
    }

    /// Hands out the value of `topic` though others have been due longer.
    pub(super) fn take_topic(&mut self, topic: &str) -> Option<(ValueId, Message)> {
        let index = self.slots.iter().position(|slot| slot.message.topic == topic)?;
        self.due.retain(|&due| due != index);
        self.due.push_front(index);
        self.take_next()
    }

    /// The broker has this value. True when that is news.
    pub(super) fn acknowledge(&mut self, id: ValueId) -> bool {
        let slot = &mut self.slots[id.slot];
        if slot.version == id.version {
            slot.acknowledged = true;
            slot.in_flight = false;
        }
        id.first
    }

    /// The connection went while this value was in flight; a newer one has superseded it for good.
    pub(super) fn lost(&mut self, id: ValueId) {
        let slot = &mut self.slots[id.slot];
        if slot.version == id.version {
            slot.in_flight = false;
        } else {
            self.superseded += u64::from(id.first);
        }
    }

    /// Values that a newer one replaced before the broker had acknowledged them.
    pub(super) const fn superseded(&self) -> u64 {
        self.superseded
    }

    /// Whether this value was handed out for the first time and a newer one has taken its place since.
    pub(super) fn is_replaced(&self, id: ValueId) -> bool {
        id.first && self.slots[id.slot].version != id.version
    }

    /// Topics whose last value no broker has acknowledged yet.
    pub(super) fn unacknowledged(&self) -> usize {
        self.slots.iter().filter(|slot| !slot.acknowledged).count()
    }
}

#[cfg(test)]
mod tests;
