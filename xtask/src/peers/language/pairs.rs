//! Turns in pairs: ours and the peer's one after the other, the order changing each time, so that both meet the same machine.

use serde_json::{Value, json};

use super::super::contestant::Running;
use super::build::Build;
use super::models::Model;
use super::options::Options;
use super::peer::Peer;
use super::{ours, theirs};

/// What both do before the first turn: "READ WRITE".
const WARM_UP: &str = "16 2";

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Reading a prompt, from an empty context.
    Prefill,
    /// Writing token by token, from an empty context.
    Decode,
}

impl Task {
    /// As reports call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// Seconds of a turn, by the processor and by the wall.
#[derive(Clone, Copy, Debug)]
struct Seconds {
    cpu: f64,
    wall: f64,
}

/// One contest.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    pub(super) shape: &'static str,
    pub(super) precision: &'static str,
    /// Our instruction set and the peer's.
    pub(super) isa: (&'static str, &'static str),
    pub(super) threads: usize,
    pub(super) task: Task,
    tokens: usize,
    /// Ours and the peer's, round by round.
    rounds: Vec<[Seconds; 2]>,
    /// What the peer says of itself.
    system: String,
}

impl Measurement {
    /// Processor time with one thread, because another process's share is not in it; the wall's with several.
    fn seconds(&self, side: Seconds) -> f64 {
        if self.threads == 1 { side.cpu } else { side.wall }
    }

    /// Tokens a second of both, medians.
    pub(super) fn rates(&self) -> [f64; 2] {
        [0, 1].map(|side| {
            median(self.rounds.iter().map(|round| self.tokens as f64 / self.seconds(round[side])).collect())
        })
    }

    /// How many times as fast ours is: the median of the pairs.
    pub(super) fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(|round| self.seconds(round[1]) / self.seconds(round[0])).collect())
    }

    /// For the record.
    pub(super) fn json(&self) -> Value {
        let of = |side: usize| -> Value {
            self.rounds.iter().map(|round| json!({ "cpu_s": round[side].cpu, "wall_s": round[side].wall })).collect()
        };
        let [our_rate, their_rate] = self.rates();
        json!({
            "model": self.shape, "precision": self.precision, "isa": self.isa.0, "peer_isa": self.isa.1, "threads": self.threads,
            "task": self.task.name(), "tokens": self.tokens, "ours": of(0), "peer": of(1), "our_tokens_per_second": our_rate,
            "peer_tokens_per_second": their_rate, "ratio": self.ratio(), "peer_system": self.system,
        })
    }
}

/// Both tasks on one model.
///
/// # Errors
/// When a side does not run, or is not what it should be.
pub(super) fn measure(
    model: &Model,
    build: Build,
    threads: usize,
    options: &Options,
    peer: &Peer,
) -> Result<Vec<Measurement>, String> {
    let mut sides = start(model, build, threads, peer)?;
    let system = sides[1].said["system"].as_str().unwrap_or_default().to_owned();
    check_signs(&sides[0].said, &system, build)?;
    for side in &mut sides {
        side.ask(WARM_UP)?;
    }
    let sizes = [
        (Task::Prefill, options.prompt_tokens(), format!("{} 0", options.prompt_tokens())),
        (Task::Decode, options.answer_tokens(model.shape), format!("0 {}", options.answer_tokens(model.shape))),
    ];
    let mut measured = Vec::new();
    for (task, tokens, request) in sizes {
        let mut rounds = Vec::new();
        for round in 0..options.rounds {
            eprint!("\r{model}, {threads} thread(s), {}: pair {} of {} ", task.name(), round + 1, options.rounds);
            rounds.push(pair(&mut sides, round, task, &request)?);
        }
        let isa = (build.our_isa(), build.name());
        let (shape, precision, system) = (model.shape, model.precision.name(), system.clone());
        let one = Measurement { shape, precision, isa, threads, task, tokens, rounds, system };
        let [ours, theirs] = one.rates();
        eprintln!();
        println!(
            "{:<5} {:<5} {:<8} {threads} thread(s) {:<8} ours {ours:>8.2} tokens/s, llama.cpp {theirs:>8.2}: {:.2} times",
            one.shape,
            one.precision,
            one.isa.0,
            task.name(),
            one.ratio()
        );
        measured.push(one);
    }
    Ok(measured)
}

fn start(model: &Model, build: Build, threads: usize, peer: &Peer) -> Result<[Running; 2], String> {
    let [mut ours, mut theirs] = [ours(model, build.our_isa(), threads), theirs(model, build, threads, peer)];
    let by_hand = |error: String, shown: String| format!("{error}; by hand: {shown}");
    let first = ours.start(None).map_err(|error| by_hand(error, ours.shown()))?;
    let second = theirs.start(None).map_err(|error| by_hand(error, theirs.shown()))?;
    Ok([first, second])
}

/// That both use the instructions that they are to be compared with.
pub(super) fn check_signs(ours: &Value, system: &str, build: Build) -> Result<(), String> {
    if ours["isa"] != build.our_isa() {
        return Err(format!("ours runs on {}, not on {}", ours["isa"], build.our_isa()));
    }
    let (must, must_not) = build.signs();
    if system.contains(must) && !system.contains(must_not) {
        return Ok(());
    }
    Err(format!("llama.cpp should say {must:?} and not {must_not:?} of itself, but says {system:?}"))
}

fn pair(sides: &mut [Running; 2], round: usize, task: Task, request: &str) -> Result<[Seconds; 2], String> {
    let mut seconds = [Seconds { cpu: f64::NAN, wall: f64::NAN }; 2];
    for turn in 0..2 {
        // A core that the other still spins on is no core of this turn's.
        sides.iter().try_for_each(Running::rest)?;
        let side = (round + turn) % 2;
        let (times, cpu_ms) = sides[side].ask(request)?;
        let place = usize::from(task == Task::Decode);
        let wall =
            times.get(place).ok_or_else(|| format!("{}: {} times for two tasks", sides[side].key, times.len()))?;
        seconds[side] = Seconds { cpu: cpu_ms / 1e3, wall: wall / 1e9 };
    }
    Ok(seconds)
}

/// The middle one; the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.wrapping_sub(1)), at(half)) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A contest in which the peer takes so many times as long in each round.
    pub(in super::super) fn contest(
        threads: usize,
        task: Task,
        precision: &'static str,
        ratios: &[f64],
    ) -> Measurement {
        let rounds = ratios
            .iter()
            .map(|ratio| [Seconds { cpu: 1.0, wall: 2.0 }, Seconds { cpu: *ratio, wall: 4.0 * ratio }])
            .collect();
        let (shape, isa, system) = ("135m", ("avx2", "avx2"), String::new());
        Measurement { shape, precision, isa, threads, task, tokens: 10, rounds, system }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_pairs() {
        assert!((contest(1, Task::Decode, "int4", &[1.0, 9.0, 1.5]).ratio() - 1.5).abs() < 1e-9);
        let walled = contest(2, Task::Decode, "int4", &[1.0, 9.0, 1.5]);
        assert!((walled.ratio() - 3.0).abs() < 1e-9);
        assert!((walled.rates()[0] - 5.0).abs() < 1e-9 && (walled.rates()[1] - 10.0 / 6.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0]) - 2.5).abs() < 1e-9 && median(Vec::new()).is_nan());
    }

    #[test]
    fn a_side_that_is_not_what_it_should_be_is_refused() {
        let ours = json!({ "isa": "avx2" });
        check_signs(&ours, "CPU : AVX = 1 | AVX2 = 1 |", Build::Avx2).unwrap();
        assert!(check_signs(&json!({ "isa": "scalar" }), "AVX2 = 1", Build::Avx2).is_err());
        assert!(check_signs(&ours, "CPU : AVX = 1 |", Build::Avx2).is_err());
        assert!(check_signs(&ours, "AVX2 = 1 | AVX512 = 1", Build::Avx2).is_err());
    }
}
