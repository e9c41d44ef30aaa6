//! Measurements that are kept: `benches/record/<machine>/<date>-<commit>-<what>.json`, so that a number in prose has a
//! date, a command and a machine.

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
    let path = folder.join(format!("{date}-{commit}-{what}.json"));
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

/// The processor's name, as /proc/cpuinfo gives it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name.trim());
    format!("{} {}", std::env::consts::ARCH, name.unwrap_or("unknown"))
}
