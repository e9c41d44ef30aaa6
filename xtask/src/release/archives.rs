//! Archives: of the whole source, of the Yocto layer, of a folder. The same commit gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::work::Work;
use super::{create, git};
use crate::Outcome;
use crate::process;

/// The commit's files, as git has them.
pub(super) fn source(work: &Work) -> Result<Vec<PathBuf>, String> {
    let name = format!("clawdbot-{}", work.release.version);
    check_out(&work.scratch.path().join("source").join(&name), None)?;
    Ok(vec![pack(&work.scratch.path().join("source"), &name, &work.named("source.tar.xz"), work.release.epoch)?])
}

/// The Yocto layer alone, for those who build an image and need the rest as a download of the recipe.
pub(super) fn yocto_layer(work: &Work) -> Result<Vec<PathBuf>, String> {
    let folder = work.scratch.path().join("layer");
    check_out(&folder, Some("yocto/meta-clawdbot"))?;
    let archive = work.named("meta-clawdbot.tar.xz");
    Ok(vec![pack(&folder.join("yocto"), "meta-clawdbot", &archive, work.release.epoch)?])
}

/// The last commit's files, or those below `path`, in `folder`.
fn check_out(folder: &Path, path: Option<&str>) -> Outcome {
    create(folder)?;
    let archive = folder.with_extension("tar");
    process::run(git(&["archive", "--format=tar", "--output"]).arg(&archive).arg("HEAD").args(path))?;
    process::run(process::command("tar", &["--extract", "--file"]).arg(&archive).arg("--directory").arg(folder))
}

/// The folder `name` of `inside` as `to`: names sorted, one time, no owner, no mode but read, write and execute.
pub(super) fn pack(inside: &Path, name: &str, to: &Path, epoch: u64) -> Result<PathBuf, String> {
    let mtime = format!("--mtime=@{epoch}");
    let mut tar = process::command("tar", &["--create", "--sort=name", "--format=gnu", "--numeric-owner"]);
    tar.args(["--owner=0", "--group=0", "--mode=u=rwX,go=rX", &mtime, "--directory"]).arg(inside).arg(name);
    let mut child = tar.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot start tar: {error}"))?;
    let file = std::fs::File::create(to).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    let tarred = child.stdout.take().ok_or("tar has no output")?;
    // One thread: how xz cuts its input must not depend on the machine.
    let packed = process::run(process::command("xz", &["-6", "--threads=1"]).stdin(tarred).stdout(file));
    let status = child.wait().map_err(|error| format!("tar: {error}"))?;
    packed?;
    if status.success() { Ok(to.to_owned()) } else { Err(format!("tar of {name} failed with {status}")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_archive_depends_on_nothing_but_its_files() {
        let pack_with = |mode: u32, first: &str| {
            let folder = tempfile::tempdir().unwrap();
            let inside = folder.path().join("x");
            create(&inside).unwrap();
            for name in [first, "a", "b"] {
                std::fs::write(inside.join(name), "same").unwrap();
                std::fs::set_permissions(inside.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
            }
            let packed = pack(folder.path(), "x", &folder.path().join("x.tar.xz"), 1_000_000_000).unwrap();
            std::fs::read(packed).unwrap()
        };
        assert_eq!(pack_with(0o600, "b"), pack_with(0o664, "a"));
        assert_ne!(pack_with(0o600, "b"), pack_with(0o700, "b"), "what may be executed stays so");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(pack(folder.path(), "x", &folder.path().join("x.tar.xz"), 1).is_err_and(|error| error.contains("tar")));
    }
}
