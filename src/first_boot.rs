//! What a card's boot partition says about this board, put where the system looks for it: host name, time zone, Wi-Fi, the
//! keys of who may log in, and the daemon's configuration.
//!
//! `config` reads and checks the file and makes the [`Settings`]; [`partition`] finds it, and sees to it that it is taken
//! once and that no password stays where every computer can read it.

pub(crate) mod partition;
mod whole_file;
mod wifi;

use std::fs;
use std::path::{Path, PathBuf};

use clawdbot_flow::rooted::Root;

use self::whole_file::{Owner, write_whole};
pub(crate) use self::wifi::KEY_DIGITS as WIFI_KEY_DIGITS;

/// The daemon's configuration.
const CONFIGURATION: &str = "/etc/clawdbot/clawdbot.toml";
/// The daemon's group, which may read it.
const GROUP: &str = "clawdbot";
/// The name that a host has for itself in /etc/hosts, by Debian's custom.
const OWN_ADDRESS: &str = "127.0.1.1";

/// What was set; what is absent stays as it is.
#[derive(Default)]
pub(crate) struct Settings {
    /// The host name, one label.
    pub(crate) hostname: Option<String>,
    /// The time zone: a file below /usr/share/zoneinfo.
    pub(crate) time_zone: Option<String>,
    /// The Wi-Fi network to join.
    pub(crate) wifi: Option<Wifi>,
    /// Public keys of who may log in, as in `authorized_keys`; empty: whoever could before.
    pub(crate) ssh_keys: Vec<String>,
    /// The daemon's configuration file.
    pub(crate) daemon: Option<String>,
}

/// A Wi-Fi network. It has no `Debug`: no log shall show the password.
pub(crate) struct Wifi {
    /// Two capital letters: the country whose radio rules hold.
    pub(crate) country: String,
    /// The network's name.
    pub(crate) name: String,
    /// Its password; `None`: an open network.
    pub(crate) password: Option<String>,
}

/// Why settings could not be put in place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file can't be written or read.
    #[error("{path} can't be changed ({reason}); is the card full, or write-protected?")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// The keys have no owner.
    #[error("there is no user {0} on this system, so nobody can have the keys of board.ssh_keys; leave the key out")]
    NoUser(String),
}

impl Error {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |reason| Self::File { path: path.to_owned(), reason }
    }
}

/// Puts everything in place, each file whole or not at all, and says in words what was done. Doing it again does no harm.
///
/// # Errors
/// The first thing that could not be done; what came before it is done.
pub(crate) fn apply(settings: &Settings, root: &Root, user: &str) -> Result<Vec<String>, Error> {
    let mut done = Vec::new();
    if let Some(name) = &settings.hostname {
        set_hostname(name, root)?;
        done.push(format!("host name {name}"));
    }
    if let Some(zone) = &settings.time_zone {
        set_time_zone(zone, root)?;
        done.push(format!("time zone {zone}"));
    }
    if let Some(wifi) = &settings.wifi {
        let path = root.join(wifi::PATH);
        write_whole(&path, wifi::profile(wifi).as_bytes(), 0o600, None).map_err(Error::at(&path))?;
        done.push(format!("Wi-Fi {:?}", wifi.name));
    }
    if !settings.ssh_keys.is_empty() {
        set_keys(&settings.ssh_keys, root, user)?;
        done.push(format!("{} SSH key(s) of {user}", settings.ssh_keys.len()));
    }
    if let Some(text) = &settings.daemon {
        let path = root.join(CONFIGURATION);
        let owner = entry(root, "/etc/group", GROUP).map(|group| Owner { user: 0, group: group.id });
        write_whole(&path, text.as_bytes(), 0o640, owner).map_err(Error::at(&path))?;
        done.push(format!("the daemon's configuration {CONFIGURATION}"));
    }
    Ok(done)
}

fn set_hostname(name: &str, root: &Root) -> Result<(), Error> {
    let path = root.join("/etc/hostname");
    write_whole(&path, format!("{name}\n").as_bytes(), 0o644, None).map_err(Error::at(&path))?;
    let path = root.join("/etc/hosts");
    let hosts = fs::read_to_string(&path).unwrap_or_default();
    let others = hosts.lines().filter(|line| line.split_whitespace().next() != Some(OWN_ADDRESS));
    let text: String =
        others.chain([format!("{OWN_ADDRESS}\t{name}").as_str()]).map(|line| format!("{line}\n")).collect();
    write_whole(&path, text.as_bytes(), 0o644, None).map_err(Error::at(&path))
}

fn set_time_zone(zone: &str, root: &Root) -> Result<(), Error> {
    let path = root.join("/etc/timezone");
    write_whole(&path, format!("{zone}\n").as_bytes(), 0o644, None).map_err(Error::at(&path))?;
    let path = root.join("/etc/localtime");
    whole_file::link_whole(&path, &format!("/usr/share/zoneinfo/{zone}")).map_err(Error::at(&path))
}

fn set_keys(keys: &[String], root: &Root, user: &str) -> Result<(), Error> {
    let account = entry(root, "/etc/passwd", user).ok_or_else(|| Error::NoUser(user.to_owned()))?;
    let home = account.home.ok_or_else(|| Error::NoUser(user.to_owned()))?;
    let owner = Owner { user: account.id, group: account.group };
    let folder = root.join(home).join(".ssh");
    whole_file::folder(&folder, 0o700, owner).map_err(Error::at(&folder))?;
    let path = folder.join("authorized_keys");
    let text: String = keys.iter().map(|key| format!("{}\n", key.trim())).collect();
    write_whole(&path, text.as_bytes(), 0o600, Some(owner)).map_err(Error::at(&path))
}

/// A line of /etc/passwd or /etc/group.
struct Entry {
    id: u32,
    group: u32,
    /// Groups have none.
    home: Option<String>,
}

/// The line of `name` in the root's own table: on a board that is being set up, nobody else knows users.
fn entry(root: &Root, table: &str, name: &str) -> Option<Entry> {
    let text = fs::read_to_string(root.join(table)).ok()?;
    let fields: Vec<&str> =
        text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|line| line.first() == Some(&name))?;
    let number = |index: usize| fields.get(index).and_then(|field| field.parse().ok());
    Some(Entry {
        id: number(2)?,
        group: number(3).unwrap_or_default(),
        home: fields.get(5).map(|home| (*home).to_owned()),
    })
}

#[cfg(test)]
mod tests;
