//! From nothing to the first token, and what is resident then: pairs of processes that map the model, read a few tokens and say
//! what follows. The files are in the page cache for both.

use std::time::Instant;

use serde_json::{Value, json};

use super::super::contestant::Contestant;
use super::build::Build;
use super::models::Model;
use super::options::Options;
use super::pairs::median;
use super::peer::Peer;
use super::{ours, theirs};

/// On which models it is measured.
pub(super) const SHAPES: [&str; 2] = ["135m", "3b"];
/// "READ WRITE": as many new tokens as behind a warm prefix (`llm.md` section 8).
const REQUEST: &str = "8 0";

/// A process that has said its first token.
#[derive(Clone, Copy, Debug)]
struct First {
    seconds: f64,
    /// Resident pages, and those of them that belong to no file.
    resident: u64,
    anonymous: u64,
}

/// Pairs on one model.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) shape: &'static str,
    pub(super) precision: &'static str,
    pub(super) threads: usize,
    /// Ours and the peer's.
    pairs: Vec<[First; 2]>,
}

impl Measurement {
    fn median_of(&self, value: impl Fn(&[First; 2]) -> f64) -> f64 {
        median(self.pairs.iter().map(value).collect())
    }

    /// How many times sooner ours answers.
    pub(super) fn sooner(&self) -> f64 {
        self.median_of(|pair| pair[1].seconds / pair[0].seconds)
    }

    /// Our resident memory / the peer's.
    pub(super) fn resident(&self) -> f64 {
        self.median_of(|pair| pair[0].resident as f64 / pair[1].resident as f64)
    }

    /// For the record.
    pub(super) fn json(&self) -> Value {
        let of = |side: usize| -> Value {
            let first = |pair: &[First; 2]| {
                let First { seconds, resident, anonymous } = pair[side];
                json!({ "first_token_s": seconds, "resident_bytes": resident, "anonymous_bytes": anonymous })
            };
            self.pairs.iter().map(first).collect()
        };
        json!({ "model": self.shape, "precision": self.precision, "threads": self.threads, "request": REQUEST, "ours": of(0),
                "peer": of(1), "times_sooner": self.sooner(), "resident_ratio": self.resident() })
    }
}

/// On as many threads as are asked for at most.
///
/// # Errors
/// When a side does not run.
pub(super) fn measure(model: &Model, options: &Options, peer: &Peer) -> Result<Measurement, String> {
    let threads = options.threads.iter().copied().max().unwrap_or(1);
    let build = Build::Avx2;
    let mut contestants = [ours(model, build.our_isa(), threads), theirs(model, build, threads, peer)];
    // The first of each reads the file.
    for contestant in &mut contestants {
        first(contestant)?;
    }
    let mut pairs = Vec::new();
    for round in 0..options.rounds {
        let mut pair = [First { seconds: f64::NAN, resident: 0, anonymous: 0 }; 2];
        for turn in 0..2 {
            let side = (round + turn) % 2;
            pair[side] = first(&mut contestants[side])?;
        }
        pairs.push(pair);
    }
    let measured = Measurement { shape: model.shape, precision: model.precision.name(), threads, pairs };
    let [our_ms, their_ms] = [0, 1].map(|side| measured.median_of(|pair| 1e3 * pair[side].seconds));
    let [our_mb, their_mb] = [0, 1].map(|side| measured.median_of(|pair| pair[side].resident as f64 / 1e6));
    println!(
        "{model}, {threads} thread(s): first token after {our_ms:.0} ms, llama.cpp {their_ms:.0}: {:.1} times sooner; resident \
         {our_mb:.0} MB, llama.cpp {their_mb:.0}: {:.2}",
        measured.sooner(),
        measured.resident()
    );
    Ok(measured)
}

fn first(contestant: &mut Contestant) -> Result<First, String> {
    #[expect(clippy::disallowed_methods, reason = "a developer's tool measures another process")]
    let begun = Instant::now();
    let mut running = contestant.start(None)?;
    running.ask(REQUEST)?;
    let seconds = begun.elapsed().as_secs_f64();
    let path = format!("/proc/{}/status", running.process());
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let bytes = |name: &str| bytes(&status, name).ok_or_else(|| format!("{path} does not say {name}"));
    let (resident, anonymous) = (bytes("VmRSS:")?, bytes("RssAnon:")?);
    running.end()?;
    Ok(First { seconds, resident, anonymous })
}

/// A line of /proc/<process>/status in kB, as bytes.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A pair in which the peer takes so many times as long, and ours so many thousandths of its memory.
    pub(in super::super) fn measured(sooner: f64, resident: u64) -> Measurement {
        let first = |seconds, resident| First { seconds, resident, anonymous: 0 };
        let pairs = vec![[first(1.0, resident), first(sooner, 1000)]];
        Measurement { shape: "135m", precision: "int4", threads: 1, pairs }
    }

    #[test]
    fn resident_pages_are_read() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\nRssAnon:\t      34 kB\n";
        assert_eq!((bytes(status, "VmRSS:"), bytes(status, "RssAnon:")), (Some(1234 * 1024), Some(34 * 1024)));
        assert_eq!(bytes(status, "RssFile:"), None);
    }
}
