use super::*;

fn trust(kernel: fn() -> Option<bool>, files: &[(&str, &str)]) -> Trust {
    let board = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = Root::new(board.path()).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    TimeSync { root: Root::new(board.path()), kernel }.now()
}

const TIMESYNCD: (&str, &str) = ("/run/systemd/timesync/synchronized", "");
const RTC_USED: (&str, &str) = ("/sys/class/rtc/rtc0/hctosys", "1\n");
const RTC_DATE: (&str, &str) = ("/sys/class/rtc/rtc0/date", "2026-11-25\n");

#[test]
fn the_kernel_is_believed_first() {
    assert_eq!(trust(|| Some(true), &[]), Trust::Ntp);
    assert_eq!(trust(|| Some(false), &[TIMESYNCD]), Trust::Unsynced);
}

#[test]
fn a_filtered_call_falls_back_to_timesyncd() {
    assert_eq!(trust(|| None, &[TIMESYNCD]), Trust::Ntp);
    assert_eq!(trust(|| None, &[]), Trust::Unsynced);
}

#[test]
fn an_rtc_counts_only_when_the_time_came_from_it_and_it_kept_the_date() {
    assert_eq!(trust(|| Some(false), &[RTC_USED, RTC_DATE]), Trust::Rtc);
    assert_eq!(trust(|| Some(false), &[("/sys/class/rtc/rtc0/hctosys", "0\n"), RTC_DATE]), Trust::Unsynced);
    assert_eq!(trust(|| Some(false), &[RTC_USED, ("/sys/class/rtc/rtc0/date", "1970-01-01\n")]), Trust::Unsynced);
}
