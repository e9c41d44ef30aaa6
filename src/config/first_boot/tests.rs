use std::path::PathBuf;

use clawdbot_flow::rooted::Root;

use super::{Settings, example, read, without_secrets};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHOYsHx2cFpTn0jWzJzXv6d8lGqoKkyH4pOc8h3Q0m5T me@laptop";

/// A boot partition's file, and a system that knows one time zone.
struct Card {
    folder: tempfile::TempDir,
}

impl Card {
    fn new(text: &str) -> Self {
        let card = Self { folder: tempfile::tempdir().unwrap() };
        let zones = card.folder.path().join("usr/share/zoneinfo/Europe");
        std::fs::create_dir_all(&zones).unwrap();
        std::fs::write(zones.join("Berlin"), "TZif").unwrap();
        std::fs::write(card.file(), text).unwrap();
        card
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clawdbot.toml")
    }

    fn read(&self) -> Result<Settings, Vec<String>> {
        let folder = format!("{}/", self.folder.path().display());
        read(&self.file(), &Root::new(self.folder.path()))
            .map_err(|problems| problems.0.iter().map(|problem| problem.to_string().replace(&folder, "")).collect())
    }
}

fn settings(text: &str) -> Settings {
    Card::new(text).read().unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(text: &str) -> Vec<String> {
    Card::new(text).read().err().expect("has a problem")
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    let problems = problems(text);
    let says = |problem: &String| parts.iter().all(|part| problem.contains(part));
    assert!(problems.iter().any(says), "nothing says {parts:?}:\n{}", problems.join("\n"));
}

#[test]
fn the_board_s_settings_and_the_daemon_s_configuration_part() {
    let text = format!(
        "# mine\n[mqtt]\nhost = 'a'\n[board]\nhostname = 'porch'\ntime_zone = 'Europe/Berlin'\nwifi_country = 'DE'\n\
         wifi_name = 'home'\nwifi_password = 'hunter2hunter2'\nssh_keys = [\n  '{KEY}',\n]\n# old\n\n# The front\n# door\n[[camera]]\nid = 'front'\n"
    );
    let settings = settings(&text);
    assert_eq!(settings.hostname.as_deref(), Some("porch"));
    assert_eq!(settings.time_zone.as_deref(), Some("Europe/Berlin"));
    let wifi = settings.wifi.unwrap();
    assert_eq!((wifi.country.as_str(), wifi.name.as_str()), ("DE", "home"));
    assert_eq!(wifi.password.as_deref(), Some("hunter2hunter2"));
    assert_eq!(settings.ssh_keys, [KEY]);
    assert_eq!(
        settings.daemon.as_deref(),
        Some("# mine\n[mqtt]\nhost = 'a'\n# The front\n# door\n[[camera]]\nid = 'front'\n")
    );
}

#[test]
fn board_alone_leaves_the_configuration_and_the_reverse() {
    let board = settings("[board]\nhostname = 'porch'");
    assert!(board.daemon.is_none() && board.wifi.is_none() && board.ssh_keys.is_empty());
    let daemon = settings("\u{feff}[[camera]]\r\nid = 'front'\r\n");
    assert!(daemon.hostname.is_none() && daemon.daemon.is_some_and(|text| text.contains("front")));
    assert!(settings("# nothing yet").daemon.is_none());
    assert_eq!(settings("\u{feff}[board]\r\nhostname = 'porch'\r\n").hostname.as_deref(), Some("porch"));
}

#[test]
fn the_example_is_right() {
    let text = example();
    assert!(settings(&text).daemon.is_some_and(|daemon| !daemon.contains("[board]")), "{text}");
    assert!(text.contains("# wifi_password = "), "{text}");
}

#[test]
fn all_problems_are_told_at_once_with_the_file_s_own_lines() {
    let problems = problems("[board]\nhostnam = 'x'\n\n[mqtt]\nport = 0\n[[camera]]\nid = 'A B'\n");
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with("clawdbot.toml:2: board.hostnam:") && problems[0].contains("`hostname`"));
    assert!(problems[1].starts_with("clawdbot.toml:5: mqtt.port:"), "{problems:?}");
    assert!(problems[2].starts_with("clawdbot.toml:7: camera[0].id:"), "{problems:?}");
}

#[test]
fn what_no_board_can_have_is_refused() {
    for (keys, parts) in [
        ("hostname = 'Front Door'", ["board.hostname", "no host name"]),
        ("hostname = '-x'", ["board.hostname", "no host name"]),
        ("time_zone = 'Mars/Olympus'", ["board.time_zone", "Europe/Berlin"]),
        ("time_zone = '../../etc/passwd'", ["board.time_zone", "no time zone"]),
        ("wifi_name = 'home'", ["board.wifi_name", "wifi_country"]),
        ("wifi_country = 'de'\nwifi_name = 'home'", ["board.wifi_country", "capital"]),
        ("wifi_country = 'DE'\nwifi_name = 'home'\nwifi_password = 'short'", ["board.wifi_password", "8 to 63"]),
        ("wifi_password = 'long enough'", ["board.wifi_password", "wifi_name"]),
        ("ssh_keys = 'x'", ["board.ssh_keys", "a list"]),
        ("ssh_keys = ['ssh-ed25519']", ["board.ssh_keys", "number 1"]),
        ("ssh_keys = ['-----BEGIN OPENSSH PRIVATE KEY-----']", ["board.ssh_keys", "private key"]),
        ("colour = 'red'", ["board.colour", "there is no key"]),
    ] {
        assert_says(&format!("[board]\n{keys}"), &parts);
    }
    assert_says("board.hostname = 'x'", &["clawdbot.toml:1", "[board] on a line of its own"]);
    assert_says("[[board]]\nhostname = 'x'", &["[board] on a line of its own"]);
    assert_says("[board\nhostname = 'x'", &["clawdbot.toml:1", "no TOML"]);
}

#[test]
fn a_wrong_password_is_not_repeated() {
    let told = problems("[board]\nwifi_password = 'hunt'\n[mqtt]\nhost = 'a'\npassword = 'hunter2'").join("\n");
    assert!(
        told.contains("board.wifi_password") && told.contains("mqtt.password") && !told.contains("hunt'"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn secrets_are_replaced_in_place_and_the_rest_stays() {
    let text = "[board]\nwifi_password = 'hunter2hunter2' # mine\n[mqtt]\nhost = 'a'\nusername = 'u'\npassword = \"\"\"\nmulti\nline\"\"\"\n";
    let changed = without_secrets(text);
    assert_eq!(changed.len(), text.len());
    assert!(
        !changed.contains("hunter2") && !changed.contains("multi") && changed.contains("# mine\n[mqtt]\nhost = 'a'")
    );
    assert!(changed.parse::<toml::Table>().is_ok(), "{changed}");
    assert_eq!(without_secrets("no = [toml"), "no = [toml");
}

#[test]
fn asterisks_of_an_earlier_import_are_no_password() {
    let text = "[board]\nwifi_country = 'DE'\nwifi_name = 'home'\nwifi_password = 'hunter2hunter2'\n";
    assert_says(&without_secrets(text), &["clawdbot.toml:4", "board.wifi_password", "asterisks"]);
}
