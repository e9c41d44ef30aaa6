//! A core, its caches and its memory as four rates. A layer takes as long as the slowest of them needs for its part, and a
//! join of the threads on top.

use serde_json::{Value, json};

/// Bytes of a cache line.
const LINE: u64 = 64;

/// What is assumed of a board; everything in cycles of a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Board {
    /// For people.
    pub(super) name: &'static str,
    clock_hz: f64,
    /// Instructions a cycle: of dense convolutions, of depthwise ones, of all else.
    instructions_a_cycle: [f64; 3],
    /// Bytes a cycle between one core's first cache and the second.
    near_of_one: f64,
    /// The same of all cores together.
    near_of_all: f64,
    /// Bytes a cycle between the second cache and memory, by the number of cores that ask, from 1.
    far: [f64; 4],
    /// Cycles to hand a layer to other cores and to wait for them.
    join: f64,
}

/// Raspberry Pi 4B at 1.5 GHz. Instructions a cycle: llvm-mca 19 gives 67 instructions in 32 cycles for our dense loop
/// (docs/reference/kernels.md), and 0.340 instructions a product at 5.1 products a cycle for a depthwise one (vision.md, 4.1);
/// the rest is an estimate. Memory: 4 GB/s for one core and 5 for all (vision.md, 1.3). The second cache: a 128-bit bus to
/// each core (Cortex-A72 Technical Reference Manual, 7.1), taken as half used by one core, and as wholly used by all
/// together: an estimate. A join: two wake-ups of a microsecond, which is what the spinning of `workers.rs` is for; an estimate.
pub(super) const CORTEX_A72: Board = Board {
    name: "Raspberry Pi 4B (Cortex-A72, 1.5 GHz)",
    clock_hz: 1.5e9,
    instructions_a_cycle: [67.0 / 32.0, 0.340 * 5.1, 1.5],
    near_of_one: 8.0,
    near_of_all: 16.0,
    far: [4.0 / 1.5, 4.5 / 1.5, 4.75 / 1.5, 5.0 / 1.5],
    join: 3000.0,
};

/// What was counted of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    /// As `bench vision` calls it: 1x1, dense, depthwise, other.
    pub(super) kind: String,
    /// Of its result, batch first.
    pub(super) shape: Vec<u64>,
    /// Executed.
    pub(super) instructions: u64,
    /// Between the first cache and the second, both ways.
    pub(super) near_bytes: u64,
    /// Between the second cache and memory, both ways.
    pub(super) far_bytes: u64,
}

impl Layer {
    /// Of a layer in the report of `bench vision` and the difference of two marks.
    pub(super) fn new(layer: &Value, [instructions, near_in, near_out, far_in, far_out]: [u64; 5]) -> Option<Self> {
        Some(Self {
            kind: layer["kind"].as_str()?.to_owned(),
            shape: layer["output"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?,
            instructions,
            near_bytes: (near_in + near_out) * LINE,
            far_bytes: (far_in + far_out) * LINE,
        })
    }

    /// What threads share out: pixels of a 1x1 convolution and of other layers, rows of windows.
    fn rows(&self) -> u64 {
        let [_, height, width, ..] = self.shape[..] else { return 1 };
        if matches!(self.kind.as_str(), "dense" | "depthwise") { height } else { height * width }
    }

    /// For the record.
    pub(super) fn json(&self) -> Value {
        json!({ "kind": self.kind, "output": self.shape, "instructions": self.instructions,
                "near_bytes": self.near_bytes, "far_bytes": self.far_bytes })
    }
}

/// What decides how long a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Instructions of the thread that has most rows.
    Compute,
    /// Between the first and the second cache.
    SecondCache,
    /// Between the second cache and memory.
    Memory,
}

impl Bound {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Compute, Self::SecondCache, Self::Memory];

    /// For people and records.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::SecondCache => "second_cache",
            Self::Memory => "memory",
        }
    }
}

/// A layer on so many threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// How long.
    pub(super) seconds: f64,
    /// Why.
    pub(super) bound: Bound,
}

impl Board {
    /// What `layer` costs on 1 to 4 `threads`. The lines that it moves are those of one thread: bands of rows share no input
    /// but a window's edge, and the second cache is everyone's.
    pub(super) fn cost(&self, layer: &Layer, threads: usize) -> Cost {
        let cores = threads.clamp(1, self.far.len());
        let share = 1.0 / cores as f64;
        // Whole rows: one thread may have one more than another.
        let rows = layer.rows().max(1);
        let most = rows.div_ceil(cores as u64) as f64 / rows as f64;
        let rate = match layer.kind.as_str() {
            "1x1" | "dense" => self.instructions_a_cycle[0],
            "depthwise" => self.instructions_a_cycle[1],
            _ => self.instructions_a_cycle[2],
        };
        let near = (self.near_of_one / share).min(self.near_of_all);
        let limits = [
            (layer.instructions as f64 * most / rate, Bound::Compute),
            (layer.near_bytes as f64 / near, Bound::SecondCache),
            (layer.far_bytes as f64 / self.far[cores - 1], Bound::Memory),
        ];
        let (cycles, bound) = limits
            .into_iter()
            .fold((0.0, Bound::Compute), |worst, limit| if limit.0 > worst.0 { limit } else { worst });
        let join = if cores > 1 { self.join } else { 0.0 };
        Cost { seconds: (cycles + join) / self.clock_hz, bound }
    }

    /// For the record.
    pub(super) fn json(&self) -> Value {
        json!({ "name": self.name, "clock_hz": self.clock_hz, "instructions_a_cycle": self.instructions_a_cycle,
                "near_bytes_a_cycle_one": self.near_of_one, "near_bytes_a_cycle_all": self.near_of_all,
                "far_bytes_a_cycle": self.far, "join_cycles": self.join })
    }
}
