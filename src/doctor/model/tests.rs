use super::*;
use crate::doctor::Verdict;

const MIB: u64 = 1 << 20;

fn reading(language: Option<Demand>, available: u64) -> MemoryReading {
    MemoryReading {
        detector: Ok(20 * MIB),
        frames: 16 * MIB,
        language: language.map(Ok),
        available: Some(available * MIB),
        total: Some(3800 * MIB),
        daemon: None,
    }
}

const SMALL: Demand = Demand { weights: 1000 * MIB, cache: 200 * MIB };
const LARGE: Demand = Demand { weights: 3300 * MIB, cache: 500 * MIB };

fn judged(reading: MemoryReading) -> (Verdict, String) {
    let finding = judge(&Some(reading));
    (finding.verdict, finding.seen)
}

#[test]
fn the_sum_is_shown() {
    assert_eq!(
        judged(reading(None, 2000)),
        (
            Verdict::Ok,
            "20 MiB for the detector, 16 for frames, 96 in reserve: 132 MiB; 2000 MiB are available".to_owned()
        )
    );
    let (verdict, seen) = judged(reading(Some(SMALL), 1331));
    assert_eq!(verdict, Verdict::Problem);
    assert!(seen.ends_with("1332 MiB; only 1331 MiB are available"), "{seen}");
    assert_eq!(judged(reading(Some(SMALL), 1332)).0, Verdict::Ok);
}

#[test]
fn a_model_that_never_fits_is_told_apart() {
    let (verdict, seen) = judged(reading(Some(LARGE), 3000));
    assert!(verdict == Verdict::Problem && seen.ends_with("the board has 3800 MiB in all"), "{seen}");
}

#[test]
fn what_a_running_daemon_has_taken_counts_as_room() {
    let running = MemoryReading { daemon: Some(300 * MIB), ..reading(Some(SMALL), 1100) };
    assert_eq!(judged(running).0, Verdict::Ok);
}

#[test]
fn files_that_are_no_models_say_why() {
    let bad = MemoryReading { detector: Err("x is no bundle".to_owned()), ..reading(None, 2000) };
    assert!(judged(bad).1.contains("detector.model can't be used: x is no bundle"));
    let bad = MemoryReading { language: Some(Err("y".to_owned())), ..reading(None, 2000) };
    assert_eq!(judged(bad).0, Verdict::Problem);
    let silent = MemoryReading { available: None, ..reading(None, 0) };
    assert_eq!(judged(silent).0, Verdict::Unknown);
    assert_eq!(judge(&None).verdict, Verdict::Unknown);
}

#[test]
fn the_bundled_detector_is_a_model() {
    assert!(detector(None).is_ok_and(|bytes| bytes > MIB));
    assert!(detector(Some(Path::new("/no/such.claw.safetensors"))).is_err());
}
