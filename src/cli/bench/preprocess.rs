//! `clawdbot bench preprocess`: from a camera's frame to the network's input.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clawdbot_flow::clock::SystemClock;
use clawdbot_flow::frame::PixelFormat;
use clawdbot_vision::preprocess::Preprocessor;
use serde_json::json;

use super::super::{Failure, isa, print};
use crate::bench::preprocess::{Frame, measure};
use crate::pipeline::network::open_bundle;
use crate::sources::picture::JpegDecoder;

/// See the command's help.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The bundle whose input is made; the bundled detector's if not given.
    #[arg(long, value_name = "BUNDLE")]
    model: Option<PathBuf>,
    /// How the camera delivers its pixels.
    #[arg(long, value_enum, default_value_t = Format::Yuyv)]
    format: Format,
    /// In pixels.
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(1..=8192))]
    width: u32,
    /// In pixels.
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(1..=8192))]
    height: u32,
    /// A JPEG file to decode and preprocess, instead of a made-up frame.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "width", "height"])]
    jpeg: Option<PathBuf>,
    /// Frames to time, after one to warm up.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The uncompressed formats, as V4L2 calls them in lower case.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Yuyv,
    Nv12,
    Yu12,
    Rgb,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let isa = isa()?;
    let bundle = open_bundle(arguments.model.as_deref()).map_err(|error| Failure::from_error(&error))?;
    let Some(input) = bundle.vision().and_then(|vision| vision.input.as_ref()) else {
        return Err(Failure::Failed(format!("{} takes no picture; give a vision model", bundle.origin().name)));
    };
    let mut preprocessor = Preprocessor::new(input, isa).map_err(|error| Failure::from_error(&error))?;
    let frame = frame(arguments)?;
    let runs = usize::try_from(arguments.runs).unwrap_or(usize::MAX);
    let measured = measure(&mut preprocessor, &frame, runs, &SystemClock::new()).map_err(Failure::Failed)?;
    let format = format!("{:?}", frame.format).to_ascii_lowercase();
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    if arguments.json {
        let of = |times: &crate::bench::Times| json!({ "min_ms": ms(times.least()), "median_ms": ms(times.median()) });
        let answer = json!({
            "format": format, "width": frame.width, "height": frame.height, "input": [input.width, input.height],
            "isa": isa.name(), "runs": runs, "decoding": of(&measured.decoding),
            "preprocessing": of(&measured.preprocessing),
        });
        return print(&answer.to_string());
    }
    let Frame { width, height, .. } = frame;
    print(&format!("{format} {width}x{height} to {}x{} on {isa}, {runs} frames", input.width, input.height))?;
    let line = |name: &str, times: &crate::bench::Times| {
        print(&format!("{name}: least {:.3} ms, median {:.3} ms a frame", ms(times.least()), ms(times.median())))
    };
    if arguments.jpeg.is_some() {
        line("decoding", &measured.decoding)?;
    }
    line("preprocessing", &measured.preprocessing)
}

fn frame(arguments: &Arguments) -> Result<Frame, Failure> {
    let Some(path) = &arguments.jpeg else {
        let format = match arguments.format {
            Format::Yuyv => PixelFormat::Yuyv,
            Format::Nv12 => PixelFormat::Nv12,
            Format::Yu12 => PixelFormat::I420,
            Format::Rgb => PixelFormat::Rgb8,
        };
        // u32 fits usize on every board that we build for.
        let [width, height] = [arguments.width, arguments.height].map(|side| side as usize);
        let made_up = Frame::made_up(format, width, height);
        return made_up.ok_or_else(|| Failure::Failed("no such format".to_owned()));
    };
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Failure::Failed(format!("--jpeg {name}: {error}")))?;
    let (width, height) = JpegDecoder::for_frames(name).size(&bytes).map_err(|error| Failure::from_error(&error))?;
    Ok(Frame { width: width as usize, height: height as usize, format: PixelFormat::Jpeg, bytes })
}
