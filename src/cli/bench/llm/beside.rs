//! `clawdbot bench llm --beside-frames`: how long a frame that is due waits while the model computes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, SystemClock};
use clawdbot_kernels::isa::Isa;
use clawdbot_llm::model::Model;
use serde_json::{Value, json};

use super::Arguments;
use crate::app::compute::{with_company, with_workers};
use crate::app::turns::Turns;
use crate::bench::beside::{Cost, Frames, Phase, talk};
use crate::bundled;
use crate::cli::{Failure, print};
use crate::pipeline::answering::rhythm::{ITEM_MAX, Rhythm};
use crate::pipeline::detector::Detector;
use crate::pipeline::language::{Options, forward_for_all};
use crate::pipeline::meter::spread::Spread;
use crate::pipeline::network::Network;
use crate::sources::stop::Stop;

/// What the daemon believes in without a configuration; it costs nothing.
const SCORE_MIN: f32 = 0.5;
/// So long frames come before the model begins, to know what they take without it.
const ALONE: Duration = Duration::from_secs(3);
/// Of the phases.
const NAMES: [&str; 2] = ["prompt", "answer"];

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    (model, isa, threads): (&Arc<Model>, Isa, usize),
    options: Options,
    rate: f64,
) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let (alone, phases) = measure(arguments, (model, isa, threads), options, rate, &clock)?;
    let name = &model.bundle().origin().name;
    if arguments.json {
        let mut answer = json!({
            "model": name, "isa": isa.name(), "threads": threads, "runs": arguments.runs, "frames_per_second": rate,
            "frame": arguments.frame_ms.map_or_else(|| json!(bundled::DETECTOR_NAME), |ms| json!(ms)),
            "wait_ms_bar": milliseconds(ITEM_MAX), "alone": frames_as_json(&alone),
        });
        for (name, phase) in NAMES.iter().zip(&phases) {
            answer[*name] = as_json(phase);
        }
        return print(&answer.to_string());
    }
    let frame = arguments.frame_ms.map_or_else(
        || format!("{} on the bundled clip's first frame", bundled::DETECTOR_NAME),
        |ms| format!("nothing but {ms} ms"),
    );
    print(&format!("{name} on {isa}, {threads} threads, beside {rate} frames a second; a frame is {frame}"))?;
    print(&format!("alone: {}", frames_as_text(&alone)))?;
    NAMES.iter().zip(&phases).try_for_each(|(name, phase)| print(&as_text(name, phase)))
}

fn measure(
    arguments: &Arguments,
    (model, isa, threads): (&Arc<Model>, Isa, usize),
    options: Options,
    rate: f64,
    clock: &dyn Clock,
) -> Result<(Spread, [Phase; 2]), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::from_error(error);
    let sizes = [arguments.prompt_tokens, arguments.answer_tokens];
    // This thread computes.
    Turns::Long.ask();
    with_workers(threads, |workers| {
        let bundle = bundled::detector().map_err(|error| failed(&error))?;
        let network = Network::new(&bundle, isa, Arc::clone(&workers)).map_err(|error| failed(&error))?;
        let detector = Detector::new(network, SCORE_MIN, &[]).map_err(|error| failed(&error))?;
        let cost = match arguments.frame_ms {
            Some(ms) => Cost::Time(Duration::from_secs_f64(ms / 1e3)),
            None => Cost::of_looking(&detector, clock).map_err(|error| failed(&error))?,
        };
        let (mut forward, mut cache) =
            forward_for_all(model, Arc::clone(&workers), isa, options).map_err(|error| failed(&error))?;
        let stop = Stop::new();
        let frames = Frames::new(&detector.way, Duration::from_secs_f64(1.0 / rate), &stop);
        let mut rhythm = Rhythm::new(true);
        let mut once = |phases: &mut [Phase; 2]| {
            talk((&mut forward, &mut cache), sizes, (&frames, &mut rhythm), clock, phases)
                .map_err(|error| failed(&error))
        };
        let talks = || {
            stop.wait(ALONE);
            let alone = frames.took.take();
            let mut phases = <[Phase; 2]>::default();
            if !arguments.cold {
                once(&mut phases)?;
                phases = Default::default();
            }
            (0..arguments.runs).try_for_each(|_| once(&mut phases))?;
            Ok((alone, phases))
        };
        let come = || {
            Turns::Short.ask();
            frames.come(cost, clock);
        };
        let measured = with_company("frames", come, || stop.request(), talks)
            .map_err(|error| Failure::Failed(format!("no thread for the frames: {error}; end other programs")))??;
        match frames.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(failed(&error)),
            None => Ok(measured),
        }
    })
}

fn as_json(phase: &Phase) -> Value {
    let waits = &phase.waits;
    let mut value = frames_as_json(&phase.frames);
    let model = json!({
        "tokens": phase.tokens,
        "tokens_per_second": rate(phase),
        "frames_held": waits.count(),
        "frame_wait_ms_p50": waits.percentile(50).map(milliseconds),
        "frame_wait_ms_p99": waits.percentile(99).map(milliseconds),
        "frame_wait_ms_max": waits.longest().map(milliseconds),
        "frame_late_ms_p50": phase.late.percentile(50).map(milliseconds),
        "frame_late_ms_p99": phase.late.percentile(99).map(milliseconds),
        "frame_late_ms_max": phase.late.longest().map(milliseconds),
        "item_macs": phase.item_macs,
    });
    if let (Value::Object(value), Value::Object(model)) = (&mut value, model) {
        value.extend(model);
    }
    value
}

/// How long frames took.
fn frames_as_json(frames: &Spread) -> Value {
    json!({
        "frames": frames.count(),
        "frame_ms_p50": frames.percentile(50).map(milliseconds),
        "frame_ms_p99": frames.percentile(99).map(milliseconds),
        "frame_ms_max": frames.longest().map(milliseconds),
    })
}

fn frames_as_text(frames: &Spread) -> String {
    format!(
        "{} frames were looked at, in {} ms (median), {} (p99), {} at most",
        frames.count(),
        shown(frames.percentile(50)),
        shown(frames.percentile(99)),
        shown(frames.longest())
    )
}

fn shown(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.2}", milliseconds(time)))
}

fn as_text(name: &str, phase: &Phase) -> String {
    let waits = &phase.waits;
    let late = &phase.late;
    let verdict = match (waits.longest(), late.longest()) {
        (None, _) | (_, None) => "no frame met it: more --runs or frames",
        (Some(waited), Some(late)) if waited + late <= ITEM_MAX => "met",
        _ => "MISSED",
    };
    format!(
        "{name}: {} frames came due while the model computed; their thread woke up {} ms late (median), {} (p99), {} at most, and waited \
         {} (median), {} (p99), {} at most (bar {} for both together: {verdict}); {}; {} tokens at {:.1}/s in items of {:.2} MMAC",
        waits.count(),
        shown(late.percentile(50)),
        shown(late.percentile(99)),
        shown(late.longest()),
        shown(waits.percentile(50)),
        shown(waits.percentile(99)),
        shown(waits.longest()),
        milliseconds(ITEM_MAX),
        frames_as_text(&phase.frames),
        phase.tokens,
        rate(phase),
        phase.item_macs as f64 / 1e6,
    )
}

fn rate(phase: &Phase) -> f64 {
    phase.tokens as f64 / phase.time.as_secs_f64().max(1e-9)
}

/// To the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
