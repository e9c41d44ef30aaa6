//! `[board]`: its keys, and what is meant by them.

use std::path::Path;

use clawdbot_flow::rooted::Root;
use toml::de::DeTable;
use toml::{Table, Value};

use super::super::document::{line_of, plain, unknown};
use super::super::key::{Key, Kind, Section};
use super::super::problem::Problem;
use super::at;
use crate::first_boot::{Settings, WIFI_KEY_DIGITS, Wifi};

pub(super) const SECTION: Section = Section {
    name: "board",
    is_list: false,
    about: "The board itself; only at its first boot, from the card's boot partition. What is left out stays as it is.",
    keys: &[
        Key {
            name: "hostname",
            kind: Kind::Text,
            default: "\"clawdbot\"",
            example: "\"porch\"",
            about: "The board's name in the network (`porch.local`): letters, digits and `-`, at most 63 of them.",
        },
        Key {
            name: "time_zone",
            kind: Kind::Text,
            default: "\"Etc/UTC\"",
            example: "\"Europe/Berlin\"",
            about: "The time zone, by its name in the tz database.",
        },
        Key {
            name: "wifi_country",
            kind: Kind::Text,
            default: "none; must be given with wifi_name",
            example: "\"DE\"",
            about: "The country whose radio rules hold: two capital letters.",
        },
        Key {
            name: "wifi_name",
            kind: Kind::Text,
            default: "none: no Wi-Fi",
            example: "\"Our network\"",
            about: "The name of the Wi-Fi network to join.",
        },
        Key {
            name: "wifi_password",
            kind: Kind::Secret,
            default: "none: an open network",
            example: "\"…\"",
            about: "Its password, 8 to 63 letters. It is overwritten on the boot partition once it was taken.",
        },
        Key {
            name: "ssh_keys",
            kind: Kind::Texts,
            default: "none: nobody can log in",
            example: "[\"ssh-ed25519 AAAA… me@laptop\"]",
            about: "The public keys of who may log in as `pi`: lines of your `.pub` files. There is no password.",
        },
    ],
};

/// How public keys begin that OpenSSH 9 takes.
const KEY_TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];
/// The longest label of a name in the network.
const LABEL_LENGTH_MAX: usize = 63;
/// The longest name of a Wi-Fi network, in bytes.
const WIFI_NAME_BYTES_MAX: usize = 32;

/// What the section's keys mean; what is wrong goes to `problems`.
pub(super) fn settings(
    text: &str,
    path: &Path,
    keys: &DeTable<'_>,
    root: &Root,
    problems: &mut Vec<Problem>,
) -> Settings {
    let mut board = Board { text, path, keys, taken: Table::new(), problems };
    board.take();
    let settings = Settings {
        hostname: board.hostname(),
        time_zone: board.time_zone(root),
        wifi: board.wifi(),
        ssh_keys: board.ssh_keys(),
        daemon: None,
    };
    debug_assert!(board.taken.is_empty(), "a key of [board] has no meaning");
    settings
}

struct Board<'a> {
    text: &'a str,
    path: &'a Path,
    keys: &'a DeTable<'a>,
    /// Values that have their type.
    taken: Table,
    problems: &'a mut Vec<Problem>,
}

impl Board<'_> {
    fn problem(&mut self, name: &str, message: String) {
        let place = self.keys.iter().find(|(key, _)| key.get_ref() == name).map_or(0, |(key, _)| key.span().start);
        self.problems.push(at(self.path, line_of(self.text, place), &format!("board.{name}"), message));
    }

    /// Holds every value against the table of keys.
    fn take(&mut self) {
        let keys = self.keys;
        for (name, value) in keys {
            let name = name.get_ref().as_ref();
            let known = SECTION.keys.iter().find(|key| key.name == name);
            let checked = known.map(|key| key.kind.check(plain(value.get_ref())));
            match checked {
                Some(Ok(value)) => drop(self.taken.insert(name.to_owned(), value)),
                Some(Err(message)) => self.problem(name, message),
                None => {
                    let names: Vec<&str> = SECTION.keys.iter().map(|key| key.name).collect();
                    self.problem(name, unknown("key", name, &names));
                }
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.taken.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    fn hostname(&mut self) -> Option<String> {
        let name = self.text("hostname")?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label = (1..=LABEL_LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_allowed);
        if !is_label || name.starts_with('-') || name.ends_with('-') {
            self.problem(
                "hostname",
                format!("\"{name}\" is no host name; give letters, digits and `-`, at most {LABEL_LENGTH_MAX}"),
            );
        }
        Some(name)
    }

    fn time_zone(&mut self, root: &Root) -> Option<String> {
        let zone = self.text("time_zone")?;
        let is_part = |part: &str| !part.is_empty() && !part.starts_with('.');
        let is_name = zone.split('/').all(is_part);
        if !is_name || !root.join("/usr/share/zoneinfo").join(&zone).is_file() {
            self.problem("time_zone", format!("there is no time zone \"{zone}\"; give one such as \"Europe/Berlin\""));
        }
        Some(zone)
    }

    fn wifi(&mut self) -> Option<Wifi> {
        let country = self.text("wifi_country");
        let name = self.text("wifi_name");
        let password = self.text("wifi_password");
        if let Some(country) = country.as_ref().filter(|country| !is_country(country)) {
            self.problem(
                "wifi_country",
                format!("\"{country}\" is no country; give two capital letters, such as \"DE\""),
            );
        }
        if let Some(name) = name.as_ref().filter(|name| name.len() > WIFI_NAME_BYTES_MAX) {
            self.problem(
                "wifi_name",
                format!("\"{name}\" is longer than {WIFI_NAME_BYTES_MAX} bytes, as no network's name is"),
            );
        }
        if password.as_deref().is_some_and(|password| !is_wifi_password(password)) {
            self.problem("wifi_password", "it must have 8 to 63 letters, digits and signs of ASCII".to_owned());
        }
        if name.is_none() && password.is_some() {
            self.problem("wifi_password", "there is no board.wifi_name that it could be of; add it".to_owned());
        }
        if name.is_some() && country.is_none() {
            self.problem("wifi_name", "board.wifi_country must be given with it, such as \"DE\"".to_owned());
        }
        Some(Wifi { country: country?, name: name?, password })
    }

    fn ssh_keys(&mut self) -> Vec<String> {
        let Some(Value::Array(items)) = self.taken.remove("ssh_keys") else { return Vec::new() };
        let keys: Vec<String> = items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
        for (index, key) in keys.iter().enumerate() {
            if let Some(wrong) = wrong_key(key) {
                self.problem("ssh_keys", format!("number {}: {wrong}", index + 1));
            }
        }
        keys
    }
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_wifi_password(text: &str) -> bool {
    let is_key = text.len() == WIFI_KEY_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_key || ((8..=63).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
}

/// What is wrong with a public key, if anything. The key itself is not repeated: it may be the private one.
fn wrong_key(key: &str) -> Option<&'static str> {
    if key.contains("PRIVATE KEY") {
        return Some(
            "this is a private key, which must never leave your computer; give the line of the file that ends in .pub",
        );
    }
    let mut words = key.split_whitespace();
    let is_known = words.next().is_some_and(|word| KEY_TYPES.contains(&word));
    let is_base64 = |word: &str| {
        word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let is_key = is_known && words.next().is_some_and(is_base64) && !key.trim().contains(['\n', '\r']);
    (!is_key).then_some("this is no public key; give the whole line of the file that ends in .pub (it begins with ssh-ed25519 or the like)")
}
