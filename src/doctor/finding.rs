//! What a check found: what was seen, how bad it is, what to do next.

use serde_json::{Value, json};

/// What is looked at, in the order of the report. The names are part of the JSON and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Configuration,
    Camera,
    Usb,
    Supply,
    Throttle,
    Temperature,
    Clock,
    Cgroup,
    Swap,
    Card,
    Space,
    Broker,
    Certificate,
    Model,
    PageSize,
    Userland,
    Watchdog,
    Governor,
    Kernels,
}

impl Check {
    /// All of them, in the order of the report.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 19] = [
        Self::Configuration,
        Self::Camera,
        Self::Usb,
        Self::Supply,
        Self::Throttle,
        Self::Temperature,
        Self::Clock,
        Self::Cgroup,
        Self::Swap,
        Self::Card,
        Self::Space,
        Self::Broker,
        Self::Certificate,
        Self::Model,
        Self::PageSize,
        Self::Userland,
        Self::Watchdog,
        Self::Governor,
        Self::Kernels,
    ];

    /// Its name in the report and in the JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Camera => "camera",
            Self::Usb => "usb",
            Self::Supply => "supply",
            Self::Throttle => "throttle",
            Self::Temperature => "temperature",
            Self::Clock => "clock",
            Self::Cgroup => "cgroup",
            Self::Swap => "swap",
            Self::Card => "card",
            Self::Space => "space",
            Self::Broker => "broker",
            Self::Certificate => "certificate",
            Self::Model => "model",
            Self::PageSize => "page_size",
            Self::Userland => "userland",
            Self::Watchdog => "watchdog",
            Self::Governor => "governor",
            Self::Kernels => "kernels",
        }
    }
}

/// How bad it is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Nothing is wrong, but it is worth knowing.
    Note,
    /// The board, or what this user may read, does not tell.
    Unknown,
    /// It works, but not as well or as long as it could.
    Warning,
    /// Something does not work, or soon will not.
    Problem,
}

impl Verdict {
    /// All of them, from bad to good.
    pub(crate) const FROM_BAD: [Self; 5] = [Self::Problem, Self::Warning, Self::Unknown, Self::Note, Self::Ok];

    /// Its name in the report and in the JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Which check found it.
    pub(crate) check: Check,
    /// Which of several: a camera's id, a disk; `None` where there is one only.
    pub(crate) subject: Option<String>,
    /// How bad it is.
    pub(crate) verdict: Verdict,
    /// What was seen, with its figures.
    pub(crate) seen: String,
    /// What to do next; `None` when nothing is to be done.
    pub(crate) next: Option<String>,
}

impl Finding {
    /// All is well.
    pub(crate) fn ok(check: Check, seen: impl Into<String>) -> Self {
        Self { check, subject: None, verdict: Verdict::Ok, seen: seen.into(), next: None }
    }

    /// Worth knowing.
    pub(crate) fn note(check: Check, seen: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, next: Some(next.into()), ..Self::ok(check, seen) }
    }

    /// Not to be known here and now.
    pub(crate) fn unknown(check: Check, seen: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, ..Self::note(check, seen, next) }
    }

    /// Works, but badly.
    pub(crate) fn warning(check: Check, seen: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, ..Self::note(check, seen, next) }
    }

    /// Does not work.
    pub(crate) fn problem(check: Check, seen: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, ..Self::note(check, seen, next) }
    }

    /// The same, about one of several.
    pub(crate) fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// The finding as JSON; docs/reference/doctor.md describes it.
    pub(crate) fn report(&self) -> Value {
        let mut report = json!({ "check": self.check.name(), "verdict": self.verdict.name(), "seen": self.seen });
        if let Some(subject) = &self.subject {
            report["subject"] = json!(subject);
        }
        if let Some(next) = &self.next {
            report["next"] = json!(next);
        }
        report
    }
}
