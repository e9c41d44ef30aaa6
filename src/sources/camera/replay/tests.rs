use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::clock::{Clock, ManualClock, Wall};
use clawdbot_flow::frame::{FramePool, PixelFormat};
use clawdbot_flow::limits::FRAME_BYTES_MAX;
use clawdbot_flow::queue::{Queue, WhenFull};
use image::{ImageFormat, Rgb, RgbImage};

use super::Replay;
use crate::sources::camera::{CameraError, Lent, Opener, ReplayOptions, ReplaySource, State, Stream};
use crate::sources::stop::Stop;

fn jpeg(width: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(width, 8, Rgb([9, 99, 199])).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// Opens a replay at 10 frames/s, under a clock that moves only when told, and lets `test` play with it.
fn replay<T>(
    source: ReplaySource,
    loops: bool,
    test: impl FnOnce(Result<Box<dyn Stream + '_>, CameraError>, &ManualClock, &State) -> T,
) -> T {
    let (clock, stop, state) = (ManualClock::new(Wall::default()), Stop::new(), State::new());
    let (pool, frames) = (FramePool::new(4, FRAME_BYTES_MAX), Queue::new(1, WhenFull::DropOldest));
    let lent = Lent {
        clock: &clock,
        stop: &stop,
        pool: &pool,
        frames: &frames,
        state: &state,
        report: &|_| {},
        heartbeat: &|| {},
    };
    let mut replay = Replay::new("front", &ReplayOptions { source, loops }, 10.0);
    test(replay.open(&lent), &clock, &state)
}

/// A short wait: the manual clock does not move, so a frame that is not due stays so.
const LOOK: Duration = Duration::from_millis(1);

fn folder_of(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let path = folder.path().to_owned();
    (folder, path)
}

fn error(path: &Path) -> String {
    replay(ReplaySource::Path(path.to_owned()), true, |opened, _, _| match opened {
        Err(error) => error.to_string(),
        Ok(mut stream) => stream.next(LOOK).unwrap_err().to_string(),
    })
}

#[test]
fn frames_come_at_the_rate_with_numbers_and_times_and_loop() {
    let clip: &'static [u8] = [jpeg(8), jpeg(16)].concat().leak();
    replay(ReplaySource::Bytes(clip), true, |stream, clock, _| {
        let mut stream = stream.unwrap();
        assert!(stream.description().contains("the bundled clip at 10.000 frames/s"));
        for sequence in 0..5 {
            let frame = stream.next(LOOK).unwrap().expect("it is due");
            assert_eq!((frame.sequence, frame.captured_at), (sequence, clock.monotonic()));
            assert_eq!((frame.width, frame.format), (if sequence % 2 == 0 { 8 } else { 16 }, PixelFormat::Jpeg));
            assert!(stream.next(LOOK).unwrap().is_none(), "the next is due in 100 ms");
            clock.advance(Duration::from_millis(100));
        }
    });
}

#[test]
fn a_late_replay_does_not_race_to_catch_up() {
    let clip: &'static [u8] = jpeg(8).leak();
    replay(ReplaySource::Bytes(clip), true, |stream, clock, _| {
        let mut stream = stream.unwrap();
        assert!(stream.next(LOOK).unwrap().is_some());
        clock.advance(Duration::from_secs(60));
        let caught_up = (0..10).filter(|_| stream.next(LOOK).unwrap().is_some()).count();
        assert!((1..=2).contains(&caught_up), "{caught_up} frames at once");
    });
}

#[test]
fn a_replay_without_loop_ends() {
    let clip: &'static [u8] = jpeg(8).leak();
    replay(ReplaySource::Bytes(clip), false, |stream, clock, _| {
        let mut stream = stream.unwrap();
        assert!(stream.next(LOOK).unwrap().is_some());
        clock.advance(Duration::from_millis(100));
        assert!(matches!(stream.next(LOOK), Err(CameraError::Ended(_))));
    });
}

#[test]
fn bad_items_are_counted_and_leave_gaps_in_the_numbers() {
    let half = jpeg(8)[..100].to_vec();
    let clip: &'static [u8] = [jpeg(8), half, jpeg(16)].concat().leak();
    replay(ReplaySource::Bytes(clip), true, |stream, clock, state| {
        let mut stream = stream.unwrap();
        assert_eq!(stream.next(LOOK).unwrap().unwrap().sequence, 0);
        clock.advance(Duration::from_millis(100));
        assert_eq!(stream.next(LOOK).unwrap().unwrap().sequence, 2);
        assert_eq!(state.snapshot().frames_bad, 1);
    });
}

#[test]
fn every_kind_of_file_is_told_by_its_content() {
    let mut png = Cursor::new(Vec::new());
    RgbImage::from_pixel(5, 7, Rgb([1, 2, 3])).write_to(&mut png, ImageFormat::Png).unwrap();
    let y4m = [b"YUV4MPEG2 W2 H2 Cmono\nFRAME\n".as_slice(), &[1, 2, 3, 4]].concat();
    let (_keep, folder) = folder_of(&[("a", jpeg(8)), ("b", png.into_inner()), ("c", y4m)]);
    for (name, width, format) in [("a", 8, PixelFormat::Jpeg), ("b", 5, PixelFormat::Rgb8), ("c", 2, PixelFormat::I420)]
    {
        replay(ReplaySource::Path(folder.join(name)), true, |stream, _, _| {
            let frame = stream.unwrap().next(LOOK).unwrap().unwrap();
            assert_eq!((frame.width, frame.format), (width, format));
        });
    }
}

#[test]
fn sources_in_which_nothing_can_be_read_are_errors() {
    let (_keep, folder) = folder_of(&[("text", b"no video".to_vec()), ("empty", Vec::new())]);
    assert!(error(&folder.join("nothing")).contains("can't be read"));
    assert!(error(&folder.join("text")).contains("no picture in"));
    assert!(error(&folder.join("empty")).contains("no picture in"));
    assert!(error(&folder).contains("no picture in"));
    fs::create_dir(folder.join("folder")).unwrap();
    assert!(error(&folder.join("folder")).contains("no picture in"));
}
