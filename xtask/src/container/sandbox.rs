//! Running a program of the image as an engine would: its user and groups, its environment, its files read-only but for what
//! is mounted, as process 1. bubblewrap does it; the network is the machine's own, so that a broker here can be reached.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::architecture::Architecture;
use super::image::Image;
use crate::Outcome;
use crate::process;

/// Where the emulator stands inside.
const EMULATOR: &str = "/tmp/emulator";

/// See the module.
pub(super) struct Sandbox<'a> {
    image: &'a Image,
    architecture: Architecture,
    user: User,
    folder: PathBuf,
}

/// Who a process of the image is.
#[derive(Debug, PartialEq, Eq)]
struct User {
    id: u32,
    group: u32,
    groups: Vec<u32>,
}

impl<'a> Sandbox<'a> {
    /// A sandbox whose mounted folders are kept in `folder` from one program to the next.
    ///
    /// # Errors
    /// When the image's user is not among its own users, or is root.
    pub(super) fn new(image: &'a Image, architecture: Architecture, folder: &Path) -> Result<Self, String> {
        let read = |name: &str| {
            let path = image.root.join(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let user = User::find(&image.settings.user, &read("etc/passwd")?, &read("etc/group")?)?;
        let sandbox = Self { image, architecture, user, folder: folder.to_owned() };
        for mounted in sandbox.mounted() {
            sandbox.give(&sandbox.outside(&mounted))?;
        }
        Ok(sandbox)
    }

    /// The folders that outlive a program, by the image's own variables.
    fn mounted(&self) -> Vec<String> {
        let folders = self.image.settings.env.iter().filter_map(|variable| variable.split_once("_DIRECTORY="));
        folders.map(|(_, folder)| folder.to_owned()).collect()
    }

    /// Where a mounted folder lies on this machine.
    fn outside(&self, mounted: &str) -> PathBuf {
        self.folder.join(mounted.trim_start_matches('/').replace('/', "-"))
    }

    /// Makes a folder that belongs to the image's user.
    fn give(&self, folder: &Path) -> Outcome {
        let (user, group) = (self.user.id.to_string(), self.user.group.to_string());
        process::run(process::command("install", &["-d", "-m", "0750", "-o", &user, "-g", &group]).arg(folder))
    }

    /// A command that runs `words` inside, with `environment` beside the image's.
    pub(super) fn command(&self, words: &[&str], environment: &[(&str, &str)]) -> Command {
        let User { id, group, groups } = &self.user;
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={id}"), format!("--regid={group}"), format!("--groups={}", groups.join(","))]);
        command.args([
            "--",
            "bwrap",
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-uts",
            "--as-pid-1",
        ]);
        command.args(["--die-with-parent", "--clearenv", "--ro-bind"]).arg(&self.image.root).arg("/");
        command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]);
        for mounted in self.mounted() {
            command.arg("--bind").arg(self.outside(&mounted)).arg(mounted);
        }
        let of_image = self.image.settings.env.iter().filter_map(|variable| variable.split_once('='));
        for (name, value) in of_image.chain(environment.iter().copied()) {
            command.args(["--setenv", name, value]);
        }
        if let Some((emulator, arguments)) = self.architecture.emulator().split_first() {
            command.args(["--ro-bind", emulator, EMULATOR, "--", EMULATOR]).args(arguments);
        } else {
            command.arg("--");
        }
        command.args(words).stdin(Stdio::null());
        command
    }
}

impl User {
    /// The user of this number as the image's own lists know it, with all its groups, as engines do it.
    fn find(number: &str, passwd: &str, group: &str) -> Result<Self, String> {
        let entry =
            passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|entry| entry.get(2) == Some(&number));
        let [name, _, id, first, ..] = entry.as_deref().unwrap_or_default() else {
            return Err(format!("the image's user {number:?} is not in its /etc/passwd"));
        };
        let parsed =
            |word: &str| word.parse::<u32>().map_err(|error| format!("/etc/passwd of the image: {word:?}: {error}"));
        let mut groups = vec![parsed(first)?];
        for line in group.lines() {
            let entry: Vec<&str> = line.split(':').collect();
            if let [_, _, id, members] = entry.as_slice()
                && members.split(',').any(|member| member == *name)
            {
                groups.push(parsed(id)?);
            }
        }
        match parsed(id)? {
            0 => Err("the image's user is root: USER in deploy/docker/Dockerfile must name another".to_owned()),
            id => Ok(Self { id, group: groups[0], groups }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nclawdbot:x:10001:10001::/var/lib/clawdbot:/usr/sbin/nologin\n";

    #[test]
    fn a_user_has_the_groups_that_name_it() {
        let group = "root:x:0:\nvideo:x:44:clawdbot\naudio:x:29:pulse\nclawdbot:x:10001:\n";
        let user = User::find("10001", PASSWD, group).unwrap();
        assert_eq!(user, User { id: 10001, group: 10001, groups: vec![10001, 44] });
    }

    #[test]
    fn root_and_strangers_are_refused() {
        assert!(User::find("0", PASSWD, "").is_err_and(|error| error.contains("root")));
        assert!(User::find("", PASSWD, "").is_err() && User::find("7", PASSWD, "").is_err());
    }
}
