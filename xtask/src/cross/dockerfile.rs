//! The little of a Dockerfile that `deploy/cross/Dockerfile` needs: FROM, RUN and ENV.

/// One instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    From(String),
    /// A line for the shell.
    Run(String),
    /// Variables for what follows and for the build.
    Env(Vec<(String, String)>),
}

/// The instructions of a Dockerfile.
///
/// # Errors
/// Names an instruction that is not one of the three.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let whole = lines.join("\n").replace("\\\n", " ");
    let instructions = whole.lines().map(str::trim).filter(|line| !line.is_empty());
    instructions.map(step).collect()
}

fn step(line: &str) -> Result<Step, String> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "FROM" => Ok(Step::From(rest.trim().to_owned())),
        "RUN" => Ok(Step::Run(rest.trim().to_owned())),
        "ENV" => {
            let pairs = rest.split_whitespace().map(|pair| pair.split_once('='));
            let pairs: Option<Vec<_>> =
                pairs.map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect();
            pairs.map(Step::Env).ok_or_else(|| format!("`{line}` is not ENV NAME=VALUE ..."))
        }
        _ => Err(format!("the Dockerfile says {name}, which is followed by `docker` only; teach it to dockerfile.rs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_go_on_are_one_instruction() {
        let text = "# why\nFROM debian:bookworm\n\nRUN a \\\n    && b\nENV X=1 \\\n    Y=2\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            Step::From("debian:bookworm".to_owned()),
            Step::Run("a      && b".to_owned()),
            Step::Env(vec![pair("X", "1"), pair("Y", "2")]),
        ];
        assert_eq!(parse(text).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn other_instructions_are_refused() {
        assert!(parse("COPY . /x").is_err_and(|error| error.contains("COPY")));
        assert!(parse("ENV X 1").is_err());
    }

    #[test]
    fn our_own_is_understood() {
        let text = include_str!("../../../deploy/cross/Dockerfile");
        let steps = parse(text).unwrap();
        assert_eq!(steps.first(), Some(&Step::From("debian:bookworm".to_owned())));
        // Build scripts want a compiler for the image itself, which the cross compilers do not bring along.
        for package in ["crossbuild-essential-arm64", "gcc", "libc6-dev"] {
            let installs =
                |step: &Step| matches!(step, Step::Run(line) if line.split_whitespace().any(|word| word == package));
            assert!(steps.iter().any(installs), "{package}");
        }
    }
}
