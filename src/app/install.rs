//! Which installation this is: an id that outlives restarts, so that two daemons with one node id are told apart.

use std::path::Path;

use clawdbot_flow::clock::Clock;

use crate::config::Environment;

/// The file in the state folder that holds the id.
const FILE: &str = "install-id";
/// Digits of an id.
const DIGITS: usize = 8;

/// A number that differs from start to start: the wall clock's nanoseconds and the process's number, mixed.
pub(super) fn seed(clock: &dyn Clock) -> u64 {
    let nanoseconds = u64::try_from(clock.wall().since_epoch().as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    mixed(nanoseconds ^ u64::from(std::process::id()).rotate_left(48))
}

/// The id of this installation: read from the state folder, made and kept there at the first start. Without a state
/// folder it lives as long as the process.
pub(super) fn id(environment: &Environment, seed: u64) -> String {
    let fresh = format!("{:08x}", mixed(seed) >> 32);
    let Some(folder) = environment.state_folder() else { return fresh };
    let path = folder.join(FILE);
    if let Some(id) = read(&path) {
        return id;
    }
    // Beside and renamed: a power cut leaves the whole id or none.
    let beside = folder.join(format!("{FILE}.new"));
    if let Err(error) = std::fs::write(&beside, &fresh).and_then(|()| std::fs::rename(&beside, &path)) {
        tracing::warn!("the install id cannot be kept in {} ({error}); it changes with each start", path.display());
    }
    fresh
}

/// The id in `path`, if there is a whole one.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let id = text.trim();
    (id.len() == DIGITS && id.bytes().all(|digit| digit.is_ascii_hexdigit())).then(|| id.to_ascii_lowercase())
}

/// SplitMix64's output function (Steele, Lea, Flood, 2014): every bit of the input moves every bit of the result.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(folder: &Path) -> Environment {
        Environment::of([("STATE_DIRECTORY".to_owned(), folder.display().to_string())])
    }

    #[test]
    fn the_id_is_made_once_and_a_damaged_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = id(&environment(folder.path()), 1);
        assert_eq!(id(&environment(folder.path()), 2), first);
        std::fs::write(folder.path().join(FILE), "../../etc").unwrap();
        let second = id(&environment(folder.path()), 3);
        assert_eq!(second.len(), DIGITS);
        assert_eq!(id(&environment(folder.path()), 4), second);
    }

    #[test]
    fn a_state_folder_that_cannot_be_written_is_no_failure() {
        assert_eq!(id(&environment(Path::new("/proc/no-such-folder")), 5).len(), DIGITS);
    }
}
