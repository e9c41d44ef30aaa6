//! The bars of issue 4: ratios of our time to another, each with what it must reach and what it should.

use serde_json::{Value, json};

use super::rounds::Measurement;
use super::table::time_ms;

/// The networks, in the order of each bar's limits.
const NETS: [&str; 3] = ["mobilenet_v2_224", "yolox_nano_416", "ssd_mobilenet_v1_300"];

/// Whose time: who, form, instruction set, threads.
type Side = (&'static str, &'static str, &'static str, usize);

/// A limit of each network: at least, and aim. `None` is only reported.
type Limits = [Option<(f64, Option<f64>)>; 3];

/// One line of the table.
struct Bar {
    what: &'static str,
    ours: Side,
    theirs: Side,
    limits: Limits,
}

const OURS: Side = ("clawdbot", "int8", "avx2", 1);
const VNNI: Side = ("clawdbot", "int8", "avx_vnni", 1);
const REPORTED: Limits = [None; 3];

const fn limits(least: [f64; 3], aims: [f64; 3]) -> Limits {
    [Some((least[0], Some(aims[0]))), Some((least[1], Some(aims[1]))), Some((least[2], Some(aims[2])))]
}

const fn limits_alone(least: [f64; 3]) -> Limits {
    [Some((least[0], None)), Some((least[1], None)), Some((least[2], None))]
}

const BARS: &[Bar] = &[
    Bar {
        what: "AVX2, LiteRT INT8",
        ours: OURS,
        theirs: ("litert", "int8", "avx2", 1),
        limits: limits([0.85, 0.80, 0.92], [0.75, 0.70, 0.85]),
    },
    Bar {
        what: "AVX2, ncnn INT8",
        ours: OURS,
        theirs: ("ncnn", "int8", "avx2", 1),
        limits: limits([0.55, 0.35, 0.70], [0.45, 0.30, 0.60]),
    },
    Bar {
        what: "AVX2, ORT s8s8 (saturates)",
        ours: OURS,
        theirs: ("ort", "s8s8", "avx2", 1),
        limits: limits_alone([0.60, 0.35, 0.85]),
    },
    Bar { what: "AVX2, ORT u8s8 (saturates)", ours: OURS, theirs: ("ort", "u8s8", "avx2", 1), limits: REPORTED },
    Bar { what: "AVX2, ORT s8s8 exact", ours: OURS, theirs: ("ort", "s8s8 exact", "avx2", 1), limits: REPORTED },
    Bar { what: "AVX2, ORT u8s8 exact", ours: OURS, theirs: ("ort", "u8s8 exact", "avx2", 1), limits: REPORTED },
    Bar { what: "AVX2, tract FP32", ours: OURS, theirs: ("tract", "fp32", "avx2", 1), limits: REPORTED },
    Bar { what: "our avx_vnni, our avx2", ours: VNNI, theirs: OURS, limits: limits([0.6; 3], [0.5; 3]) },
    Bar {
        what: "our avx_vnni, LiteRT INT8 unpinned",
        ours: VNNI,
        theirs: ("litert", "int8", "none", 1),
        limits: REPORTED,
    },
    Bar {
        what: "2 threads, 1 thread",
        ours: ("clawdbot", "int8", "avx2", 2),
        theirs: OURS,
        limits: [None, Some((0.58, Some(0.53))), None],
    },
    Bar {
        what: "our INT8, our F16",
        ours: OURS,
        theirs: ("clawdbot", "f16", "avx2", 1),
        limits: limits([0.75; 3], [0.6; 3]),
    },
    Bar {
        what: "2 threads, LiteRT INT8",
        ours: ("clawdbot", "int8", "avx2", 2),
        theirs: ("litert", "int8", "avx2", 2),
        limits: REPORTED,
    },
];

/// How a bar was met on one network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    what: &'static str,
    net: &'static str,
    /// Our time / theirs.
    ratio: f64,
    least: Option<f64>,
    aim: Option<f64>,
}

impl Verdict {
    fn word(&self) -> &'static str {
        match (self.least, self.aim) {
            (_, Some(aim)) if self.ratio <= aim => "aim met",
            (Some(least), _) if self.ratio <= least => "met",
            (Some(_), _) => "MISSED",
            (None, _) => "reported",
        }
    }

    /// For the record.
    pub(super) fn json(&self) -> Value {
        json!({ "bar": self.what, "network": self.net, "ratio": self.ratio, "at_least": self.least, "aim": self.aim,
                "verdict": self.word() })
    }
}

/// Every bar of which both sides were measured.
pub(super) fn judge(measurements: &[Measurement]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for bar in BARS {
        for (&net, limits) in NETS.iter().zip(bar.limits) {
            let [ours, theirs] = [bar.ours, bar.theirs].map(|side| {
                measurements.iter().find(|one| {
                    one.net == net
                        && (one.key.who.as_str(), one.key.form.as_str(), one.key.isa.as_str(), one.threads) == side
                })
            });
            let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
            // Speed-up by threads is one of the wall's time on both sides.
            let wall = ours.threads > 1 || theirs.threads > 1;
            let time = |one: &Measurement| if wall { one.wall_ms.0 } else { time_ms(one) };
            let ratio = time(ours) / time(theirs);
            let (least, aim) = limits.map_or((None, None), |(least, aim)| (Some(least), aim));
            verdicts.push(Verdict { what: bar.what, net, ratio, least, aim });
        }
    }
    verdicts
}

/// Prints the bars, one a line.
pub(super) fn print(verdicts: &[Verdict]) {
    println!("\nour time / theirs                     network                  ratio  at least   aim");
    for verdict in verdicts {
        let number = |limit: Option<f64>| limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.2}"));
        println!(
            "  {:<35} {:<22} {:>7.3} {:>9} {:>5}  {}",
            verdict.what,
            verdict.net,
            verdict.ratio,
            number(verdict.least),
            number(verdict.aim),
            verdict.word()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::contestant::Key;
    use super::*;

    fn measurement(net: &str, side: Side, cpu: f64, wall: f64) -> Measurement {
        let key = Key { who: side.0.to_owned(), form: side.1.to_owned(), isa: side.2.to_owned() };
        Measurement {
            net: net.to_owned(),
            multiplications: 1e9,
            threads: side.3,
            key,
            snr_db: None,
            cpu_ms: (cpu, cpu),
            wall_ms: (wall, wall),
            encodings: None,
        }
    }

    #[test]
    fn bars_are_judged_by_processor_time_and_threads_by_the_wall() {
        let net = NETS[1];
        let measured = [
            measurement(net, OURS, 8.0, 10.0),
            measurement(net, ("litert", "int8", "avx2", 1), 10.0, 10.0),
            measurement(net, ("ncnn", "int8", "avx2", 1), 10.0, 10.0),
            measurement(net, ("clawdbot", "int8", "avx2", 2), 11.0, 5.0),
        ];
        let words: Vec<(&str, &str)> = judge(&measured).iter().map(|verdict| (verdict.what, verdict.word())).collect();
        assert_eq!(
            words,
            [("AVX2, LiteRT INT8", "met"), ("AVX2, ncnn INT8", "MISSED"), ("2 threads, 1 thread", "aim met")]
        );
    }
}
