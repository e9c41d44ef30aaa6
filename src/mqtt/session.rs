//! What is sent when: a state machine without a socket, a clock or a thread. `client` carries out its actions.
//!
//! rumqttc keeps no message safe: what its queue took is lost when a broker forgets the session. So every QoS 1 message
//! stays here until its PUBACK, and whatever had none is sent again after the next CONNACK, in order.

use std::collections::VecDeque;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;

use super::backoff::Backoff;
use super::last_values::{LastValues, ValueId};
use super::link::LinkState;
use super::message::{Kind, Message};
use super::outbox::{EntryId, Outbox};
use super::payload::{OFFLINE, ONLINE};

/// QoS 1 messages that wait for their PUBACK at one time: within what every broker allows (Mosquitto: 20).
pub(super) const IN_FLIGHT_MAX: usize = 16;
/// QoS 0 messages handed over that the client has not written yet. Drop rule: refuse the new one and count it.
pub(super) const SAMPLES_MAX: usize = 16;
/// A broker that keeps a message unacknowledged for so long is not well: connect afresh and send it again.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(30);
/// At a stop: how long the queues may take to empty.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);
/// And how long after that the broker may take to acknowledge our `offline`.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The broker said yes (CONNACK).
    Connected,
    /// The connection ended or could not be made, and why, as a sentence.
    Lost(String),
    /// Somebody publishes.
    Publish(Message),
    /// The oldest message handed over and not yet taken was written with this packet id; 0 means QoS 0.
    Taken(u16),
    /// The broker acknowledged a packet id (PUBACK).
    Acknowledged(u16),
    /// [`Session::deadline`] has passed.
    Wake,
    /// The daemon stops: empty the queues, say `offline`, part.
    Stop,
}

/// What the client is to do now, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Try to connect; ends in `Connected` or `Lost`.
    Connect,
    /// Hand this message over for writing.
    Send(Message),
    /// Drop the connection at once; no `Lost` follows.
    Drop,
    /// Part from the broker in good order (DISCONNECT), and end.
    Part,
    /// End; there is no connection to part from.
    End,
}

/// The state machine.
#[derive(Debug)]
pub(super) struct Session {
    client_id: String,
    status_topic: String,
    phase: Phase,
    stopping: Option<Stopping>,
    backoff: Backoff,
    outbox: Outbox,
    values: LastValues,
    /// QoS 1 messages handed over on this connection and not acknowledged, oldest first.
    in_flight: VecDeque<Flight>,
    /// QoS 0 messages handed over and not written yet.
    samples: usize,
    /// Whether the next message to send is an event, where both sorts wait: neither may starve the other.
    event_is_next: bool,
    counts: Counts,
    last_error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { until: Monotonic },
    Connecting,
    Connected { since: Monotonic },
    Finished,
}

#[derive(Clone, Copy, Debug)]
struct Stopping {
    since: Monotonic,
    said_offline: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    attempts: u64,
    published: u64,
    acknowledged: u64,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    ticket: Ticket,
    packet_id: Option<u16>,
    since: Monotonic,
}

#[derive(Clone, Copy, Debug)]
enum Ticket {
    Event(EntryId),
    Value(ValueId),
}

impl Session {
    /// A session that connects at the first [`Input::Wake`]. `client_id` is for its messages to people only;
    /// `status_topic` is where `online` and `offline` go; `seed` drives the jitter.
    pub(super) fn new(client_id: String, status_topic: String, seed: u64) -> Self {
        let mut values = LastValues::default();
        let online = Message { topic: status_topic.clone(), payload: ONLINE.into(), kind: Kind::State };
        // The first topic of all always finds room.
        let _room: Result<(), _> = values.set(online);
        Self {
            client_id,
            status_topic,
            phase: Phase::Waiting { until: Monotonic::default() },
            stopping: None,
            backoff: Backoff::new(seed),
            outbox: Outbox::default(),
            values,
            in_flight: VecDeque::with_capacity(IN_FLIGHT_MAX),
            samples: 0,
            event_is_next: false,
            counts: Counts::default(),
            last_error: None,
        }
    }

    /// Takes in what happened and says what to do.
    pub(super) fn on(&mut self, input: Input, now: Monotonic) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Connected => self.connected(now),
            Input::Lost(reason) => self.lost(reason, now),
            Input::Publish(message) => self.publish(message, &mut actions),
            Input::Taken(packet_id) => self.taken(packet_id),
            Input::Acknowledged(packet_id) => self.acknowledged(packet_id),
            Input::Wake => self.wake(now, &mut actions),
            Input::Stop => {
                self.stopping.get_or_insert(Stopping { since: now, said_offline: false });
            }
        }
        self.send_what_is_due(now, &mut actions);
        self.finish_if_done(now, &mut actions);
        actions
    }

    /// When [`Input::Wake`] is due next; `None` while only the outside can move things on.
    pub(super) fn deadline(&self) -> Option<Monotonic> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Connecting | Phase::Finished => None,
            Phase::Connected { .. } => {
                let overdue = self.in_flight.front().map(|flight| flight.since.plus(ACKNOWLEDGE_WITHIN));
                let stop = self.stopping.map(Stopping::deadline);
                overdue.into_iter().chain(stop).min()
            }
        }
    }

    /// What health may know.
    pub(super) fn link(&self) -> LinkState {
        LinkState {
            connected_since: match self.phase {
                Phase::Connected { since } => Some(since),
                _ => None,
            },
            attempts: self.counts.attempts,
            last_error: self.last_error.clone(),
            next_retry: match self.phase {
                Phase::Waiting { until } => Some(until),
                _ => None,
            },
            published: self.counts.published,
            acknowledged: self.counts.acknowledged,
            superseded: self.values.superseded(),
            dropped: self.counts.dropped,
            queued: self.unacknowledged(),
        }
    }

    /// QoS 1 messages that the broker has not acknowledged.
    fn unacknowledged(&self) -> u64 {
        let replaced_in_flight = self.in_flight.iter().filter(|flight| match flight.ticket {
            Ticket::Event(_) => false,
            Ticket::Value(id) => self.values.is_replaced(id),
        });
        let count = self.outbox.len() + self.values.unacknowledged() + replaced_in_flight.count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn connected(&mut self, now: Monotonic) {
        if self.phase == Phase::Finished {
            return;
        }
        self.forget_flights();
        self.phase = Phase::Connected { since: now };
        self.last_error = None;
        self.values.all_due();
        // `online` first.
        self.event_is_next = false;
    }

    fn lost(&mut self, reason: String, now: Monotonic) {
        let accepted = match self.phase {
            Phase::Connected { since } => Some(since),
            Phase::Connecting => None,
            // Nothing to lose: the news is stale.
            Phase::Waiting { .. } | Phase::Finished => return,
        };
        self.forget_flights();
        let wait = self.backoff.after_loss(accepted, now);
        self.last_error = Some(if wait.conflict {
            format!(
                "another client uses the MQTT client id {}: the broker closed three connections within 2 s each; stop \
                 the other daemon or give it another `node`; next try in 60 s ({reason})",
                self.client_id
            )
        } else {
            reason
        });
        self.phase = Phase::Waiting { until: now.plus(wait.duration) };
    }

    /// The packet ids of a connection mean nothing after it: what was in flight waits again.
    fn forget_flights(&mut self) {
        for flight in self.in_flight.drain(..) {
            if let Ticket::Value(id) = flight.ticket {
                self.values.lost(id);
            }
        }
        self.outbox.rewind();
        self.samples = 0;
    }

    fn publish(&mut self, message: Message, actions: &mut Vec<Action>) {
        if self.phase == Phase::Finished {
            self.counts.dropped += 1;
            return;
        }
        match message.kind {
            Kind::Event => self.counts.dropped += self.outbox.push(message),
            Kind::State => self.counts.dropped += u64::from(self.values.set(message).is_err()),
            Kind::Sample if matches!(self.phase, Phase::Connected { .. }) && self.samples < SAMPLES_MAX => {
                self.samples += 1;
                self.counts.published += 1;
                actions.push(Action::Send(message));
            }
            Kind::Sample => self.counts.dropped += 1,
        }
    }

    fn taken(&mut self, packet_id: u16) {
        if packet_id == 0 {
            self.samples = self.samples.saturating_sub(1);
        } else if let Some(flight) = self.in_flight.iter_mut().find(|flight| flight.packet_id.is_none()) {
            flight.packet_id = Some(packet_id);
        }
    }

    fn acknowledged(&mut self, packet_id: u16) {
        let found = self.in_flight.iter().position(|flight| flight.packet_id == Some(packet_id));
        let Some(flight) = found.and_then(|index| self.in_flight.remove(index)) else { return };
        match flight.ticket {
            Ticket::Event(id) => {
                self.outbox.acknowledge(id);
                self.counts.acknowledged += 1;
            }
            Ticket::Value(id) => self.counts.acknowledged += u64::from(self.values.acknowledge(id)),
        }
    }

    fn wake(&mut self, now: Monotonic, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Waiting { until } if until <= now && self.stopping.is_none() => {
                self.phase = Phase::Connecting;
                self.counts.attempts += 1;
                actions.push(Action::Connect);
            }
            Phase::Connected { .. } if self.in_flight.front().is_some_and(|flight| flight.is_overdue(now)) => {
                self.lost(
                    format!(
                        "the broker left a message unacknowledged for {} s; the connection was dropped to send it \
                         again: look at the broker's log and load",
                        ACKNOWLEDGE_WITHIN.as_secs()
                    ),
                    now,
                );
                actions.push(Action::Drop);
            }
            _ => {}
        }
    }

    fn send_what_is_due(&mut self, now: Monotonic, actions: &mut Vec<Action>) {
        let parting = self.stopping.is_some_and(|stopping| stopping.said_offline);
        if parting || !matches!(self.phase, Phase::Connected { .. }) {
            return;
        }
        while self.in_flight.len() < IN_FLIGHT_MAX
            && let Some((ticket, message)) = self.next_due()
        {
            self.in_flight.push_back(Flight { ticket, packet_id: None, since: now });
            self.counts.published += 1;
            actions.push(Action::Send(message));
        }
    }

    fn next_due(&mut self) -> Option<(Ticket, Message)> {
        let event_first = self.event_is_next;
        self.event_is_next = !event_first;
        if event_first {
            self.next_event().or_else(|| self.next_value())
        } else {
            self.next_value().or_else(|| self.next_event())
        }
    }

    fn next_event(&mut self) -> Option<(Ticket, Message)> {
        self.outbox.take_next().map(|(id, message)| (Ticket::Event(id), message))
    }

    fn next_value(&mut self) -> Option<(Ticket, Message)> {
        self.values.take_next().map(|(id, message)| (Ticket::Value(id), message))
    }

    /// At a stop: says `offline` once the queues are empty or their time is up, and ends once that is acknowledged or
    /// its time is up. Without a connection there is nobody to say it to: the broker publishes our last will.
    fn finish_if_done(&mut self, now: Monotonic, actions: &mut Vec<Action>) {
        let Some(stopping) = self.stopping else { return };
        match self.phase {
            Phase::Finished => {}
            Phase::Waiting { .. } | Phase::Connecting => {
                self.phase = Phase::Finished;
                actions.push(Action::End);
            }
            Phase::Connected { .. } => {
                // While there was anything to send and room to send it, it was sent: nothing in flight means all is said.
                if !self.in_flight.is_empty() && now < stopping.deadline() {
                    return;
                }
                if stopping.said_offline {
                    self.phase = Phase::Finished;
                    actions.push(Action::Part);
                } else {
                    self.stopping = Some(Stopping { said_offline: true, ..stopping });
                    self.say_offline(now, actions);
                }
            }
        }
    }

    /// `offline` does not queue behind what the broker was too slow for; that stays unsent.
    fn say_offline(&mut self, now: Monotonic, actions: &mut Vec<Action>) {
        let message = Message { topic: self.status_topic.clone(), payload: OFFLINE.into(), kind: Kind::State };
        // The status topic has had its place from the start.
        let _room: Result<(), _> = self.values.set(message);
        if let Some((id, message)) = self.values.take_topic(&self.status_topic) {
            self.in_flight.push_back(Flight { ticket: Ticket::Value(id), packet_id: None, since: now });
            self.counts.published += 1;
            actions.push(Action::Send(message));
        }
    }
}

impl Stopping {
    fn deadline(self) -> Monotonic {
        let flushed = self.since.plus(FLUSH_WITHIN);
        if self.said_offline { flushed.plus(FAREWELL_WITHIN) } else { flushed }
    }
}

impl Flight {
    fn is_overdue(&self, now: Monotonic) -> bool {
        self.since.plus(ACKNOWLEDGE_WITHIN) <= now
    }
}

#[cfg(test)]
mod tests;
