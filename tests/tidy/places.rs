//! What may stand only in named files: `unsafe`, threads, the detection of the processor; and names that no file has.

use crate::check;
use crate::source::{code_only, words};
use crate::tree::{is_test, sources};

/// The files with `unsafe` in them, and why.
const UNSAFE: &[(&str, &str)] = &[
    ("crates/nn/src/bundle/map.rs", "maps a file into memory"),
    ("crates/nn/src/executor/tests/allocations.rs", "an allocator that counts"),
    ("crates/nn/src/workers.rs", "lends a borrowed job to pool threads"),
    ("kernels/src/arm.rs", "loads, stores, and instructions that stable Rust does not offer"),
    ("kernels/src/conv_f16/tile.rs", "eight rows by eight channels of an F16 convolution in named registers"),
    ("kernels/src/dot.rs", "a matrix product's tile in named registers, checked once for many of them"),
    ("kernels/src/isa.rs", "calls a body made for an instruction set, once it is known to be there"),
    ("kernels/src/linear/dot.rs", "the tiles of a linear layer in named registers, with dot products"),
    ("kernels/src/linear/pairs.rs", "the same without"),
    ("kernels/src/pairs.rs", "the same without dot products"),
    ("kernels/src/resample/mod.rs", "reads neighbours at places that were checked when they were planned"),
    ("kernels/src/strided.rs", "slices a stride apart, checked once a tile"),
    ("kernels/src/x86.rs", "loads, stores, and a place in the order of instructions"),
    ("kernels/tests/variants/guarded.rs", "pages that must not be touched, at both ends of a buffer"),
    ("src/app/turns.rs", "how long a thread's turns are"),
    ("src/mqtt/payload/time_sync.rs", "adjtimex"),
    ("tests/it/steady_state.rs", "an allocator that counts"),
    ("src/sources/camera/v4l2/kernel.rs", "ioctls, poll and mapped buffers of a video device"),
];
/// Where threads are started: `app` alone, with one exception.
const THREADS: &[(&str, &str)] = &[
    ("src/app.rs", "the stages, and the runtime that carries MQTT"),
    ("src/app/compute.rs", "the compute pool, and frames beside a bench"),
    ("src/app/language.rs", "the answering thread"),
    ("src/broker.rs", "rumqttd's threads, for as long as the process lives"),
];
/// Where the processor is asked what it can do.
const DETECTION: &[(&str, &str)] = &[("kernels/src/isa.rs", "the one place where the ISA is chosen")];
/// Names that say nothing of what is inside.
const NO_NAMES: [&str; 9] = ["utils", "util", "helpers", "helper", "common", "manager", "misc", "stuff", "managers"];

#[test]
fn unsafe_stands_in_the_listed_files_only() {
    let is_unsafe = |code: &str| words(code).any(|word| word == "unsafe");
    check(&outside("unsafe", UNSAFE, &found_in(&sources(), is_unsafe)));
}

#[test]
fn threads_start_in_the_listed_files_only() {
    let product: Vec<_> = sources().into_iter().filter(|(path, _)| is_product(path)).collect();
    check(&outside("a thread", THREADS, &found_in(&product, starts_threads)));
}

#[test]
fn the_processor_is_asked_in_one_file() {
    let detects = |code: &str| words(code).any(|word| word.starts_with("is_") && word.ends_with("_feature_detected"));
    check(&outside("the processor's features", DETECTION, &found_in(&sources(), detects)));
}

#[test]
fn every_name_says_what_is_inside() {
    let paths: Vec<String> = sources().into_iter().map(|(path, _)| path).collect();
    check(&empty_names(&paths));
}

fn is_product(path: &str) -> bool {
    !is_test(path) && !path.starts_with("xtask/")
}

fn starts_threads(code: &str) -> bool {
    let starts = ["thread::spawn", "thread::Builder", "thread::scope", "runtime::Builder", "Runtime::new"];
    starts.iter().any(|call| code.contains(call))
}

fn found_in(sources: &[(String, String)], is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let with = sources.iter().filter(|(_, text)| is_there(&code_only(text)));
    with.map(|(path, _)| path.clone()).collect()
}

/// A complaint for each file that is not listed, and for each line of the list that no file needs.
fn outside(what: &str, listed: &[(&str, &str)], found: &[String]) -> Vec<String> {
    let strangers = found.iter().filter(|path| !listed.iter().any(|(known, _)| known == path));
    let stale = listed.iter().filter(|(known, _)| !found.iter().any(|path| path == known));
    strangers
        .map(|path| format!("{path}: {what} has no place here; tests/tidy/places.rs lists where it has"))
        .chain(stale.map(|(known, _)| format!("{known}: nothing of {what} there; take it off tests/tidy/places.rs")))
        .collect()
}

fn empty_names(paths: &[String]) -> Vec<String> {
    let says_nothing = |part: &str| NO_NAMES.contains(&part.trim_end_matches(".rs"));
    let bad = paths.iter().filter(|path| path.split('/').any(says_nothing));
    bad.map(|path| format!("{path}: the name says nothing; call it by what it holds")).collect()
}

#[test]
fn a_stranger_and_a_stale_entry_are_complaints() {
    let complaints = outside("unsafe", &[("a.rs", ""), ("b.rs", "")], &["b.rs".to_owned(), "c.rs".to_owned()]);
    assert_eq!(complaints.len(), 2);
    assert!(complaints[0].starts_with("c.rs") && complaints[1].starts_with("a.rs"));
}

#[test]
fn unsafe_in_prose_or_in_a_lint_is_none() {
    let sources = [
        ("prose.rs".to_owned(), "// unsafe\n#![forbid(unsafe_code)]".to_owned()),
        ("code.rs".to_owned(), "fn f() { unsafe { g() } }".to_owned()),
    ];
    assert_eq!(found_in(&sources, |code| words(code).any(|word| word == "unsafe")), ["code.rs"]);
}

#[test]
fn every_way_to_start_a_thread_is_seen() {
    assert!(starts_threads("std::thread::spawn(work)") && starts_threads("thread::Builder::new()"));
    assert!(starts_threads("tokio::runtime::Builder::new_multi_thread()"));
    assert!(!starts_threads("std::thread::current()"));
}

#[test]
fn a_lumber_room_is_a_complaint() {
    assert_eq!(empty_names(&["src/mqtt/utils.rs".to_owned(), "src/common/x.rs".to_owned()]).len(), 2);
    assert!(empty_names(&["src/commons.rs".to_owned()]).is_empty());
}
