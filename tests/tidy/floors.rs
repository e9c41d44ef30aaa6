//! The floors inside `src/`: who may name whom. Crates hold the floors between them; here a scan does.

use crate::check;
use crate::source::code_only;
use crate::tree::{is_test, sources};

/// The rooms of the daemon, each with its floor. A room sees lower floors only.
const ROOMS: &[(&str, u8)] = &[
    ("cli", 5),
    ("app", 4),
    ("doctor", 4),
    ("config", 3),
    ("dashboard", 3),
    ("pipeline", 3),
    ("bench", 3),
    ("mqtt", 2),
    ("sources", 2),
    ("sinks", 2),
    ("store", 2),
    ("health", 2),
    ("first_boot", 2),
    ("broker", 2),
    ("pull", 2),
    ("bundled", 2),
];
/// Edges on one floor. A lower room owns its `Options`, and config makes them: those of its own floor too. A bench measures
/// the stages as they are.
const BESIDE: &[(&str, &str)] =
    &[("config", "pipeline"), ("config", "dashboard"), ("config", "bench"), ("bench", "pipeline")];

#[test]
fn rooms_see_lower_floors_only() {
    let daemon: Vec<_> = sources().into_iter().filter(|(path, _)| path.starts_with("src/") && !is_test(path)).collect();
    assert!(daemon.len() > 5, "src/ is not where it was");
    check(&climbing(&daemon));
}

fn climbing(sources: &[(String, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in sources {
        let Some((room, depth)) = place(path) else { continue };
        let Some(floor) = floor(room) else {
            complaints.push(format!("{path}: the room `{room}` has no floor: give it one in tests/tidy/floors.rs"));
            continue;
        };
        let code = code_only(text);
        for seen in rooms_named(&code) {
            let other = self::floor(&seen);
            if seen != room && other.is_some_and(|other| other >= floor) && !BESIDE.contains(&(room, seen.as_str())) {
                complaints.push(format!("{path}: `{room}` names `crate::{seen}`, which is not on a lower floor"));
            }
        }
        if code.contains(&"super::".repeat(depth)) {
            complaints.push(format!("{path}: climbs out of its room by `super::`: say `crate::`"));
        }
    }
    complaints
}

/// The room of a file and how many modules deep it lies; `None` for `main.rs`.
fn place(path: &str) -> Option<(&str, usize)> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let parts: Vec<&str> = inside.split('/').collect();
    (inside != "main").then(|| (parts[0], parts.len() - usize::from(parts.last() == Some(&"mod"))))
}

fn floor(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The first names behind `crate::`, also of a group: `crate::{mqtt::Topic, sources}`.
fn rooms_named(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(group_heads(group)),
            None => rooms.push(name(rest)),
        }
    }
    rooms
}

fn group_heads(group: &str) -> Vec<String> {
    let mut heads = vec![name(group)];
    let mut depth = 0_usize;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn name(text: &str) -> String {
    text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
fn complaints(path: &str, text: &str) -> usize {
    climbing(&[(path.to_owned(), text.to_owned())]).len()
}

#[test]
fn a_look_upstairs_or_beside_is_a_complaint() {
    assert_eq!(complaints("src/mqtt/client.rs", "use crate::app::Shutdown;"), 1);
    assert_eq!(complaints("src/mqtt/client.rs", "use crate::sources::Camera;"), 1);
    assert_eq!(complaints("src/mqtt.rs", "use crate::{mqtt::x, sources::{A, B}, pipeline};"), 2);
    assert_eq!(complaints("src/sources.rs", "fn f() { crate::cli::main() }"), 1);
}

#[test]
fn a_look_downstairs_or_into_the_same_room_is_none() {
    assert_eq!(complaints("src/cli.rs", "use crate::app; use crate::mqtt::watch;"), 0);
    assert_eq!(complaints("src/mqtt/client.rs", "use crate::mqtt::{session, options};"), 0);
    assert_eq!(complaints("src/config/checked.rs", "use crate::pipeline::Options;"), 0);
    assert_eq!(complaints("src/mqtt.rs", "//! Not like crate::app, see there.\n"), 0);
}

#[test]
fn climbing_by_super_is_a_complaint() {
    assert_eq!(complaints("src/mqtt/client.rs", "use super::session; use super::super::app;"), 1);
    assert_eq!(complaints("src/mqtt.rs", "use super::app;"), 1);
}

#[test]
fn a_room_without_a_floor_is_a_complaint() {
    assert_eq!(complaints("src/attic.rs", ""), 1);
    assert_eq!(complaints("src/main.rs", "use crate::cli;"), 0);
}
