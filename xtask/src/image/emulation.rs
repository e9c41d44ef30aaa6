//! Running the programs of an Arm root here: the kernel starts qemu for them, once it was told how they begin.

use std::path::Path;

use crate::Outcome;
use crate::process;

const FOLDER: &str = "/proc/sys/fs/binfmt_misc";
/// The first bytes of a 64-bit Arm program, which of them count, and who runs it. `F`: found now, so that it need not lie in
/// the root; `C`: with the rights of the program, as sudo's.
const RULE: &str = concat!(
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:",
    "/usr/bin/qemu-aarch64-static:OCF"
);

/// Sees to it that Arm programs run here. On an ordinary Debian with qemu-user-static they do; in a container they may not
/// yet. The rule is the whole machine's and stays until it is shut down.
pub(crate) fn register() -> Outcome {
    if cfg!(target_arch = "aarch64") || is_registered() {
        return Ok(());
    }
    if !Path::new(FOLDER).join("register").exists() {
        process::run(&mut process::command("mount", &["-t", "binfmt_misc", "none", FOLDER])).map_err(unable)?;
    }
    if !is_registered() {
        std::fs::write(Path::new(FOLDER).join("register"), RULE).map_err(|error| unable(error.to_string()))?;
        println!("registered qemu-aarch64-static for Arm programs (echo -1 > {FOLDER}/qemu-aarch64 undoes it)");
    }
    Ok(())
}

fn is_registered() -> bool {
    Path::new(FOLDER).join("qemu-aarch64").exists()
}

fn unable(reason: String) -> String {
    format!(
        "Arm programs cannot be made to run here ({reason}); install qemu-user-static where systemd runs, or run as real root"
    )
}
