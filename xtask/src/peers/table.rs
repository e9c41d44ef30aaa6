//! What was measured, as people read it.

use super::rounds::Measurement;

/// Prints one network's table: times, and how many times as long as our INT8 on AVX2 each one takes.
pub(super) fn print(net: &str, threads: usize, measurements: &[Measurement]) {
    let of_ours =
        measurements.iter().find(|one| one.key.who == "clawdbot" && one.key.form == "int8" && one.key.isa == "avx2");
    let megas = measurements.first().map_or(0.0, |one| one.multiplications / 1e6);
    println!("\n{net}, {megas:.1} MMAC, {threads} thread(s); ms an inference, least and median");
    println!(
        "  {:<10} {:<16} {:<9} {:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>9}",
        "who", "form", "isa", "SNR dB", "cpu min", "median", "wall min", "median", "GMAC/s", "of ours", ">AVX2"
    );
    for one in measurements {
        let snr = one.snr_db.map_or_else(String::new, |snr| format!("{snr:.1}"));
        let above = one.encodings.map_or_else(String::new, |seen| format!("{:.1} %", 100.0 * seen.above_avx2()));
        let time = time_ms(one);
        let ratio = of_ours.map_or_else(String::new, |ours| format!("{:.2}x", time / time_ms(ours)));
        println!(
            "  {:<10} {:<16} {:<9} {snr:>7} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.1} {ratio:>8} {above:>9}",
            one.key.who,
            one.key.form,
            one.key.isa,
            one.cpu_ms.0,
            one.cpu_ms.1,
            one.wall_ms.0,
            one.wall_ms.1,
            one.multiplications / time / 1e6,
        );
    }
}

/// What counts: processor time with one thread, because another process's share is not in it; the wall's with several.
pub(super) fn time_ms(one: &Measurement) -> f64 {
    if one.threads == 1 { one.cpu_ms.0 } else { one.wall_ms.0 }
}
