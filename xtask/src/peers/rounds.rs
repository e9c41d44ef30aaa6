//! Rounds: each contestant has its turn in each, beginning with another one every time.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::contestant::{Contestant, Key, Running};
use super::manifest::Net;
use super::options::Options;
use super::workshop::Workshop;

/// A turn lasts about this long.
const TURN_MS: f64 = 100.0;
/// But has at least and at most so many inferences.
const INFERENCES: (usize, usize) = (4, 60);
/// Between turns with several threads, so that the one before has stopped spinning.
const PAUSE: Duration = Duration::from_millis(30);
/// Answers of float forms are the float network's but for rounding.
const FLOAT_SNR_DB_MIN: f64 = 60.0;
/// Answers of INT8 forms, the naive ones of YOLOX included, have something to do with it.
const INT8_SNR_DB_MIN: f64 = 3.0;
/// Samples of a peer that is pinned may fall on forbidden instructions by so much, as a share.
const FORBIDDEN_SHARE_MAX: f64 = 0.01;
/// For the proof of what is executed: inferences for about this long.
const PROOF_MS: f64 = 1500.0;
/// And so many samples at least.
const SAMPLES_MIN: u64 = 50;

/// One contestant's times.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    /// The network.
    pub(super) net: String,
    /// Multiply-accumulates of an inference.
    pub(super) multiplications: f64,
    /// Threads.
    pub(super) threads: usize,
    /// Who.
    pub(super) key: Key,
    /// Signal-to-noise ratio of its answer against the float network's.
    pub(super) snr_db: Option<f64>,
    /// Processor time of an inference, least and median of the rounds.
    pub(super) cpu_ms: (f64, f64),
    /// Wall time of an inference, least and median of all.
    pub(super) wall_ms: (f64, f64),
    /// What it was seen to execute.
    pub(super) encodings: Option<Encodings>,
}

/// On which encodings the samples of its processor time fell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Encodings {
    /// `cpuid` instructions answered in the processor's place.
    pub(super) cpuid_answered: u64,
    /// AVX, AVX2, FMA.
    pub(super) vex: u64,
    /// AVX-VNNI.
    pub(super) vex_vnni: u64,
    /// AVX-512 and later.
    pub(super) evex: u64,
    /// Anything else.
    pub(super) other: u64,
}

impl Encodings {
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |name: &str| value[name].as_u64();
        Some(Self {
            cpuid_answered: number("cpuid_answered")?,
            vex: number("vex")?,
            vex_vnni: number("vex_vnni")?,
            evex: number("evex")?,
            other: number("other")?,
        })
    }

    const fn samples(self) -> u64 {
        self.vex + self.vex_vnni + self.evex + self.other
    }

    /// Share of samples on what comes after AVX2.
    pub(super) fn above_avx2(self) -> f64 {
        (self.vex_vnni + self.evex) as f64 / self.samples().max(1) as f64
    }
}

impl Measurement {
    /// For the record.
    pub(super) fn json(&self) -> Value {
        let encodings = self.encodings.map(|seen| {
            json!({"vex": seen.vex, "vex_vnni": seen.vex_vnni, "evex": seen.evex, "other": seen.other,
                   "cpuid_answered": seen.cpuid_answered})
        });
        json!({
            "network": self.net, "threads": self.threads,
            "who": self.key.who, "form": self.key.form, "isa": self.key.isa,
            "snr_db": self.snr_db, "samples_by_encoding": encodings,
            "cpu_ms": {"min": self.cpu_ms.0, "median": self.cpu_ms.1},
            "wall_ms": {"min": self.wall_ms.0, "median": self.wall_ms.1},
        })
    }

    /// Why this measurement must not be believed, if so.
    pub(super) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let who = format!("{}, {}, {} thread(s)", self.net, self.key, self.threads);
        let least = if self.key.form.starts_with("fp32") { FLOAT_SNR_DB_MIN } else { INT8_SNR_DB_MIN };
        // onnxruntime's own choice on AVX2 saturates; its exact forms show that the files are right.
        let saturates = self.key.who == "ort" && self.key.isa == "avx2" && matches!(&*self.key.form, "s8s8" | "u8s8");
        if !saturates && self.snr_db.is_some_and(|snr| snr < least) {
            let snr = self.snr_db.unwrap_or_default();
            doubts.push(format!(
                "{who}: answers are {snr} dB off the float network's, {least} are wanted: its file is wrong"
            ));
        }
        let Some(seen) = self.encodings else { return doubts };
        if seen.samples() < SAMPLES_MIN {
            doubts.push(format!("{who}: only {} samples say what it executes", seen.samples()));
        }
        if self.key.isa == "avx2" && seen.above_avx2() > FORBIDDEN_SHARE_MAX {
            let share = 100.0 * seen.above_avx2();
            doubts
                .push(format!("{who}: {share:.1} % of its time goes to instructions above AVX2, though it is pinned"));
        }
        let is_peer = self.key.who != "clawdbot";
        if is_peer && self.key.isa == "avx2" && seen.cpuid_answered == 0 {
            doubts.push(format!("{who}: none of its cpuid instructions was met: its pinned copy is not what runs"));
        }
        if self.key.isa == "avx_vnni" && seen.vex_vnni == 0 {
            doubts.push(format!("{who}: no sample fell on a dot product of AVX-VNNI"));
        }
        doubts
    }
}

/// All contestants on one network; and what went wrong.
pub(super) fn run(
    net: &Net,
    threads: usize,
    options: &Options,
    workshop: &Workshop,
) -> (Vec<Measurement>, Vec<String>) {
    let (contestants, mut complaints) = workshop.contestants(net, threads, &options.pins);
    let mut running = Vec::new();
    for mut contestant in contestants {
        match contestant.start(None).and_then(warm_up) {
            Ok((ready, inferences)) => running.push(Seat { contestant, ready, inferences, cpu: vec![], wall: vec![] }),
            Err(error) => complaints.push(format!("{}, {error}; by hand: {}", net.name, contestant.shown())),
        }
    }
    for round in 0..options.rounds {
        eprintln!("{}, {threads} thread(s): round {} of {}", net.name, round + 1, options.rounds);
        let first = round % running.len().max(1);
        running.rotate_left(first);
        for seat in &mut running {
            if threads > 1 {
                std::thread::sleep(PAUSE);
            }
            match seat.ready.turn(seat.inferences) {
                Ok(turn) => {
                    seat.cpu.push(turn.cpu_ms);
                    seat.wall.extend(turn.wall_ms);
                }
                Err(error) => complaints.push(format!("{}, {error}", net.name)),
            }
        }
    }
    let mut measurements = Vec::new();
    for seat in running {
        // What is executed does not depend on the number of threads.
        let encodings = (threads == 1).then(|| prove(seat.contestant, workshop)).transpose();
        let measurement = Measurement {
            net: net.name.clone(),
            multiplications: net.multiplications,
            threads,
            key: seat.ready.key.clone(),
            snr_db: seat.ready.snr_db,
            cpu_ms: least_and_median(seat.cpu),
            wall_ms: least_and_median(seat.wall),
            encodings: encodings.as_ref().copied().unwrap_or_default(),
        };
        complaints.extend(encodings.err());
        complaints.extend(measurement.doubts());
        measurements.push(measurement);
    }
    measurements.sort_by_key(|one| (one.key.isa.clone(), one.key.who.clone(), one.key.form.clone()));
    (measurements, complaints)
}

/// A contestant with its times.
struct Seat {
    contestant: Contestant,
    ready: Running,
    /// Inferences of a turn.
    inferences: usize,
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

/// Finds how many inferences make a turn.
fn warm_up(mut ready: Running) -> Result<(Running, usize), String> {
    ready.turn(2)?;
    let turn = ready.turn(2)?;
    Ok((ready, inferences_in(TURN_MS, least_and_median(turn.wall_ms).0)))
}

fn inferences_in(milliseconds: f64, each: f64) -> usize {
    let mut count = INFERENCES.0;
    while count < INFERENCES.1 && ((count + 1) as f64) * each <= milliseconds {
        count += 1;
    }
    count
}

/// Runs the contestant once more under the sampler.
fn prove(mut contestant: Contestant, workshop: &Workshop) -> Result<Encodings, String> {
    let samples = workshop.folder().join("samples.json");
    let ready = contestant.start(Some((&workshop.preload(), &samples)))?;
    let (mut ready, _) = warm_up(ready)?;
    let mut spent = 0.0;
    while spent < PROOF_MS {
        spent += ready.turn(INFERENCES.0)?.wall_ms.iter().sum::<f64>();
    }
    let key = ready.key.clone();
    ready.end()?;
    read_samples(&samples).ok_or_else(|| format!("{key}: benches/peers/preload.c wrote no samples"))
}

fn read_samples(path: &Path) -> Option<Encodings> {
    let encodings = Encodings::parse(&std::fs::read_to_string(path).ok()?)?;
    // The next one must not be believed by this one's file.
    std::fs::remove_file(path).ok().map(|()| encodings)
}

fn least_and_median(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(values.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(isa: &str, snr_db: f64, encodings: Encodings) -> Measurement {
        let key = Key { who: "ort".to_owned(), form: "fp32".to_owned(), isa: isa.to_owned() };
        let (cpu_ms, wall_ms) = ((1.0, 1.0), (1.0, 1.0));
        let (net, snr_db, encodings) = ("n".to_owned(), Some(snr_db), Some(encodings));
        Measurement { net, multiplications: 1.0, threads: 1, key, snr_db, cpu_ms, wall_ms, encodings }
    }

    const CLEAN: Encodings = Encodings { cpuid_answered: 9, vex: 200, vex_vnni: 0, evex: 0, other: 100 };

    #[test]
    fn a_sound_measurement_leaves_no_doubt() {
        assert_eq!(measurement("avx2", 120.0, CLEAN).doubts(), Vec::<String>::new());
        let free = Encodings { cpuid_answered: 0, evex: 500, ..CLEAN };
        assert_eq!(measurement("none", 120.0, free).doubts(), Vec::<String>::new());
    }

    #[test]
    fn garbage_and_a_pin_that_does_not_hold_are_doubted() {
        assert_eq!(measurement("avx2", 40.0, CLEAN).doubts().len(), 1);
        assert_eq!(measurement("avx2", 120.0, Encodings { evex: 50, ..CLEAN }).doubts().len(), 1);
        assert_eq!(measurement("avx2", 120.0, Encodings { cpuid_answered: 0, ..CLEAN }).doubts().len(), 1);
        assert_eq!(measurement("avx2", 120.0, Encodings { vex: 1, other: 1, ..CLEAN }).doubts().len(), 1);
        assert_eq!(measurement("avx_vnni", 120.0, CLEAN).doubts().len(), 1);
    }

    #[test]
    fn a_turn_has_a_bounded_number_of_inferences() {
        assert_eq!((inferences_in(100.0, 10.0), inferences_in(100.0, 0.01), inferences_in(100.0, 500.0)), (10, 60, 4));
    }

    #[test]
    fn samples_are_read() {
        let text = r#"{"cpuid_answered": 9, "other": 100, "vex": 200, "vex_vnni": 0, "evex": 0}"#;
        assert_eq!(Encodings::parse(text), Some(CLEAN));
    }
}
