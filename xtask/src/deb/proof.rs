//! `cargo xtask deb --prove`: the package in a Debian root of its own. Two builds are compared; then it is installed,
//! upgraded twice, disabled, removed, installed again and purged, and after each step the root is looked at.
//!
//! No systemd runs in the root, so a recorder stands in for `systemctl`: it keeps what the maintainer scripts ask for.

mod household;
mod recorder;

use household::Household;
use recorder::Recorder;

use super::package::{Contents, Effort, Package};
use super::temporary_folder;
use crate::Outcome;
use crate::debian_root::Root;

/// What the root has beside Debian's minimum. A board has them too.
const PACKAGES: &[&str] = &["systemd"];

/// Proves the package; `first` is the one that was just built of `contents`.
pub(super) fn run(contents: &Contents<'_>, first: &Package) -> Outcome {
    let work = temporary_folder()?;
    same_again(contents, first, work.path())?;

    // Versions to upgrade to, each with another default configuration.
    let later = |suffix: &str| {
        let mut later = contents.clone();
        later.release.version = format!("{}+{suffix}", contents.release.version);
        later.effort = Effort::Fast;
        later.configuration += &format!("# as of {suffix}\n");
        later.build(work.path())
    };
    let (second, third) = (later("second")?, later("third")?);
    let root = Root::unpack(contents.architecture.name(), PACKAGES)?;
    let house = Household::new(&root);

    without_systemd(&house, first)?;
    let recorder = Recorder::install(&root)?;
    install(&house, &recorder, first)?;
    upgrade_untouched(&house, &recorder, &second)?;
    upgrade_edited(&house, &recorder, &third)?;
    stay_disabled(&house, &recorder, &third)?;
    remove_and_return(&house, &recorder, &third)?;
    purge(&house)?;
    println!("{}: proved", contents.architecture.name());
    Ok(())
}

/// The same contents make the same package.
fn same_again(contents: &Contents<'_>, first: &Package, folder: &std::path::Path) -> Outcome {
    let again = contents.build(&folder.join("again"))?;
    if again.sha256 != first.sha256 {
        return Err(format!(
            "two builds differ: {} and {}; `diffoscope` on {} and {} shows where",
            first.sha256,
            again.sha256,
            first.path.display(),
            again.path.display()
        ));
    }
    println!("built twice: the same sha256");
    Ok(())
}

/// As in an image that is being built: nothing can be started, the first boot will.
fn without_systemd(house: &Household<'_>, package: &Package) -> Outcome {
    house.dpkg("--install", Some(package))?;
    house.is_installed()?;
    house.is_enabled(true)?;
    house.runs()?;
    house.dpkg("--purge", None)?;
    house.is_purged()?;
    println!("without systemd: installed, enabled, runs as its user, purged");
    Ok(())
}

fn install(house: &Household<'_>, recorder: &Recorder<'_>, package: &Package) -> Outcome {
    house.dpkg("--install", Some(package))?;
    house.is_installed()?;
    house.is_enabled(true)?;
    recorder.expect(&["daemon-reload", "start"])?;
    println!("install: user, folders, documents and configuration are there; the service was started");
    Ok(())
}

/// A configuration that nobody touched follows the package.
fn upgrade_untouched(house: &Household<'_>, recorder: &Recorder<'_>, package: &Package) -> Outcome {
    house.live_in()?;
    house.dpkg("--install", Some(package))?;
    house.configuration_holds("# as of second")?;
    house.state_is_whole()?;
    recorder.expect(&["daemon-reload", "restart"])?;
    println!("upgrade: the untouched configuration is the new default, the state is whole, the service was restarted");
    Ok(())
}

/// One that was edited stays, and the new default lies beside it.
fn upgrade_edited(house: &Household<'_>, recorder: &Recorder<'_>, package: &Package) -> Outcome {
    house.edit_configuration()?;
    house.dpkg("--install", Some(package))?;
    house.configuration_is_edited()?;
    house.new_default_lies_beside("# as of third")?;
    house.state_is_whole()?;
    house.is_enabled(true)?;
    recorder.expect(&["daemon-reload", "restart"])?;
    println!("upgrade: the edited configuration stays, with its owner and mode; the state is whole");
    Ok(())
}

/// Whoever disables the service finds it disabled after the next upgrade.
fn stay_disabled(house: &Household<'_>, recorder: &Recorder<'_>, package: &Package) -> Outcome {
    recorder.real(&["disable", "clawdbot.service"])?;
    recorder.stop()?;
    house.dpkg("--install", Some(package))?;
    house.is_enabled(false)?;
    recorder.expect(&["daemon-reload"])?;
    recorder.real(&["enable", "clawdbot.service"])?;
    println!("a disabled service stays disabled and is not started");
    Ok(())
}

fn remove_and_return(house: &Household<'_>, recorder: &Recorder<'_>, package: &Package) -> Outcome {
    recorder.start()?;
    house.dpkg("--remove", None)?;
    house.is_removed()?;
    house.configuration_is_edited()?;
    house.state_is_whole()?;
    recorder.expect(&["stop", "daemon-reload"])?;
    house.dpkg("--install", Some(package))?;
    house.configuration_is_edited()?;
    house.state_is_whole()?;
    println!("remove: the program is gone and the service was stopped; configuration and state wait for its return");
    Ok(())
}

fn purge(house: &Household<'_>) -> Outcome {
    house.leave_a_secret()?;
    house.dpkg("--purge", None)?;
    house.is_purged()?;
    house.secret_is_left()?;
    println!(
        "purge: configuration, state and links are gone; what the administrator put beside them, and the user, stay"
    );
    Ok(())
}
