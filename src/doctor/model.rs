//! Whether detector and language model have room in this machine's memory: the sum that the daemon does, done before.

use std::path::Path;

use clawdbot_flow::limits::{FRAME_BYTES_MAX, FRAMES_IN_FLIGHT_MAX};

use super::configuration::Configuration;
use super::finding::{Check, Finding};
use super::machine::Machine;
use super::mebibytes;
use super::processes::Processes;
use crate::config::Cameras;
use crate::pipeline::answering::room::{self, Demand, RESERVE_BYTES};
use crate::pipeline::network::open_bundle;

/// What the models want, and what there is; all in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemoryReading {
    /// Weights and activations of the detector, or why it is no model.
    pub(super) detector: Result<u64, String>,
    /// Frame buffers of all cameras.
    pub(super) frames: u64,
    /// The language model, where there is one; or why it is none.
    pub(super) language: Option<Result<Demand, String>>,
    /// What the kernel calls available.
    pub(super) available: Option<u64>,
    /// All memory of the board.
    pub(super) total: Option<u64>,
    /// What a daemon that runs already has taken of it.
    pub(super) daemon: Option<u64>,
}

/// `None`: the configuration does not say which models.
pub(super) fn gather(
    machine: &Machine<'_>,
    configuration: &Configuration,
    processes: &Processes,
) -> Option<MemoryReading> {
    let config = configuration.config()?;
    let cameras = match &config.cameras {
        Cameras::Listed(cameras) => cameras.len(),
        Cameras::FirstOrClip(_) => 1,
    };
    let language = config.llm.as_ref().map(|llm| room::demand(&llm.options).map_err(|error| error.to_string()));
    Some(MemoryReading {
        detector: detector(config.detector.model.as_deref()),
        frames: (cameras * FRAMES_IN_FLIGHT_MAX * FRAME_BYTES_MAX) as u64,
        language,
        available: room::memory(&machine.root, "MemAvailable:"),
        total: room::memory(&machine.root, "MemTotal:"),
        daemon: processes.daemon_bytes(),
    })
}

fn detector(model: Option<&Path>) -> Result<u64, String> {
    let bundle = open_bundle(model).map_err(|error| error.to_string())?;
    Ok((bundle.file_bytes() + bundle.program().arena_bytes()) as u64)
}

pub(super) fn judge(reading: &Option<MemoryReading>) -> Finding {
    let check = Check::Model;
    let Some(reading) = reading else { return Configuration::missing(check) };
    let detector = match &reading.detector {
        Ok(bytes) => *bytes,
        Err(reason) => return unusable("detector.model", reason),
    };
    let language = match &reading.language {
        Some(Err(reason)) => return unusable("llm.model", reason),
        Some(Ok(demand)) => Some(*demand),
        None => None,
    };
    let wanted = [detector, reading.frames]
        .into_iter()
        .chain(language.into_iter().flat_map(|demand| [demand.weights, demand.cache]))
        .fold(RESERVE_BYTES, u64::saturating_add);
    let sum = sum(reading, detector, language, wanted);
    let Some(available) = reading.available else {
        return Finding::unknown(check, format!("{sum}; the kernel does not tell what is available"), "ask `free -m`");
    };
    // What a daemon has taken already is part of what it wants.
    let room = available.saturating_add(reading.daemon.unwrap_or_default());
    let has = match reading.daemon {
        Some(taken) => format!(
            "{} MiB are available, and {} MiB the running daemon has already",
            mebibytes(available),
            mebibytes(taken)
        ),
        None => format!("{} MiB are available", mebibytes(available)),
    };
    let smaller = if language.is_some() {
        "take a smaller model, or lower `llm.context` or `llm.slots`"
    } else {
        "take a smaller detector or fewer cameras"
    };
    if wanted <= room {
        Finding::ok(check, format!("{sum}; {has}"))
    } else if reading.total.is_some_and(|total| wanted > total) {
        let total = reading.total.unwrap_or_default();
        Finding::problem(check, format!("{sum}; the board has {} MiB in all", mebibytes(total)), smaller)
    } else {
        Finding::problem(check, format!("{sum}; only {has}"), format!("end what else takes memory, or {smaller}"))
    }
}

fn unusable(key: &str, reason: &str) -> Finding {
    Finding::problem(
        Check::Model,
        format!("{key} can't be used: {reason}"),
        "put the bundle there, or make one with `clawdbot convert`; `clawdbot inspect` shows what a file is",
    )
}

fn sum(reading: &MemoryReading, detector: u64, language: Option<Demand>, wanted: u64) -> String {
    let language = language.map_or_else(String::new, |Demand { weights, cache }| {
        format!(
            ", {} for the language model's weights, {} for its keys and values",
            mebibytes(weights),
            mebibytes(cache)
        )
    });
    format!(
        "{} MiB for the detector, {} for frames{language}, {} in reserve: {} MiB",
        mebibytes(detector),
        mebibytes(reading.frames),
        mebibytes(RESERVE_BYTES),
        mebibytes(wanted)
    )
}

#[cfg(test)]
mod tests;
