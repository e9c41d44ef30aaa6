//! What every message but `status` is wrapped in.

use clawdbot_flow::clock::Wall;
use serde::Serialize;
use ulid::Ulid;

/// The envelope, version 1. Fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a, T> {
    /// Version of the envelope.
    pub(super) v: u8,
    /// What `data` is.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// ULID: unique, and sorted by the time of building.
    pub(super) id: String,
    /// The node that speaks.
    pub(super) node: &'a str,
    /// What it speaks of: `node`, `camera/<id>`, `sensor/<id>`.
    pub(super) src: &'a str,
    /// Counts the messages of one `src` and `type` from 0 at the daemon's start.
    pub(super) seq: u64,
    /// When it happened, RFC 3339 in UTC with milliseconds.
    pub(super) ts: String,
    /// How far `ts` can be trusted.
    pub(super) clock: &'static str,
    /// The kernel's id of this boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) boot: Option<&'a str>,
    /// When it happened, in milliseconds since that boot.
    pub(super) mono_ms: u64,
    /// From the capture of what it is about to the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lat_ms: Option<f64>,
    /// The network whose verdict it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<&'a str>,
    /// What it cost in joules, where that is measured or modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) energy_j: Option<f64>,
    /// The matter itself.
    pub(super) data: T,
}

impl<T: Serialize> Envelope<'_, T> {
    /// The envelope as JSON.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Serialising fails only for maps with keys that are no strings and for types that refuse; `data` has neither.
        serde_json::to_vec(self).unwrap_or_else(|error| {
            tracing::error!(kind = self.kind, %error, "a message cannot be written as JSON; this is a bug, report it");
            Vec::new()
        })
    }
}

/// `value` rounded to `decimals` decimals; `None` when it is not finite, which JSON cannot say.
pub(super) fn rounded(value: f64, decimals: u8) -> Option<f64> {
    let scale = 10_f64.powi(i32::from(decimals));
    let rounded = (value * scale).round() / scale;
    rounded.is_finite().then_some(rounded)
}

/// Message ids: ULIDs whose random part comes from a seeded generator (SplitMix64; Steele, Lea and Flood 2014).
#[derive(Debug)]
pub(super) struct Ids {
    state: u64,
    last: Option<Ulid>,
}

impl Ids {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed, last: None }
    }

    /// The next id: greater than every earlier one, even when `wall` stands still or is set back.
    pub(super) fn next(&mut self, wall: Wall) -> String {
        let milliseconds = u64::try_from(wall.since_epoch().as_millis()).unwrap_or(u64::MAX);
        let random = (u128::from(self.draw()) << 64) | u128::from(self.draw());
        let fresh = Ulid::from_parts(milliseconds, random);
        let id = match self.last {
            Some(last) if fresh <= last => last.increment().unwrap_or(fresh),
            _ => fresh,
        };
        self.last = Some(id);
        id.to_string()
    }

    const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
