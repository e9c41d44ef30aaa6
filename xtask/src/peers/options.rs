//! What may be said to `cargo xtask peers vision`.

/// As `cargo xtask peers` shows it.
pub(super) const USAGE: &str = "usage: cargo xtask peers vision [--rounds N] [--threads 1,2] [--pin avx2|none|both] [--only NETWORK] \
                     [--aarch64]";

/// Which instructions a peer may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// None above AVX2.
    Avx2,
    /// All that the processor has.
    None,
}

impl Pin {
    /// As options and reports call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Avx2 => "avx2",
            Self::None => "none",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Turns of every contestant.
    pub(super) rounds: usize,
    /// Numbers of threads to compare with.
    pub(super) threads: Vec<usize>,
    /// How the peers are pinned.
    pub(super) pins: Vec<Pin>,
    /// Part of the name of the networks to take; all without it.
    pub(super) only: Option<String>,
    /// Count guest instructions instead.
    pub(super) aarch64: bool,
}

impl Options {
    /// From the words behind `peers`.
    ///
    /// # Errors
    /// Says which word is wrong and what is right.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options =
            Self { rounds: 12, threads: vec![1, 2], pins: vec![Pin::Avx2, Pin::None], only: None, aarch64: false };
        let mut words = arguments.iter().map(String::as_str);
        if words.next() != Some("vision") {
            return Err(format!("{USAGE}\n{}", super::language::options::USAGE));
        }
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value; {USAGE}"));
            match word {
                "--rounds" => options.rounds = count(value()?)?,
                "--threads" => options.threads = value()?.split(',').map(count).collect::<Result<_, _>>()?,
                "--pin" => options.pins = pins(value()?)?,
                "--only" => options.only = Some(value()?.to_owned()),
                "--aarch64" => options.aarch64 = true,
                _ => return Err(format!("{word:?} is not understood; {USAGE}")),
            }
        }
        Ok(options)
    }

    /// Whether a network of this name is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }
}

fn count(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|&number| number > 0).ok_or_else(|| format!("{word:?} is no positive number; {USAGE}"))
}

fn pins(word: &str) -> Result<Vec<Pin>, String> {
    match word {
        "avx2" => Ok(vec![Pin::Avx2]),
        "none" => Ok(vec![Pin::None]),
        "both" => Ok(vec![Pin::Avx2, Pin::None]),
        _ => Err(format!("--pin {word}: use avx2, none or both")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::parse(&text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = parse("vision --rounds 3 --threads 2,4 --pin none --only yolox").unwrap();
        assert_eq!(
            (options.rounds, options.threads.as_slice(), options.pins.as_slice()),
            (3, &[2, 4][..], &[Pin::None][..])
        );
        assert!(options.wants("yolox_nano_416") && !options.wants("ssd"));
        assert!(parse("vision").unwrap().wants("anything"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "llm", "vision --rounds", "vision --rounds 0", "vision --pin sse", "vision --threads 1,x", "vision x"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
