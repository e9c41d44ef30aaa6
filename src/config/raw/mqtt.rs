//! `[mqtt]`: which broker, and how to get in.

use serde::{Deserialize, Serialize};

use crate::config::key::{Key, Kind, Section};

pub(in crate::config) const SECTION: Section = Section {
    name: "mqtt",
    is_list: false,
    about: "Which broker. Without `host`, clawdbot runs one itself, at `listen`.",
    keys: &[
        Key {
            name: "host",
            kind: Kind::Text,
            default: "none: the built-in broker",
            example: "\"homeassistant.local\"",
            about: "The broker's name or address; an IPv6 address without brackets.",
        },
        Key {
            name: "port",
            kind: Kind::Integer { min: 1, max: 65_535 },
            default: "1883; 8883 with TLS",
            example: "1883",
            about: "The broker's TCP port.",
        },
        Key {
            name: "username",
            kind: Kind::Text,
            default: "none",
            example: "\"clawdbot\"",
            about: "The user name; needs one of the three passwords.",
        },
        Key {
            name: "password",
            kind: Kind::Secret,
            default: "none",
            example: "\"…\"",
            about: "The password itself. Better is one of the two below: then this file holds no secret.",
        },
        Key {
            name: "password_file",
            kind: Kind::Text,
            default: "none",
            example: "\"/etc/clawdbot/mqtt-password\"",
            about: "A file that holds the password in its first line.",
        },
        Key {
            name: "password_credential",
            kind: Kind::Text,
            default: "none",
            example: "\"mqtt-password\"",
            about: "The name of a systemd credential (`LoadCredential=`) that holds the password.",
        },
        Key {
            name: "prefix",
            kind: Kind::Text,
            default: "\"clawdbot/v1\"",
            example: "\"clawdbot/v1\"",
            about: "The first levels of every topic.",
        },
        Key {
            name: "keep_alive_s",
            kind: Kind::Integer { min: 5, max: 65_535 },
            default: "30",
            example: "30",
            about: "The longest silence towards the broker, in seconds.",
        },
        Key {
            name: "tls_ca_file",
            kind: Kind::Text,
            default: "none: no TLS",
            example: "\"/etc/clawdbot/ca.pem\"",
            about: "PEM file with the certificate authorities to trust; turns TLS on.",
        },
        Key {
            name: "tls_certificate_file",
            kind: Kind::Text,
            default: "none",
            example: "\"/etc/clawdbot/client.pem\"",
            about: "PEM file with our own certificate, for brokers that ask for one; needs `tls_key_file`.",
        },
        Key {
            name: "tls_key_file",
            kind: Kind::Text,
            default: "none",
            example: "\"/etc/clawdbot/client.key\"",
            about: "PEM file with the key of `tls_certificate_file`.",
        },
        Key {
            name: "listen",
            kind: Kind::Text,
            default: "\"127.0.0.1:1883\"",
            example: "\"127.0.0.1:1883\"",
            about: "Where the built-in broker listens. Only this machine can reach it, unless you change the address.",
        },
    ],
};

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Mqtt {
    pub(in crate::config) host: Option<String>,
    pub(in crate::config) port: Option<u16>,
    pub(in crate::config) username: Option<String>,
    pub(in crate::config) password: Option<String>,
    pub(in crate::config) password_file: Option<String>,
    pub(in crate::config) password_credential: Option<String>,
    pub(in crate::config) prefix: Option<String>,
    pub(in crate::config) keep_alive_s: Option<u64>,
    pub(in crate::config) tls_ca_file: Option<String>,
    pub(in crate::config) tls_certificate_file: Option<String>,
    pub(in crate::config) tls_key_file: Option<String>,
    pub(in crate::config) listen: Option<String>,
}
