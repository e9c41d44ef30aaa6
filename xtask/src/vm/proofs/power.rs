//! Power that goes without a word, and a shutdown.

use super::super::house::{HOSTNAME, House, SECRETS};
use super::{CONFIGURATION, UNIT, check_mounts};
use crate::vm::guest::until;

/// What must be the same afterwards: configuration, name, keys, the installation's id.
const KEPT: &str = "cat /etc/clawdbot/clawdbot.toml /etc/hostname /etc/machine-id /home/pi/.ssh/authorized_keys \
                    /var/lib/clawdbot/install-id /etc/ssh/ssh_host_ed25519_key.pub | sha256sum";

/// The machine is killed while the daemon works, and started again on the same card.
pub(super) fn cut(house: &mut House) -> Result<String, String> {
    is_active(house)?;
    let before = house.command(KEPT)?;
    house.take_guest()?.cut_power()?;
    house.boot()?;
    let took = house.guest()?.age().as_secs_f64();
    is_active(house)?;
    is_whole(house)?;
    if house.command(KEPT)? != before {
        return Err("configuration, name, keys or id are not what they were".to_owned());
    }
    let event = house.broker.next(&format!("clawdbot/v1/{HOSTNAME}/camera/clip/event"), false)?;
    Ok(format!("open after {took:.1} s, service active, nothing lost, {} arrives again", event["data"]["label"]))
}

/// The power goes in the middle of taking a new first-boot file: the next boot ends what was begun.
pub(super) fn cut_during_setup(house: &mut House) -> Result<String, String> {
    let [secret, _] = SECRETS;
    // As a cut between the last two steps leaves it: taken, with its passwords, under its middle name.
    house.command(&format!("cp {CONFIGURATION} /boot/firmware/clawdbot.importing.toml && sync"))?;
    house.take_guest()?.cut_power()?;
    if !house.disk.boot_partition_holds(secret)? {
        return Err("the password did not reach the card, so there was nothing to prove".to_owned());
    }
    house.boot()?;
    is_active(house)?;
    let names = house.command("ls /boot/firmware && sync")?;
    if names.contains("clawdbot.importing.toml") {
        return Err(format!("the file still has its middle name: {names}"));
    }
    let text = house.command("cat /boot/firmware/clawdbot.imported.toml")?;
    if text.contains(secret) || !text.contains("***") {
        return Err("the password still stands in the file".to_owned());
    }
    Ok("the password is overwritten at the next boot".to_owned())
}

/// After a shutdown no checker finds anything to say.
pub(super) fn card_is_clean(house: &mut House) -> Result<String, String> {
    house.take_guest()?.shut_down()?;
    house.disk.check()?;
    for secret in SECRETS {
        if house.disk.boot_partition_holds(secret)? {
            return Err(format!("{secret} stands on the boot partition"));
        }
    }
    let names = house.disk.names()?;
    Ok(format!("e2fsck and fsck.vfat are content; {} files on the boot partition", names.lines().count()))
}

fn is_active(house: &House) -> Result<(), String> {
    until("the service was not active", || {
        let [state] = house.properties(UNIT, ["ActiveState"])?;
        Ok((state == "active").then_some(()))
    })
}

/// The package's files are those of the package, and no mount fell back to read-only.
fn is_whole(house: &House) -> Result<(), String> {
    // The image leaves man pages out; the configuration is ours.
    let changed = house.command("dpkg --verify clawdbot | grep -v -e /usr/share/ -e /etc/clawdbot || true")?;
    if !changed.is_empty() {
        return Err(format!("files that changed: {changed:?}"));
    }
    check_mounts(house)
}
