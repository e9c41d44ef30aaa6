//! Memory is taken at start: once every buffer has grown, the way from a frame's pixels to its objects allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clawdbot_flow::clock::Monotonic;
use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_flow::frame::PixelFormat;
use clawdbot_kernels::isa::Isa;
use clawdbot_kernels::pages::Format;
use clawdbot_llm::engine::{Engine, Request, Told};
use clawdbot_llm::forward::{Forward, Limits};
use clawdbot_llm::kv_cache::{KvCache, Shape};
use clawdbot_llm::lookup::Lookup;
use clawdbot_llm::model::Model;
use clawdbot_llm::pace::Pace;
use clawdbot_llm::sampler::{Sampling, SamplingOptions};
use clawdbot_nn::bundle::Bundle;
use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::executor::Executor;
use clawdbot_nn::metadata::{ColorOrder, PictureInput, Resize};
use clawdbot_nn::workers::Workers;
use clawdbot_vision::heads::Head;
use clawdbot_vision::motion::Motion;
use clawdbot_vision::objects::{Objects, Options};
use clawdbot_vision::preprocess::{Picture, Preprocessor};
use clawdbot_vision::regions::join::Joiner;
use clawdbot_vision::regions::{self, Regions};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread, for the whole test binary.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches only a thread-local without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8; 100]))), 1);
}

/// A photograph as a camera would deliver it in YUYV: real content, so that the head has boxes to sort.
fn yuyv_picture() -> (usize, usize, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pictures/astronaut.png");
    let rgb = image::open(path).expect("the picture is part of the repository").into_rgb8();
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    let luma = |pixel: &image::Rgb<u8>| {
        let [red, green, blue] = pixel.0.map(f32::from);
        (16.0 + 0.257 * red + 0.504 * green + 0.098 * blue) as u8
    };
    (width, height, rgb.pixels().flat_map(|pixel| [luma(pixel), 128]).collect())
}

/// From pixels to objects with the detector in `path`, 100 times after 3 to warm up: allocations of the 100.
fn allocations_of_frames(path: &Path, isa: Isa) -> u64 {
    let bundle = Bundle::open(path).expect("a bundle");
    let vision = bundle.vision().expect("a detector");
    let mut preprocessor = Preprocessor::new(vision.input.as_ref().expect("a picture"), isa).unwrap();
    let mut head = Head::from_metadata(vision, bundle.program()).unwrap();
    let mut executor = Executor::new(Arc::clone(bundle.model()), isa, Arc::new(Workers::new())).unwrap();
    let mut objects = Objects::new(Options::default());
    let (mut detections, mut changes) = (Vec::new(), Vec::new());
    let (width, height, pixels) = yuyv_picture();
    let mut frame = |number: u64| {
        let picture = Picture::new(width, height, width * 2, PixelFormat::Yuyv, &pixels).unwrap();
        let placement = preprocessor.run(&picture, executor.input_i8_mut(0).unwrap()).unwrap();
        executor.run();
        head.detect(|index| executor.output(index).unwrap().as_f32().unwrap(), 0.3, placement, &mut detections);
        objects.update(&detections, Monotonic::from_origin(Duration::from_millis(number * 100)), &mut changes);
        changes.clear();
        detections.len()
    };
    let seen: usize = (0..3).map(&mut frame).sum();
    assert!(seen > 0, "a frame without detections proves little");
    allocations(|| {
        (3..103).for_each(|number| {
            frame(number);
        })
    })
}

#[test]
fn a_frame_costs_no_allocation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/ssd-mobilenet-v2-oid.claw.safetensors");
    assert_eq!(allocations_of_frames(&path, Isa::detect()), 0);
}

/// Other steps than the bundled detector's: pools, resizing, joined channels; another head, which keeps far more boxes.
#[test]
fn a_frame_of_yolox_costs_no_allocation() {
    let Some(data) = crate::accuracy::data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("yolox.claw.safetensors");
    let source = data.join("detect/yolox-nano/yolox_nano_416.onnx");
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pictures");
    let [source, target, pictures] = [&source, &bundle, &pictures].map(|path| path.to_str().unwrap());
    let words = ["convert", source, "-o", target, "--precision", "int8", "--calibrate", pictures];
    crate::accuracy::clawdbot(&[&words[..], &["--input-convention", "yolox-0.1.1"]].concat());
    assert_eq!(allocations_of_frames(&bundle, Isa::detect()), 0);
}

#[test]
fn looking_at_regions_costs_no_allocation() {
    let (width, height, mut pixels) = yuyv_picture();
    let input =
        PictureInput { width: 224, height: 224, color: ColorOrder::Rgb, resize: Resize::Letterbox { fill: 114 } };
    let mut preprocessor = Preprocessor::new(&input, Isa::detect()).unwrap();
    let mut network_input = vec![0; preprocessor.input_bytes()];
    let mut motion = Motion::new(width, height).unwrap();
    let mut regions = Regions::new(width, height, &input, regions::Options { whole_every: 4, scan: true });
    let mut joiner = Joiner::new(width, height, 0.5);
    let mut objects = Objects::new(Options::default());
    let (mut known, mut changes) = (Vec::with_capacity(300), Vec::with_capacity(300));
    let mut joined = Vec::with_capacity(300);
    let mut looks_seen = 0;
    let mut frame = |number: u64| {
        // Something white runs to and fro.
        let (left, top) = (8 * number as usize % (width - 30), 200);
        (top..top + 24)
            .for_each(|y| pixels[2 * (y * width + left)..][..48].fill(if number.is_multiple_of(2) { 250 } else { 10 }));
        let picture = Picture::new(width, height, width * 2, PixelFormat::Yuyv, &pixels).unwrap();
        let now = Monotonic::from_origin(Duration::from_millis(number * 66));
        known.clear();
        known.extend(objects.expected(now));
        let scene = motion.look(&picture).unwrap();
        looks_seen += regions.plan(&scene, known.iter().map(|known| known.bounding_box), 3).len();
        for look in regions.looks() {
            preprocessor.run_crop(&picture, *look, &mut network_input).unwrap();
            let (left, top) = (look.left as f32 / width as f32, look.top as f32 / height as f32);
            let bounding_box = BoundingBox { left: left + 0.05, top: top + 0.05, right: left + 0.2, bottom: top + 0.2 };
            joiner.add(look, &[Detection { label: 1, score: 0.7, bounding_box }]);
        }
        joiner.finish(&known, &mut joined);
        objects.update_where(&joined, |place| regions.saw(place), now, &mut changes);
        changes.clear();
    };
    (0..30).for_each(&mut frame);
    let count = allocations(|| (30..130).for_each(&mut frame));
    assert!(looks_seen > 300, "{looks_seen} looks at 130 frames prove little");
    assert_eq!(count, 0, "100 frames took {count} allocations");
}

/// Two answers at once, one at random and one with guesses, from their first token on.
#[test]
fn a_token_costs_no_allocation() {
    let Some(data) = crate::accuracy::data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("tiny.claw.safetensors");
    let source = data.join("tiny/llama-rope3");
    let [source, target] = [&source, &bundle].map(|path| path.to_str().unwrap());
    crate::accuracy::clawdbot(&["convert", source, "-o", target, "--precision", "int8"]);
    let model = Arc::new(Model::new(Arc::new(LanguageBundle::open(&bundle).unwrap())).unwrap());
    let context = model.architecture().context.min(512);
    let cache = KvCache::new(Forward::cache_shape(&model, Format::I8), 2 * Shape::pages(context) as u32);
    let limits = Limits { tokens: 32, logits: 16, context };
    let forward = Forward::new(model, Arc::new(Workers::new()), Isa::detect(), limits);
    let mut engine = Engine::new(forward, cache, 2, Lookup::new(2, 5, 6).ok());
    let mut ask = |temperature, prompt: Vec<u32>| {
        let sampling = SamplingOptions { temperature, seed: 3, ..SamplingOptions::default() };
        let answer_max = context - prompt.len();
        let sampling = Sampling::new(sampling).unwrap();
        engine.admit(&Request { prompt, answer_max, sampling, stops: Vec::new(), priority: 0 }).unwrap();
    };
    ask(0.9, (1..30).collect());
    ask(0.0, (0..24).map(|at| 1 + at % 4).collect());
    let mut told = Vec::with_capacity(64);
    let mut step = || {
        told.clear();
        assert!(engine.step(Pace::ALONE, &mut told).unwrap(), "both answers have ended early");
        told.iter().filter(|told| matches!(told, Told::Token { .. })).count()
    };
    let warm: usize = (0..4).map(|_| step()).sum();
    assert!(warm > 0, "both still read their prompts");
    let mut tokens = 0;
    let count = allocations(|| {
        while tokens < 100 {
            tokens += step();
        }
    });
    assert_eq!(count, 0, "{tokens} tokens took {count} allocations");
}
