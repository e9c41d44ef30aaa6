//! The front door to the MQTT world.
//!
//! A thread that has something to say builds a [`Message`] with [`payload::Composer`] and hands it to a [`Publisher`],
//! which never waits. The [`client`] takes it from there: the pure [`session`] decides what is sent when, the client
//! carries it over the wire. What health needs to know about the connection stands in [`Link`].
//!
//! Only [`topics`] spells topics, only [`payload`] knows the JSON, only [`client`], [`probe`] and [`watch`] name rumqttc.

mod backoff;
mod client;
mod last_values;
mod link;
mod message;
mod options;
mod outbox;
pub(crate) mod payload;
pub(crate) mod probe;
mod publisher;
mod session;
mod tls;
pub(crate) mod topics;
pub(crate) mod watch;

pub(crate) use client::{Listener, run};
pub(crate) use link::Link;
pub(crate) use message::Message;
pub(crate) use options::{
    Broker, ClientIdentity, Credentials, KEEP_ALIVE_DEFAULT, Options, PREFIX_DEFAULT, Password, Tls,
};
#[cfg(test)]
pub(crate) use publisher::Inbox;
pub(crate) use publisher::{Publisher, channel};
