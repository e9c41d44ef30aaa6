//! `clawdbot doctor` on a board that works.

use serde_json::Value;

use super::super::house::House;

/// What it must find here, by its words: each was made so by the image or by the first-boot file.
const WANTED: [(&str, &str, &str); 5] = [
    ("configuration", "ok", "/etc/clawdbot/clawdbot.toml"),
    ("cgroup", "ok", "memory"),
    ("swap", "ok", "compressed memory"),
    ("broker", "ok", "takes us with its login"),
    ("page_size", "ok", "4 KiB"),
];

/// It speaks JSON, finds nothing that keeps the daemon from working, and sees what the image set up.
pub(super) fn finds_no_problem(house: &mut House) -> Result<String, String> {
    let text = house.command("clawdbot doctor --json || true")?;
    let report: Value = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    let findings = report["findings"].as_array().ok_or_else(|| format!("no findings in {text}"))?;
    let is = |finding: &Value, key: &str, wanted: &str| finding[key].as_str() == Some(wanted);
    if let Some(problem) = findings.iter().find(|finding| is(finding, "verdict", "problem")) {
        return Err(format!("it finds a problem on a board that works: {problem}"));
    }
    for (check, verdict, word) in WANTED {
        let found = findings.iter().find(|finding| is(finding, "check", check));
        let found = found.ok_or_else(|| format!("it does not say anything of {check}"))?;
        if !is(found, "verdict", verdict) || !found["seen"].as_str().is_some_and(|seen| seen.contains(word)) {
            return Err(format!("of {check} it says {found}, not {verdict:?} with {word:?}"));
        }
    }
    let count = |verdict: &str| findings.iter().filter(|finding| is(finding, "verdict", verdict)).count();
    let [ok, notes, warnings, unknown] = ["ok", "note", "warning", "unknown"].map(count);
    Ok(format!("{ok} ok, {notes} notes, {warnings} warnings, {unknown} unknown"))
}
