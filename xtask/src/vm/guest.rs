//! A running machine: qemu, its console, and commands that are run in it by SSH.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Machine;
use super::disk::{Disk, Kernel};
use crate::process;

/// Everything has an end, also beside other work: a boot takes some 20 s on a quiet machine.
pub(super) const LIMIT: Duration = Duration::from_secs(420);
/// How often is looked whether something happened.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Guest {
    child: Child,
    console: PathBuf,
    /// SSH with all that it needs to be told but the command.
    ssh: Vec<String>,
    started: Instant,
}

impl Guest {
    /// Starts a machine on `disk`. `key` opens it; `number` tells its console from those of earlier machines.
    pub(super) fn start(machine: Machine, disk: &Disk, folder: &Path, number: usize) -> Result<Self, String> {
        let port = free_port()?;
        let console = folder.join(format!("console-{number}.log"));
        let output = File::create(&console).map_err(|error| format!("cannot create {}: {error}", console.display()))?;
        let errors = output.try_clone().map_err(|error| format!("{}: {error}", console.display()))?;
        let mut command = command(machine, disk, port)?;
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.map_err(|error| format!("cannot start qemu-system-aarch64: {error}"))?;
        let mut ssh =
            vec!["-i".to_owned(), folder.join("key").display().to_string(), "-p".to_owned(), port.to_string()];
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=20",
            "ServerAliveInterval=20",
            // One handshake for all commands: it costs seconds under emulation.
            "ControlMaster=auto",
            "ControlPersist=60",
            &format!("ControlPath={}", folder.join(format!("ssh-{number}")).display()),
        ] {
            ssh.extend(["-o".to_owned(), option.to_owned()]);
        }
        ssh.push("pi@127.0.0.1".to_owned());
        Ok(Self { child, console, ssh, started: crate::vm::now() })
    }

    /// How long the machine has been running.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until somebody may log in.
    pub(super) fn wait_for_login(&mut self) -> Result<(), String> {
        until("nobody could log in by SSH", || {
            self.is_running()?;
            Ok(self.try_command("true").ok())
        })
    }

    /// Waits for a text on the console.
    pub(super) fn wait_for(&mut self, text: &str) -> Result<(), String> {
        until(&format!("{text:?} did not appear on the console"), || {
            self.is_running()?;
            Ok(self.console_text().contains(text).then_some(()))
        })
    }

    fn is_running(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the machine ended by itself ({status})")),
            Err(error) => Err(format!("qemu cannot be asked whether it runs: {error}")),
        }
    }

    /// Runs a command of a shell as root and gives what it printed.
    pub(super) fn command(&self, text: &str) -> Result<String, String> {
        let output =
            self.ssh(text).stderr(Stdio::inherit()).output().map_err(|error| format!("cannot start ssh: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() { Ok(said) } else { Err(format!("`{text}` failed in the guest: {said}")) }
    }

    /// Copies a file into the machine, as root.
    pub(super) fn send(&self, file: &Path, to: &str) -> Result<(), String> {
        let input = File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let status = self.ssh(&format!("cat > {to}")).stdin(input).status();
        match status.map_err(|error| format!("cannot start ssh: {error}"))? {
            status if status.success() => Ok(()),
            status => Err(format!("{} did not reach the guest ({status})", file.display())),
        }
    }

    fn try_command(&self, text: &str) -> Result<(), ()> {
        let status = self.ssh(text).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err(()) }
    }

    fn ssh(&self, text: &str) -> Command {
        let mut command = process::command("ssh", &[]);
        // The far shell takes the words apart again: quoted, they come out as they went in.
        command.args(&self.ssh).args(["sudo", "sh", "-ec"]).arg(format!("'{}'", text.replace('\'', r"'\''")));
        command
    }

    /// Cuts the power: what the guest had not brought to its disk is lost.
    pub(super) fn cut_power(mut self) -> Result<(), String> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(drop)
            .map_err(|error| format!("cannot end qemu: {error}"))
    }

    /// Shuts the machine down and waits for its end.
    pub(super) fn shut_down(mut self) -> Result<(), String> {
        // The connection may end before the command does.
        drop(self.command("systemctl poweroff --no-block"));
        until("the machine did not shut down", || self.child.try_wait().map_err(|error| format!("qemu: {error}")))
            .map(drop)
    }

    /// The end of what the console showed.
    pub(super) fn console_end(&self) -> String {
        let text = self.console_text();
        let lines: Vec<&str> = text.lines().collect();
        format!("the last lines of {}:\n{}", self.console.display(), lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    fn console_text(&self) -> String {
        plain(&String::from_utf8_lossy(&std::fs::read(&self.console).unwrap_or_default()))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself, which is just as well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The text without a terminal's colours: systemd puts them between a unit's state and its name.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic()).map_or(part.len(), |end| end + 1);
        whole + &part[end..]
    })
}

/// Asks until there is an answer, or the time is over.
pub(super) fn until<T>(otherwise: &str, mut ask: impl FnMut() -> Result<Option<T>, String>) -> Result<T, String> {
    let started = crate::vm::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if started.elapsed() > LIMIT {
            return Err(format!("{otherwise} within {} s", LIMIT.as_secs()));
        }
        std::thread::sleep(PAUSE);
    }
}

/// A port that nobody listens on.
pub(super) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no port is free: {error}"))
}

fn command(machine: Machine, disk: &Disk, port: u16) -> Result<Command, String> {
    let Kernel { kernel, initial_root, command_line } = disk.kernel()?;
    let mut command =
        process::command("qemu-system-aarch64", &["-display", "none", "-monitor", "none", "-serial", "stdio"]);
    command.args(["-no-reboot", "-kernel"]).arg(kernel).arg("-initrd").arg(initial_root);
    // The last console is the one that systemd speaks on.
    let mut words = format!("{command_line} console=ttyAMA0,115200 panic=-1 systemd.show_status=1");
    if machine == Machine::Pi3 {
        // qemu takes the first write to its watchdog for a reset, not for the time until one (hw/misc/bcm2835_powermgt.c): seen with
        // 7.2, the machine ends when systemd arms it.
        words.push_str(" systemd.watchdog_sec=0");
    }
    command.args(["-append", &words]);
    match machine {
        Machine::Virt => {
            command.args(["-M", "virt", "-cpu", "cortex-a72", "-smp", "4", "-m", "2048", "-accel", "tcg,thread=multi"]);
            command.arg("-drive").arg(format!("if=none,id=card,format=raw,file={}", disk.path().display()));
            command.args(["-device", "virtio-blk-pci,drive=card", "-device", "virtio-rng-pci"]);
            command.args(["-netdev", &format!("user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22")]);
            command.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        }
        Machine::Pi3 => {
            command.args(["-M", "raspi3b", "-dtb"]).arg(disk.take("bcm2837-rpi-3-b.dtb")?);
            command.arg("-drive").arg(format!("if=sd,format=raw,file={}", disk.path().display()));
        }
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn colours_do_not_stand_between_words() {
        let console = "[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mclawdbot.service\x1b[0m.";
        assert_eq!(plain(console), "[  OK  ] Started clawdbot.service.");
        assert_eq!(plain("cut \x1b[0;1"), "cut ");
    }
}
