//! How long one inference takes: network and head, without decoding and preprocessing.

use clawdbot_flow::clock::Clock;
use clawdbot_vision::preprocess::{INPUT_CHANNEL_STRIDE, Placement};

use super::Times;
use crate::pipeline::network::Network;

/// Runs `network` once to warm up and then `runs` times on a picture of noise (INT8 takes the same time on any picture,
/// and noise leaves the head little to do, as an empty scene would).
pub(crate) fn measure(network: &mut Network, runs: usize, clock: &dyn Clock) -> Times {
    let (width, height) = (network.input().width, network.input().height);
    let input = noise(width * height * INPUT_CHANNEL_STRIDE);
    let mut detections = Vec::new();
    let mut run = || {
        let start = clock.monotonic();
        network.run(&input, THRESHOLD, Placement::WHOLE, &mut detections);
        clock.monotonic().since(start)
    };
    run();
    Times::new((0..runs).map(|_| run()).collect())
}

/// The threshold of `clawdbot detect`.
const THRESHOLD: f32 = 0.4;

/// Bytes of a fixed sequence: Knuth's linear congruential generator (MMIX), upper bits.
fn noise(bytes: usize) -> Vec<i8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[7].cast_signed()
    })
    .take(bytes)
    .collect()
}
