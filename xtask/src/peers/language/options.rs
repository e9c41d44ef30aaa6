//! What may be said to `cargo xtask peers llm`.

use clawdbot_nn::metadata::language::Precision;

/// As `cargo xtask peers` shows it.
pub(in crate::peers) const USAGE: &str = "usage: cargo xtask peers llm [--rounds N] [--threads 1,2] [--only 135m,1b,3b] \
                                          [--precision int4,int8] [--aarch64] [--quick] \
                                          [--perplexity [--tokens N]]";
/// Shapes that there are: SmolLM2-135M itself, and two with invented weights.
pub(super) const SHAPES: [&str; 3] = ["135m", "1b", "3b"];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Pairs of turns of each contest.
    pub(super) rounds: usize,
    /// Numbers of threads to compare with.
    pub(super) threads: Vec<usize>,
    /// Out of [`SHAPES`].
    pub(super) shapes: Vec<&'static str>,
    /// INT4 meets Q4_0, INT8 meets Q8_0.
    pub(super) precisions: Vec<Precision>,
    /// Count guest instructions instead.
    pub(super) aarch64: bool,
    /// Compare what rounding costs instead.
    pub(super) perplexity: bool,
    /// Tokens that are predicted for that; `None`: the whole text.
    pub(super) tokens: Option<usize>,
    /// A sign of life: the smallest model, few tokens, no record.
    pub(super) quick: bool,
}

impl Options {
    /// From the words behind `peers llm`.
    ///
    /// # Errors
    /// Says which word is wrong and what is right.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let quick = arguments.iter().any(|word| word == "--quick");
        let mut options = Self {
            rounds: if quick { 2 } else { 5 },
            threads: if quick || cores() == 1 { vec![1] } else { vec![1, 2] },
            shapes: if quick { vec![SHAPES[0]] } else { SHAPES.to_vec() },
            precisions: vec![Precision::Int4, Precision::Int8],
            aarch64: false,
            perplexity: false,
            tokens: None,
            quick,
        };
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value; {USAGE}"));
            match word {
                "--rounds" => options.rounds = count(value()?)?,
                "--threads" => options.threads = value()?.split(',').map(threads).collect::<Result<_, _>>()?,
                "--only" => options.shapes = value()?.split(',').map(shape).collect::<Result<_, _>>()?,
                "--precision" => options.precisions = value()?.split(',').map(precision).collect::<Result<_, _>>()?,
                "--aarch64" => options.aarch64 = true,
                "--perplexity" => options.perplexity = true,
                "--tokens" => options.tokens = Some(count(value()?)?),
                "--quick" => {}
                _ => return Err(format!("{word:?} is not understood; {USAGE}")),
            }
        }
        Ok(options)
    }

    /// Tokens of the prompt that is read in a turn.
    pub(super) const fn prompt_tokens(&self) -> usize {
        if self.quick { 64 } else { 512 }
    }

    /// Tokens that are written in a turn: a second or two of them.
    pub(super) fn answer_tokens(&self, shape: &str) -> usize {
        match shape {
            _ if self.quick => 8,
            "135m" => 128,
            "1b" => 32,
            _ => 16,
        }
    }
}

fn count(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|&number| number > 0).ok_or_else(|| format!("{word:?} is no positive number; {USAGE}"))
}

/// A thread without a core of its own measures the scheduler.
fn threads(word: &str) -> Result<usize, String> {
    let (most, threads) = (cores(), count(word)?);
    if threads > most { Err(format!("{threads} threads: this machine has {most} cores")) } else { Ok(threads) }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn shape(word: &str) -> Result<&'static str, String> {
    SHAPES.into_iter().find(|&shape| shape == word).ok_or_else(|| format!("{word:?} is no shape; {USAGE}"))
}

fn precision(word: &str) -> Result<Precision, String> {
    [Precision::Int4, Precision::Int8]
        .into_iter()
        .find(|precision| precision.name() == word)
        .ok_or_else(|| format!("{word:?} is no precision that both have; {USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        Options::parse(&text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read() {
        let options = parse("--rounds 7 --threads 1 --only 3b,135m --precision int8").unwrap();
        assert_eq!((options.rounds, options.threads.as_slice()), (7, &[1][..]));
        assert_eq!(
            (options.shapes.as_slice(), options.precisions.as_slice()),
            (&["3b", "135m"][..], &[Precision::Int8][..])
        );
        assert_eq!((options.prompt_tokens(), options.answer_tokens("3b")), (512, 16));
        let costs = parse("--perplexity --tokens 6144").unwrap();
        assert!(costs.perplexity && costs.tokens == Some(6144) && !options.perplexity);
        let quick = parse("--rounds 3 --quick").unwrap();
        assert_eq!((quick.rounds, quick.shapes.as_slice(), quick.answer_tokens("3b")), (3, &["135m"][..], 8));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["x", "--rounds", "--rounds 0", "--threads 4096", "--only 7b", "--precision f16", "--precision int4,"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
