//! `run --watch`: a subscriber of its own, over the same TCP socket as any other, that prints what arrives. It shows that
//! the whole way works, broker included, and what a subscriber sees.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use clawdbot_flow::limits::{MQTT_PACKET_BYTES_MAX, MQTT_PACKET_TAKEN_BYTES_MAX};

use super::options::Options;
use super::topics::Topics;

/// Wait between two attempts to reach the broker.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Requests that the client may queue: one subscription.
const REQUESTS_MAX: usize = 4;

/// Subscribes to all that `options`' node publishes and hands each message to `show` as one line. Never ends by itself:
/// drop the future to stop. Connections without TLS only; a broker with TLS is watched with `mosquitto_sub`.
pub(crate) async fn watch(options: Options, topics: Topics, mut show: impl FnMut(String) + Send) {
    let (host, port) = options.address();
    let mut mqtt = MqttOptions::new(format!("{}-watch", options.client_id()), host, port);
    mqtt.set_keep_alive(options.keep_alive);
    mqtt.set_max_packet_size(MQTT_PACKET_TAKEN_BYTES_MAX, MQTT_PACKET_BYTES_MAX);
    if let Some(credentials) = &options.credentials {
        mqtt.set_credentials(&credentials.user, credentials.password.reveal());
    }
    let (client, mut connection) = AsyncClient::new(mqtt, REQUESTS_MAX);
    let everything = topics.everything();
    loop {
        match connection.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if let Err(error) = client.try_subscribe(&everything, QoS::AtLeastOnce) {
                    show(format!("cannot subscribe to {everything}: {error}"));
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if let Some(line) = line(topics.within(&publish.topic), &publish.payload) {
                    show(line);
                }
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(RETRY_AFTER).await,
        }
    }
}

/// What a person wants to read of one message; `None` for what would only fill the screen.
fn line(topic: &str, payload: &[u8]) -> Option<String> {
    let Ok(message) = serde_json::from_slice::<Value>(payload) else {
        return Some(format!("{topic}  {}", String::from_utf8_lossy(payload)));
    };
    let data = &message["data"];
    match message["type"].as_str() {
        Some("camera_event") => {
            let (change, label) = (text(&data["change"]), text(&data["label"]));
            let (score, number) = (data["score"].as_f64().unwrap_or_default(), &data["object"]);
            let side = |name: &str| data["box"][name].as_f64().unwrap_or_default();
            let (left, top, right, bottom) = (side("left"), side("top"), side("right"), side("bottom"));
            Some(format!(
                "{topic}  {change:<4} {label} #{number}  score {score:.2}  box ({left:.2}, {top:.2})-({right:.2}, {bottom:.2})"
            ))
        }
        Some("health" | "info") => None,
        _ => Some(format!("{topic}  {data}")),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests;
