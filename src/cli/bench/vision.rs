//! `clawdbot bench vision`: how fast a network is, as a whole and layer by layer.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clawdbot_flow::clock::{Clock, SystemClock};
use clawdbot_nn::bundle::Bundle;
use clawdbot_nn::executor::Executor;
use serde_json::{Value, json};

use crate::app::compute::{threads_available, with_workers};
use crate::bench::Times;
use crate::bench::ceilings::{self, Ceilings};
use crate::bench::roofline;
use crate::bench::vision::{self, Layer};
use crate::cli::{Failure, isa, print};
use crate::pipeline::network::open_bundle;

/// What may be said to `bench vision`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The bundle; the bundled detector if not given.
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// Threads; one if not given.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Inferences to time, after one to warm up.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Time each layer too, and show it beside what this machine can do at most.
    #[arg(long)]
    layers: bool,
    /// With --layers, leave out what this machine can do at most, which takes seconds to measure, and minutes on an emulator.
    #[arg(long, requires = "layers", conflicts_with = "svg")]
    no_ceilings: bool,
    /// Draw the layers under this machine's ceilings (a roofline plot) as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Instead, take a number of inferences from each line of standard input and answer with their times in nanoseconds,
    /// a JSON list a line: for measurements that take turns with others.
    #[arg(long, conflicts_with_all = ["runs", "layers", "svg", "json"])]
    on_request: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.threads == 0 || arguments.threads > threads_available() {
        let most = threads_available();
        return Err(Failure::Usage(format!("--threads {}: this machine offers 1 to {most}", arguments.threads)));
    }
    let isa = isa()?;
    let bundle = open_bundle(arguments.model.as_deref()).map_err(|error| Failure::from_error(&error))?;
    let clock = SystemClock::new();
    with_workers(arguments.threads, |workers| {
        let mut executor = Executor::new(Arc::clone(bundle.model()), isa, Arc::clone(&workers))
            .map_err(|error| Failure::from_error(&error))?;
        vision::fill_inputs(&mut executor);
        if arguments.on_request {
            return answer_requests(&mut executor, &clock);
        }
        let runs = usize::try_from(arguments.runs).unwrap_or(usize::MAX);
        let times = vision::measure(&mut executor, runs, &clock);
        let layers = (arguments.layers || arguments.svg.is_some()).then(|| {
            let layers = vision::measure_layers(&bundle, &mut executor, runs, &clock);
            let ceilings = (!arguments.no_ceilings).then(|| ceilings::measure(isa, &workers, &clock));
            (layers, ceilings)
        });
        let report = Report { arguments, bundle: &bundle, isa: isa.name(), times, layers };
        if let Some(path) = &arguments.svg {
            report.draw(path)?;
        }
        if arguments.json { print(&report.json().to_string()) } else { report.print() }
    })
}

/// Runs as many inferences as each line asks for, until the end of standard input.
fn answer_requests(executor: &mut Executor, clock: &dyn Clock) -> Result<(), Failure> {
    executor.run();
    print("{}")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Failure::Failed(format!("standard input cannot be read: {error}")))?;
        let runs: u32 = line.trim().parse().map_err(|error| {
            Failure::Usage(format!("`{line}` on standard input is no number of inferences to run: {error}"))
        })?;
        let times = vision::run(executor, usize::try_from(runs).unwrap_or(usize::MAX), clock);
        let nanoseconds: Vec<u64> = times.into_iter().map(nanoseconds).collect();
        print(&json!(nanoseconds).to_string())?;
    }
    Ok(())
}

/// What was measured, to be told.
struct Report<'a> {
    arguments: &'a Arguments,
    bundle: &'a Bundle,
    isa: &'static str,
    times: Times,
    layers: Option<(Vec<Layer>, Option<Ceilings>)>,
}

impl Report<'_> {
    fn title(&self) -> String {
        let name = &self.bundle.origin().name;
        format!("{name} on {} with {} thread(s), {} runs", self.isa, self.arguments.threads, self.arguments.runs)
    }

    fn draw(&self, path: &Path) -> Result<(), Failure> {
        let Some((layers, Some(ceilings))) = &self.layers else { return Ok(()) };
        let title = format!("{}: least {:.2} ms", self.title(), milliseconds(self.times.least()));
        std::fs::write(path, roofline::svg(&title, layers, ceilings))
            .map_err(|error| Failure::Failed(format!("{}: the plot can't be written: {error}", path.display())))
    }

    fn json(&self) -> Value {
        let mut answer = json!({
            "model": self.bundle.origin().name,
            "isa": self.isa,
            "threads": self.arguments.threads,
            "runs": self.arguments.runs,
            "min_ms": milliseconds(self.times.least()),
            "median_ms": milliseconds(self.times.median()),
            "max_ms": milliseconds(self.times.longest()),
        });
        if let Some((layers, ceilings)) = &self.layers {
            if let Some(ceilings) = ceilings {
                answer["ceilings"] = json!({
                    "int8_mac_per_second": ceilings.int8_rate,
                    "f16_mac_per_second": ceilings.f16_rate,
                    "memory_bytes_per_second": ceilings.memory_rate,
                    "clock_hz": ceilings.clock_rate,
                    "clock_source": CLOCK_SOURCE,
                });
            }
            answer["layers"] = layers.iter().map(|layer| layer_json(layer, ceilings.as_ref())).collect();
        }
        answer
    }

    fn print(&self) -> Result<(), Failure> {
        print(&self.title())?;
        let [least, median, longest] =
            [self.times.least(), self.times.median(), self.times.longest()].map(milliseconds);
        print(&format!("least {least:.2} ms, median {median:.2} ms, longest {longest:.2} ms an inference"))?;
        match &self.layers {
            Some((layers, ceilings)) => print(&table(layers, ceilings.as_ref(), self.arguments.threads)),
            None => Ok(()),
        }
    }
}

/// Whence the cycles come.
const CLOCK_SOURCE: &str = "a chain of one-cycle operations, timed";

fn layer_json(layer: &Layer, ceilings: Option<&Ceilings>) -> Value {
    let mut answer = json!({
        "name": layer.name,
        "op": layer.op,
        "kind": layer.kind.name(),
        "output": layer.shape,
        "min_ms": milliseconds(layer.least),
        "multiplications": layer.multiplications,
        "bytes": layer.bytes,
        "mac_per_byte": layer.intensity(),
    });
    if let Some(ceilings) = ceilings {
        answer["mac_per_cycle"] = json!(layer.rate() / ceilings.clock_rate);
    }
    answer
}

/// The layers, one a line, and what they add up to. Cycles are unknown, and left blank, without ceilings.
fn table(layers: &[Layer], ceilings: Option<&Ceilings>, threads: usize) -> String {
    let total: Duration = layers.iter().map(|layer| layer.least).sum();
    let share = |time: Duration| 100.0 * time.as_secs_f64() / total.as_secs_f64().max(f64::MIN_POSITIVE);
    let a_cycle = |rate: f64| ceilings.map_or_else(String::new, |known| format!("{:.2}", rate / known.clock_rate));
    let head = format!(
        "\n{:>4}  {:<10} {:<16} {:>16} {:>9} {:>7} {:>9} {:>9} {:>9}  {}",
        "step", "kind", "op", "output", "ms", "share", "MMAC", "MAC/cycle", "MAC/byte", "name"
    );
    let mut lines = vec![head];
    for (index, layer) in layers.iter().enumerate() {
        let shape: Vec<String> = layer.shape.iter().map(ToString::to_string).collect();
        let costs = if layer.multiplications == 0 {
            format!("{:>9} {:>9} {:>9}", "", "", "")
        } else {
            let (products, rate) = (layer.multiplications as f64 / 1e6, a_cycle(layer.rate()));
            format!("{products:>9.2} {rate:>9} {:>9.1}", layer.intensity())
        };
        lines.push(format!(
            "{index:>4}  {:<10} {:<16} {:>16} {:>9.4} {:>6.1}% {costs}  {}",
            layer.kind.name(),
            layer.op,
            shape.join("x"),
            milliseconds(layer.least),
            share(layer.least),
            layer.name
        ));
    }
    for kind in vision::Kind::ALL {
        let of_kind = || layers.iter().filter(|layer| layer.kind == kind);
        let time: Duration = of_kind().map(|layer| layer.least).sum();
        let multiplications = of_kind().map(|layer| layer.multiplications).sum::<u64>() as f64;
        lines.push(format!(
            "{:<10} {:>3} layers, {:>8.3} ms, {:>5.1}%, {:>8.1} MMAC, {:>6} MAC/cycle",
            kind.name(),
            of_kind().count(),
            milliseconds(time),
            share(time),
            multiplications / 1e6,
            a_cycle(multiplications / time.as_secs_f64().max(f64::MIN_POSITIVE))
        ));
    }
    lines.extend(ceilings.map(|ceilings| at_most(ceilings, threads)));
    lines.join("\n")
}

/// The ceilings, in a line.
fn at_most(ceilings: &Ceilings, threads: usize) -> String {
    let [int8, f16] = [ceilings.int8_rate, ceilings.f16_rate].map(|rate| rate / 1e9);
    let per_cycle = ceilings.int8_rate / ceilings.clock_rate;
    format!(
        "at most, with {threads} thread(s): INT8 {int8:.1} GMAC/s ({per_cycle:.1} MAC/cycle), F16 {f16:.1} GMAC/s, memory \
         {:.1} GB/s; clock {:.2} GHz by {CLOCK_SOURCE}",
        ceilings.memory_rate / 1e9,
        ceilings.clock_rate / 1e9
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
