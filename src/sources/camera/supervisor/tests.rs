use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use clawdbot_flow::clock::SystemClock;
use clawdbot_flow::event::CameraEvent;
use clawdbot_flow::frame::{Frame, FramePool, PixelFormat, PooledBytes};
use clawdbot_flow::queue::{Queue, WhenFull};

use super::{Patience, supervise};
use crate::sources::camera::{
    CameraError, Kind, Lent, Opener, Options, ReplayOptions, ReplaySource, State, Stream, run,
};
use crate::sources::stop::Stop;

const QUICK: Patience = Patience {
    silence_max: Duration::from_millis(60),
    look: Duration::from_millis(5),
    pause_first: Duration::from_millis(10),
    pause_max: Duration::from_millis(20),
};

/// What a camera of the test does next.
#[derive(Clone, Copy)]
enum Step {
    OpenFails,
    OpenPanics,
    Frame,
    Silence,
    Fails,
    Panics,
    Ends,
}

/// A camera that follows a script: an opening, then what its stream does until it fails; then the next opening.
struct Scripted {
    steps: VecDeque<Step>,
    stop_at_end: Stop,
}

struct ScriptedStream<'a>(&'a mut Scripted);

impl Opener for Scripted {
    fn open<'a>(&'a mut self, _lent: &'a Lent<'a>) -> Result<Box<dyn Stream + 'a>, CameraError> {
        match self.steps.front() {
            Some(Step::OpenFails) => {
                self.steps.pop_front();
                Err(CameraError::Unavailable("it is unplugged; plug it in".to_owned()))
            }
            Some(Step::OpenPanics) => {
                self.steps.pop_front();
                panic!("driver code")
            }
            _ => Ok(Box::new(ScriptedStream(self))),
        }
    }
}

impl Stream for ScriptedStream<'_> {
    fn next(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        match self.0.steps.pop_front() {
            Some(Step::Frame) => Ok(Some(frame())),
            Some(Step::Silence) => {
                // Silence lasts: the step stays until the supervisor loses its patience and opens anew.
                std::thread::sleep(patience);
                self.0.steps.push_front(Step::Silence);
                Ok(None)
            }
            Some(Step::Fails) => Err(CameraError::Unavailable("its cable is loose; push it in".to_owned())),
            Some(Step::Panics) => panic!("driver code"),
            Some(Step::Ends) => Err(CameraError::Ended("clip".to_owned())),
            Some(Step::OpenFails | Step::OpenPanics) | None => {
                self.0.stop_at_end.request();
                Ok(None)
            }
        }
    }

    fn description(&self) -> String {
        "a scripted camera".to_owned()
    }
}

impl Drop for ScriptedStream<'_> {
    fn drop(&mut self) {
        // An opening ends the silence that it followed.
        if matches!(self.0.steps.front(), Some(Step::Silence)) {
            self.0.steps.pop_front();
        }
    }
}

fn frame() -> Frame {
    Frame {
        sequence: 0,
        captured_at: Default::default(),
        captured_wall: Default::default(),
        width: 1,
        height: 1,
        stride: 3,
        format: PixelFormat::Rgb8,
        data: PooledBytes::unpooled(vec![0; 3]),
    }
}

/// Plays the steps; gives the events and the state.
fn play(steps: &[Step]) -> (Vec<CameraEvent>, State, usize) {
    let (clock, stop, state) = (SystemClock::new(), Stop::new(), State::new());
    let pool = FramePool::new(1, 16);
    let frames = Queue::new(1, WhenFull::DropOldest);
    let (events, beats) = (Mutex::new(Vec::new()), Mutex::new(0));
    let report = |event| events.lock().unwrap().push(event);
    let heartbeat = || *beats.lock().unwrap() += 1;
    let lent = Lent {
        clock: &clock,
        stop: &stop,
        pool: &pool,
        frames: &frames,
        state: &state,
        report: &report,
        heartbeat: &heartbeat,
    };
    let mut camera = Scripted { steps: steps.iter().copied().collect(), stop_at_end: stop.clone() };
    supervise("front", &mut camera, &QUICK, &lent);
    (events.into_inner().unwrap(), state, beats.into_inner().unwrap())
}

fn online(events: &[CameraEvent]) -> Vec<bool> {
    events.iter().map(|event| event.online).collect()
}

#[test]
fn a_camera_that_is_not_there_is_told_once_and_tried_again() {
    let (events, state, _) = play(&[Step::OpenFails, Step::OpenFails, Step::OpenFails, Step::Frame]);
    assert_eq!(online(&events), [false, true]);
    assert_eq!(events[0].reason.as_deref(), Some("it is unplugged; plug it in"));
    assert_eq!((events[0].camera.as_str(), events[1].reason.as_deref()), ("front", None));
    let snapshot = state.snapshot();
    assert_eq!((snapshot.attempts, snapshot.frames_captured, snapshot.attempts_failed_in_a_row), (4, 1, 0));
    assert!(snapshot.online && snapshot.last_error.is_some() && snapshot.last_frame_at.is_some());
    assert_eq!(snapshot.description.as_deref(), Some("a scripted camera"));
}

#[test]
fn an_error_closes_and_opens_anew() {
    let (events, state, _) = play(&[Step::Frame, Step::Frame, Step::Fails, Step::Frame]);
    assert_eq!(online(&events), [true, false, true]);
    assert_eq!((state.attempts.get(), state.frames_captured.get()), (2, 3));
}

#[test]
fn silence_is_offline() {
    let (events, _, beats) = play(&[Step::Frame, Step::Silence, Step::Frame]);
    assert_eq!(online(&events), [true, false, true]);
    assert!(events[1].reason.as_deref().is_some_and(|reason| reason.contains("no frame came")), "{events:?}");
    assert!(beats > 5, "the thread was well during the silence");
}

#[test]
fn a_panic_of_the_driver_code_is_an_error_like_any_other() {
    let (events, state, _) = play(&[Step::OpenPanics, Step::Frame, Step::Panics, Step::Frame]);
    assert_eq!(online(&events), [false, true, false, true]);
    assert!(events[0].reason.as_deref().is_some_and(|reason| reason.contains("driver code")));
    assert_eq!(state.attempts.get(), 3);
}

#[test]
fn pauses_double_up_to_their_bound() {
    let patience = Patience::for_rate(10.0);
    let pauses: Vec<u64> = [1, 2, 3, 5, 6, 40, u32::MAX].map(|failures| patience.pause(failures).as_secs()).to_vec();
    assert_eq!(pauses, [1, 2, 4, 16, 30, 30, 30]);
}

#[test]
fn a_slow_camera_is_given_its_own_time() {
    assert_eq!(Patience::for_rate(10.0).silence_max, Duration::from_secs(3));
    assert_eq!(Patience::for_rate(0.1).silence_max, Duration::from_secs(25));
}

#[test]
fn a_replay_that_ends_rests_until_the_stop() {
    let (clock, stop, state) = (SystemClock::new(), Stop::new(), State::new());
    let (pool, frames) = (FramePool::new(1, 16), Queue::new(1, WhenFull::DropOldest));
    let events = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let report = |event| events.lock().unwrap().push(event);
            let lent = Lent {
                clock: &clock,
                stop: &stop,
                pool: &pool,
                frames: &frames,
                state: &state,
                report: &report,
                heartbeat: &|| {},
            };
            let mut camera = Scripted { steps: [Step::Frame, Step::Ends].into(), stop_at_end: Stop::new() };
            supervise("front", &mut camera, &QUICK, &lent);
        });
        while !state.snapshot().ended {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.request();
    });
    assert_eq!(online(&events.into_inner().unwrap()), [true, false]);
    assert_eq!(state.attempts.get(), 1);
}

/// The bad input of the issue: a camera that does not exist. The daemon goes on, says why, and stops at once.
#[test]
fn a_camera_that_does_not_exist_is_offline_with_a_reason_and_stops_at_once() {
    let kinds = [
        Kind::Replay(ReplayOptions { source: ReplaySource::Path("/nowhere/clip.mjpeg".into()), loops: true }),
        Kind::V4l2(crate::sources::camera::V4l2Options {
            device: crate::sources::camera::Device::Path("/dev/v4l/by-id/usb-nothing-video-index0".into()),
            format: None,
            width: 640,
            height: 480,
        }),
    ];
    for kind in kinds {
        let (clock, stop, state) = (SystemClock::new(), Stop::new(), State::new());
        let (pool, frames) = (FramePool::new(1, 16), Queue::new(1, WhenFull::DropOldest));
        let options = Options { id: "front".to_owned(), kind, frames_per_second: 10.0 };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let lent = Lent {
                    clock: &clock,
                    stop: &stop,
                    pool: &pool,
                    frames: &frames,
                    state: &state,
                    report: &|_| {},
                    heartbeat: &|| {},
                };
                run(&options, &lent);
            });
            while state.snapshot().last_error.is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // It is in its first pause of a second now; the stop ends that.
            stop.request();
        });
        let snapshot = state.snapshot();
        let error = snapshot.last_error.unwrap();
        assert!(
            !snapshot.online && (error.contains("nowhere") || error.contains("usb-nothing") || error.contains("v4l2")),
            "{error}"
        );
    }
}

#[test]
fn a_closed_queue_ends_the_camera() {
    let (clock, stop, state) = (SystemClock::new(), Stop::new(), State::new());
    let (pool, frames) = (FramePool::new(1, 16), Queue::new(1, WhenFull::DropOldest));
    frames.close();
    let lent = Lent {
        clock: &clock,
        stop: &stop,
        pool: &pool,
        frames: &frames,
        state: &state,
        report: &|_| {},
        heartbeat: &|| {},
    };
    let mut camera = Scripted { steps: [Step::Frame].into(), stop_at_end: Stop::new() };
    supervise("front", &mut camera, &QUICK, &lent);
    assert_eq!(state.frames_captured.get(), 0);
}
