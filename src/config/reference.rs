//! What is said about keys, for people: the commented default file and the reference page, both made from the table of
//! keys, both compared with the files in the repository by a test.

use super::env::{OVERRIDE_PREFIX, VARIABLES};
use super::key::{Key, Section};
use super::raw::SECTIONS;

/// Adds one line.
macro_rules! line {
    ($text:ident, $($argument:tt)*) => {{
        $text.push_str(&format!($($argument)*));
        $text.push('\n');
    }};
}

/// `deploy/clawdbot.toml`: every key with its sentence, commented out; only the first camera is on.
pub(crate) fn default_file() -> String {
    let mut text = String::new();
    line!(
        text,
        "# clawdbot's configuration. Every key is optional unless it says otherwise; what is commented out shows an example."
    );
    line!(
        text,
        "# Check it with `clawdbot check-config FILE`. Every key can be overridden by the environment: {OVERRIDE_PREFIX}SECTION__KEY."
    );
    line!(text, "# The same as a page: docs/reference/config.md");
    for section in SECTIONS {
        let is_on = section.name == "camera";
        let (open, close) = if section.is_list { ("[[", "]]") } else { ("[", "]") };
        let comment = if section.is_list && !is_on { "# " } else { "" };
        line!(text, "");
        wrapped(&mut text, "# ", section.about);
        line!(text, "{comment}{open}{}{close}", section.name);
        for key in section.keys {
            let comment = if is_on && matches!(key.name, "id" | "source" | "device") { "" } else { "# " };
            wrapped(&mut text, "# ", &format!("{} Default: {}.", key.about, key.default));
            line!(text, "{comment}{} = {}", key.name, key.example);
        }
    }
    text
}

/// The section that only the file on a boot partition has, commented out.
pub(super) fn board_section(section: &Section) -> String {
    let mut text = String::new();
    wrapped(&mut text, "# ", "Settings of this board. Call the file clawdbot.toml; it is taken at the next boot.");
    line!(text, "");
    wrapped(&mut text, "# ", section.about);
    line!(text, "[{}]", section.name);
    for key in section.keys {
        wrapped(&mut text, "# ", &format!("{} Default: {}.", key.about, key.default));
        line!(text, "# {} = {}", key.name, key.example);
    }
    text
}

/// `docs/reference/config.md`: the same as tables, with types and ranges, and the environment variables.
pub(crate) fn page() -> String {
    let mut text = String::new();
    line!(text, "# Configuration\n");
    line!(
        text,
        "One TOML file, checked with `clawdbot check-config FILE`: all errors are told at once, exit code 78. Unknown keys are errors."
    );
    line!(
        text,
        "A commented file to start from is `deploy/clawdbot.toml` (`clawdbot check-config --default` prints it). Without any file,"
    );
    line!(
        text,
        "clawdbot runs its own broker, the first usable camera or the bundled clip, and the bundled detector.\n"
    );
    line!(
        text,
        "This page is made from the table of keys in `src/config/raw/` (`clawdbot check-config --reference` prints it)."
    );
    for section in SECTIONS {
        let (open, close) = if section.is_list { ("[[", "]]") } else { ("[", "]") };
        line!(text, "\n## `{open}{}{close}`\n", section.name);
        line!(text, "{}\n", section.about);
        line!(text, "| key | allowed | default | |");
        line!(text, "|---|---|---|---|");
        for key in section.keys {
            line!(text, "| `{}` | {} | {} | {} |", key.name, key.kind.allowed(), cell(key.default), cell(key.about));
        }
    }
    line!(text, "\n## Environment\n");
    line!(
        text,
        "Every key can be overridden; a list of texts is separated by commas. An override may add the next [[camera]], [[sensor]] or [[llm.task]].\n"
    );
    line!(text, "| variable | key |");
    line!(text, "|---|---|");
    for section in SECTIONS {
        for key in section.keys {
            line!(text, "| `{}` | `{}.{}` |", override_name(section, key), section.name, key.name);
        }
    }
    line!(text, "\nBeside them:\n");
    line!(text, "| variable | default | |");
    line!(text, "|---|---|---|");
    for variable in VARIABLES {
        line!(text, "| `{}` | {} | {} |", variable.name, cell(variable.default), cell(variable.about));
    }
    text
}

fn override_name(section: &Section, key: &Key) -> String {
    let number = if section.is_list { "0__" } else { "" };
    format!("{OVERRIDE_PREFIX}{}__{number}{}", section.name.to_uppercase().replace('.', "__"), key.name.to_uppercase())
}

/// Text inside a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// `text` in lines of at most 118 columns, each after `prefix`.
fn wrapped(text: &mut String, prefix: &str, words: &str) {
    let mut line = prefix.to_owned();
    for word in words.split_whitespace() {
        if line.chars().count() + word.chars().count() > 118 {
            line!(text, "{}", line.trim_end());
            line = prefix.to_owned();
        }
        line.push_str(word);
        line.push(' ');
    }
    line!(text, "{}", line.trim_end());
}
