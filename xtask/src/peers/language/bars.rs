//! The bars of issue 5: ratios of ours to llama.cpp's, each with what it must reach and what it should.

use serde_json::{Value, json};

use super::guest;
use super::pairs::{self, Task};
use super::perplexity::Found;
use super::start;

/// Which side of a limit is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    /// Speeds.
    High,
    /// Memory, instructions.
    Low,
}

/// What a ratio must reach, and what it should.
type Limits = Option<(f64, Option<f64>)>;

/// How a bar was met.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    what: String,
    model: String,
    ratio: f64,
    good: Good,
    limits: Limits,
}

impl Verdict {
    fn word(&self) -> &'static str {
        let reached = |limit: f64| match self.good {
            Good::High => self.ratio >= limit,
            Good::Low => self.ratio <= limit,
        };
        match self.limits {
            Some((_, Some(aim))) if reached(aim) => "aim met",
            Some((least, _)) if reached(least) => "met",
            Some(_) => "MISSED",
            None => "reported",
        }
    }

    /// For the record.
    pub(super) fn json(&self) -> Value {
        json!({
            "bar": self.what, "model": self.model, "ratio": self.ratio,
            "good": if self.good == Good::High { "at least" } else { "at most" },
            "limit": self.limits.map(|(least, _)| least), "aim": self.limits.and_then(|(_, aim)| aim), "verdict": self.word(),
        })
    }
}

/// What our tokens a second / the peer's must be.
fn speed_limits(isa: &str, precision: &str, task: Task) -> Limits {
    match (isa, precision, task) {
        ("avx_vnni", ..) => Some((1.0, None)),
        ("avx2", "int4", Task::Decode) => Some((1.35, Some(1.6))),
        ("avx2", "int4", Task::Prefill) => Some((1.7, Some(2.2))),
        ("avx2", "int8", Task::Decode) => Some((1.15, Some(1.3))),
        ("avx2", "int8", Task::Prefill) => Some((1.5, Some(1.8))),
        _ => None,
    }
}

/// Tokens a second.
pub(super) fn of_speeds(measurements: &[pairs::Measurement]) -> Vec<Verdict> {
    let verdict = |one: &pairs::Measurement| Verdict {
        what: format!("tokens/s, {} {}, {} thread(s)", one.isa.0, one.task.name(), one.threads),
        model: format!("{} {}", one.shape, one.precision),
        ratio: one.ratio(),
        good: Good::High,
        limits: speed_limits(one.isa.0, one.precision, one.task),
    };
    measurements.iter().map(verdict).collect()
}

/// First tokens and resident memory.
pub(super) fn of_starts(measurements: &[start::Measurement]) -> Vec<Verdict> {
    let verdicts = |one: &start::Measurement| {
        let model = format!("{} {}", one.shape, one.precision);
        let sooner = Verdict {
            what: format!("first token, times sooner, {} thread(s)", one.threads),
            model: model.clone(),
            ratio: one.sooner(),
            good: Good::High,
            limits: Some((5.0, None)),
        };
        let what = "resident memory at the first token".to_owned();
        [sooner, Verdict { what, model, ratio: one.resident(), good: Good::Low, limits: Some((0.6, None)) }]
    };
    measurements.iter().flat_map(verdicts).collect()
}

/// What our instructions a token / the peer's may be.
fn count_limits(core: &str, precision: &str) -> Limits {
    match (core, precision) {
        ("cortex-a72", "int4") => Some((0.40, Some(0.35))),
        ("cortex-a76", "int4") => Some((0.85, Some(0.75))),
        ("cortex-a76", "int8") => Some((0.80, Some(0.68))),
        _ => None,
    }
}

/// Guest instructions.
pub(super) fn of_counts(counts: &[guest::Count]) -> Vec<Verdict> {
    let verdict = |one: &guest::Count| Verdict {
        what: format!("instructions a token, {} {}", one.core, one.task.name()),
        model: format!("135m {}", one.precision),
        ratio: one.ours / one.theirs,
        good: Good::Low,
        limits: count_limits(one.core, one.precision),
    };
    counts.iter().map(verdict).collect()
}

/// What rounding costs: against F16 for INT8, against the peer's form of as many bits for the others.
pub(super) fn of_perplexities(found: &[Found]) -> Vec<Verdict> {
    let of = |who: &str, form: &str| found.iter().find(|one| one.who == who && one.form == form);
    let pairs = [
        ("int8", ("clawdbot", "f16"), Some(1.002)),
        ("int8", ("llama.cpp", "q4_k_m"), Some(1.0)),
        ("mixed", ("llama.cpp", "q4_k_m"), Some(1.0)),
        ("int4", ("llama.cpp", "q4_0"), Some(1.0)),
        ("int8", ("llama.cpp", "q8_0"), None),
        ("f16", ("llama.cpp", "f16"), None),
    ];
    let verdicts = pairs.into_iter().filter_map(|(form, (who, other), limit)| {
        Some(Verdict {
            what: format!("perplexity, {form} / {other} of {who}"),
            model: format!("135m {form}"),
            ratio: of("clawdbot", form)?.perplexity / of(who, other)?.perplexity,
            good: Good::Low,
            limits: limit.map(|limit| (limit, None)),
        })
    });
    verdicts.collect()
}

/// Prints the bars, one a line.
pub(super) fn print(verdicts: &[Verdict]) {
    println!("\n{:<48} {:<10} {:>7} {:>11} {:>6}", "ours / llama.cpp's", "model", "ratio", "bar", "aim");
    for verdict in verdicts {
        let sign = if verdict.good == Good::High { ">=" } else { "<=" };
        let bar = verdict.limits.map_or_else(|| "-".to_owned(), |(least, _)| format!("{sign} {least}"));
        let aim = verdict.limits.and_then(|(_, aim)| aim).map_or_else(|| "-".to_owned(), |aim| format!("{aim:.2}"));
        println!(
            "  {:<46} {:<10} {:>7.4} {bar:>11} {aim:>6}  {}",
            verdict.what,
            verdict.model,
            verdict.ratio,
            verdict.word()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::{pairs, perplexity, start};
    use super::*;

    fn words(verdicts: &[Verdict]) -> Vec<&'static str> {
        verdicts.iter().map(Verdict::word).collect()
    }

    #[test]
    fn perplexities_are_good_when_low() {
        let found = |who, form, value| perplexity::tests::found(who, form, value);
        let ours = [("f16", 46.70), ("int8", 46.79), ("mixed", 49.0), ("int4", 58.0)]
            .map(|(form, value)| found("clawdbot", form, value));
        let theirs = [("f16", 46.70), ("q8_0", 47.06), ("q4_k_m", 49.8), ("q4_0", 57.5)]
            .map(|(form, value)| found("llama.cpp", form, value));
        let verdicts = of_perplexities(&[ours, theirs].concat());
        assert_eq!(words(&verdicts), ["met", "met", "met", "MISSED", "reported", "reported"]);
        assert!(of_perplexities(&[]).is_empty());
    }

    #[test]
    fn speeds_are_good_when_high() {
        let contest = |task, precision, ratio| pairs::tests::contest(1, task, precision, &[ratio]);
        let measured = [
            contest(Task::Decode, "int4", 1.7),
            contest(Task::Decode, "int4", 1.34),
            contest(Task::Prefill, "int4", 1.7),
            contest(Task::Prefill, "int8", 1.49),
        ];
        assert_eq!(words(&of_speeds(&measured)), ["aim met", "MISSED", "met", "MISSED"]);
        assert_eq!(speed_limits("avx_vnni", "int8", Task::Decode), Some((1.0, None)));
    }

    #[test]
    fn memory_and_instructions_are_good_when_low() {
        assert_eq!(words(&of_starts(&[start::tests::measured(6.0, 500)])), ["met", "met"]);
        assert_eq!(words(&of_starts(&[start::tests::measured(4.0, 700)])), ["MISSED", "MISSED"]);
        let count = |core, precision, ours| guest::Count { core, precision, task: Task::Decode, ours, theirs: 100.0 };
        let counts =
            [count("cortex-a72", "int4", 34.0), count("cortex-a76", "int8", 79.0), count("cortex-a72", "int8", 500.0)];
        assert_eq!(words(&of_counts(&counts)), ["aim met", "met", "reported"]);
        assert_eq!(words(&of_counts(&[count("cortex-a76", "int4", 86.0)])), ["MISSED"]);
    }
}
