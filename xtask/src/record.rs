//! Measurements that are kept: `benches/record/<machine>/<date>-<commit>-<what>.json`, so that a number in prose has a
//! date, a command and a machine.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{command, output, repository_root};

/// Writes `measurement`, with the machine, the date and the commit beside it.
pub(crate) fn write(what: &str, measurement: &Value) -> Outcome {
    let date = output(&mut command("date", &["-u", "+%Y-%m-%d"]))?.trim().to_owned();
    let commit = output(&mut command("git", &["rev-parse", "--short=10", "HEAD"]))?.trim().to_owned();
    let processor = processor();
    let slug: String = processor
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' })
        .collect();
    let folder = repository_root().join("benches/record").join(slug.trim_matches('-'));
    let path = free(&folder, &format!("{date}-{commit}-{what}"));
    let whole = json!({
        "machine": {"processor": processor, "cores": std::thread::available_parallelism().map_or(0, usize::from)},
        "date": date,
        "commit": commit,
        "measurement": measurement,
    });
    let text = serde_json::to_string_pretty(&whole).map_err(|error| error.to_string())? + "\n";
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("\nrecorded in {}", path.display());
    Ok(())
}

/// A file of this name that is not there yet: a second run of the same commit stands beside the first.
fn free(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered).map(|name| folder.join(name + ".json"));
    names.find(|path| !path.exists()).unwrap_or_else(|| folder.join(format!("{name}.json")))
}

/// The processor's name, as /proc/cpuinfo gives it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name.trim());
    format!("{} {}", std::env::consts::ARCH, name.unwrap_or("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_does_not_take_the_first_one_s_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            let path = free(folder.path(), "2026-11-29-peers");
            std::fs::write(&path, "{}").unwrap();
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        assert_eq!(names, ["2026-11-29-peers.json", "2026-11-29-peers-2.json", "2026-11-29-peers-3.json"]);
    }
}
