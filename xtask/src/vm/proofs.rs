//! What is proved, one line each, in this order: a later proof finds the machine as the earlier ones left it.

mod doctor;
mod failures;
mod power;
mod start;
pub(super) mod upgrade;

use super::house::House;

/// One proof. It says what it saw, or what it did not.
pub(super) struct Proof {
    pub(super) name: &'static str,
    pub(super) run: fn(&mut House) -> Result<String, String>,
}

/// All of them: to add one, write its function and a line here. The first starts the machine.
pub(super) const PROOFS: &[Proof] = &[
    Proof { name: "the first-boot file is taken", run: start::first_boot_file_is_taken },
    Proof { name: "the service is active", run: start::service_is_active },
    Proof { name: "detections arrive at a broker", run: start::detections_arrive },
    Proof { name: "the unit is confined", run: start::unit_is_confined },
    Proof { name: "the board is set up", run: start::board_is_set_up },
    Proof { name: "the doctor finds no problem", run: doctor::finds_no_problem },
    Proof { name: "killed, it starts again", run: failures::killed },
    Proof { name: "hung, it is started again", run: failures::hung },
    Proof { name: "a bad configuration is explained, once", run: failures::bad_configuration },
    Proof { name: "a bad first-boot file is explained", run: failures::bad_first_boot_file },
    Proof { name: "an upgrade keeps configuration and state", run: upgrade::keeps_what_is_ours },
    Proof { name: "power cut: everything comes back", run: power::cut },
    Proof { name: "power cut while the card is being set up", run: power::cut_during_setup },
    Proof { name: "shut down, the card is clean", run: power::card_is_clean },
];

/// The daemon's unit.
const UNIT: &str = "clawdbot.service";
/// Its configuration.
const CONFIGURATION: &str = "/etc/clawdbot/clawdbot.toml";
/// What the guide tells those whose card is never written, before they change something; elsewhere it changes nothing.
const OPEN_ROOT: &str = "mount -o remount,rw /";

/// Read-only is what the table of mounts says, no less and no more: the root of such a card, and nothing that fell back to it.
fn check_mounts(house: &House) -> Result<(), String> {
    // It fails where there is no such mount, too, which is fine; where it is missing nothing would be seen, on either side.
    let read_only = |what: &str| {
        let find = format!("findmnt {what} --noheadings --options ro --output TARGET");
        house.command(&format!("findmnt --version > /dev/null && {{ {find} || true; }}"))
    };
    let (seen, wanted) = (read_only("--real")?, read_only("--fstab")?);
    if seen == wanted { Ok(()) } else { Err(format!("mounts that are read-only: {seen:?}, not {wanted:?}")) }
}
