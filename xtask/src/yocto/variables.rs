//! What `bitbake -e` prints: every variable with its final value.

use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Takes the assignments out of the text and leaves comments, functions and messages behind.
    pub(super) fn read(text: &str) -> Self {
        let mut variables = BTreeMap::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some((name, begun)) = assignment(line) else { continue };
            let mut value = begun.to_owned();
            while !is_closed(&value) {
                // bitbake ends each line of a value but the last with a backslash.
                let Some(next) = lines.next() else { break };
                value = format!("{}\n{next}", value.strip_suffix('\\').unwrap_or(&value));
            }
            let value = value.strip_suffix('"').unwrap_or(&value).replace("\\\"", "\"").replace("\\$", "$");
            // Variables come first; what looks like one behind them is a line of a function.
            variables.entry(name.to_owned()).or_insert(value);
        }
        Self(variables)
    }

    /// The value of `name`; empty for a variable that is not set, as bitbake has it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Name and the value's first line, behind its opening quote.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once("=\"")?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-:.+/".contains(letter);
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, value))
}

/// Whether the value's closing quote is there.
fn is_closed(value: &str) -> bool {
    value.ends_with('"') && !value.ends_with("\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_over_lines_and_with_quotes() {
        let text = "NOTE: x=\"1\"\n# $S\n#   set x\nS=\"/w/clawdbot-0.1.0\"\nexport CARGO_HOME=\"/w/cargo\"\n\
                    MANY=\"a \\\nb \\\n\"\nSAYS=\"\\\"x\\\" costs \\$1\"\nEMPTY=\"\"\ndo_x () {\nS=\"else\"\n}\n";
        let variables = Variables::read(text);
        assert_eq!(variables.get("S"), "/w/clawdbot-0.1.0");
        assert_eq!(variables.get("CARGO_HOME"), "/w/cargo");
        assert_eq!(variables.get("MANY").split_whitespace().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(variables.get("SAYS"), "\"x\" costs $1");
        assert_eq!((variables.get("EMPTY"), variables.get("GONE")), ("", ""));
    }
}
