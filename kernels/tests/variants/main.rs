//! Every variant that a table lists, against the reference beside it: integers bit by bit, floats within the bound that
//! their contract names. Each slice that a kernel sees ends, or begins, at a page that must not be touched.
//!
//! A variant that this processor cannot run is counted, not passed. `KERNELS_REQUIRE=neon,avx2` fails a run in which one of
//! those instruction sets was exercised nowhere, `KERNELS_FORBID=neon_dotprod` one in which it was (an emulated core
//! that should not have it). The last line counts.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "numbers made up by the thousand, and a test program's own report"
)]

mod attend;
mod elementwise;
mod float;
mod guarded;
mod integer;
mod language;
mod linear;
mod made_up;
mod picture;
mod pictures;
mod tally;

fn main() {
    let mut tally = tally::Tally::default();
    integer::gemm(&mut tally);
    integer::conv(&mut tally);
    integer::depthwise(&mut tally);
    elementwise::add(&mut tally);
    elementwise::pool(&mut tally);
    elementwise::quantize(&mut tally);
    elementwise::dequantize(&mut tally);
    pictures::max_pool(&mut tally);
    pictures::average_pool(&mut tally);
    pictures::resize(&mut tally);
    pictures::shuffle(&mut tally);
    pictures::multiply(&mut tally);
    float::activate(&mut tally);
    float::conv_f16(&mut tally);
    float::depthwise_f16(&mut tally);
    picture::blend(&mut tally);
    picture::resample(&mut tally);
    linear::linear_i4(&mut tally);
    linear::linear_i8(&mut tally);
    linear::linear_f16(&mut tally);
    linear::group_quantize(&mut tally);
    language::rms_norm(&mut tally);
    language::rope(&mut tally);
    language::swiglu(&mut tally);
    language::add_f32(&mut tally);
    language::argmax(&mut tally);
    attend::kv_store(&mut tally);
    attend::attention(&mut tally);
    tally.finish();
}
