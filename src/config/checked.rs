//! From what was written to what is meant: defaults filled in, what belongs together settled, `Options` made.

mod camera;
mod llm;
mod mqtt;
mod sensor;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clawdbot_kernels::isa::{Isa, UnknownIsa};
use tracing_subscriber::EnvFilter;

use super::document::Document;
use super::env::{BATCH_SIZE, Environment, ISA, LOG, MAX_CONCURRENCY, Variable};
use super::problem::{Problem, Problems};
use super::{Cameras, Compute, Config, Detector, Secrets};

/// A document whose single values are right, and what else decides.
pub(super) struct Unchecked<'a> {
    pub(super) document: Document,
    pub(super) file: Option<&'a Path>,
    pub(super) environment: &'a Environment,
    pub(super) host_name: &'a str,
    pub(super) secrets: Secrets,
}

/// What the checks of the sections share.
struct Check<'a> {
    document: Document,
    file: Option<&'a Path>,
    environment: &'a Environment,
    secrets: Secrets,
    notes: Vec<String>,
}

impl TryFrom<Unchecked<'_>> for Config {
    type Error = Problems;

    fn try_from(unchecked: Unchecked<'_>) -> Result<Self, Problems> {
        let Unchecked { document, file, environment, host_name, secrets } = unchecked;
        let mut check = Check { document, file, environment, secrets, notes: Vec::new() };
        let node = check.node(host_name);
        let mqtt = check.mqtt();
        let cameras = check.cameras();
        let sensors = check.sensors();
        let compute = check.compute();
        let detector = check.detector(&compute);
        let has_cameras = !matches!(&cameras, Cameras::Listed(cameras) if cameras.is_empty());
        let llm = check.llm(&compute, has_cameras, &sensors);
        if llm.is_some() && detector.threads < compute.threads {
            check.notes.push(format!(
                "detector.threads is {}, but with a language model both compute on the pool's {} threads",
                detector.threads, compute.threads
            ));
        }
        let log_filter = check.log_filter();
        if !has_cameras && sensors.is_empty() && llm.is_none() {
            check.notes.push(
                "there is no [[camera]], no [[sensor]] and no [llm], so there is nothing to do; add one".to_owned(),
            );
        }
        if !check.document.problems.is_empty() {
            return Err(Problems(check.document.problems));
        }
        Ok(Self { node, mqtt, cameras, sensors, detector, compute, llm, log_filter, notes: check.notes })
    }
}

/// The longest id of a node, a camera, a sensor.
const ID_LENGTH_MAX: usize = 48;

/// Whether `text` may be a level of a topic.
fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// An id as near to `text` as can be: `Front Door` becomes `front-door`; empty when nothing is left.
fn id_like(text: &str) -> String {
    let mut id = String::new();
    for letter in text.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() || letter == '_' => id.push(letter),
            _ if !id.is_empty() && !id.ends_with('-') => id.push('-'),
            _ => {}
        }
    }
    id.truncate(ID_LENGTH_MAX);
    id.trim_end_matches('-').to_owned()
}

impl Check<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.document.problem(key, message);
    }

    /// Checks an id; gives it even when it is wrong, for further checks.
    fn id(&mut self, key: &str, id: Option<String>) -> String {
        let Some(id) = id else {
            self.missing(key, "give it one of small letters, digits, `_` and `-`");
            return String::new();
        };
        if !is_id(&id) {
            let like = id_like(&id);
            let try_this = if like.is_empty() { String::new() } else { format!("; try \"{like}\"") };
            self.problem(
                key,
                format!(
                    "\"{id}\" is no id: 1 to {ID_LENGTH_MAX} small letters, digits, `_` and `-` are allowed{try_this}"
                ),
            );
        }
        id
    }

    /// A value that must be given is not; nothing when it was given but wrong, which is known already.
    fn missing(&mut self, key: &str, advice: &str) {
        if !self.document.problems.iter().any(|problem| problem.key == key) {
            self.problem(key, format!("it is missing; {advice}"));
        }
    }

    fn unique(&mut self, ids: impl Iterator<Item = (String, String)>) {
        let mut seen = BTreeSet::new();
        for (key, id) in ids {
            if !id.is_empty() && !seen.insert(id.clone()) {
                self.problem(&key, format!("\"{id}\" is taken by an earlier one; give each its own id"));
            }
        }
    }

    /// A path as the user means it: relative ones start at the file's folder.
    fn path(&self, path: &str) -> PathBuf {
        match self.file.and_then(Path::parent) {
            Some(folder) => folder.join(path),
            None => PathBuf::from(path),
        }
    }

    fn node(&mut self, host_name: &str) -> String {
        match self.document.raw.node.name.clone() {
            Some(name) => self.id("node.name", Some(name)),
            None => Some(id_like(host_name.split('.').next().unwrap_or_default()))
                .filter(|id| is_id(id))
                .unwrap_or_else(|| "clawdbot".to_owned()),
        }
    }

    fn compute(&mut self) -> Compute {
        let cores = available_parallelism().map_or(1, usize::from);
        Compute {
            threads: self.document.raw.compute.threads.unwrap_or_else(|| cores.min(4)),
            max_concurrency: self.ceiling(MAX_CONCURRENCY),
            batch_size: self.ceiling(BATCH_SIZE),
            isa: self.isa(),
        }
    }

    fn ceiling(&mut self, variable: Variable) -> Option<usize> {
        let text = self.environment.get(variable)?;
        let ceiling = text.trim().parse().ok().filter(|ceiling| (1..=64).contains(ceiling));
        if ceiling.is_none() {
            let message = format!("\"{text}\" is not allowed; give a whole number from 1 to 64, or unset it");
            self.problem_of(variable, message);
        }
        ceiling
    }

    fn isa(&mut self) -> Option<Isa> {
        let parsed = self.environment.get(ISA)?.parse();
        parsed.map_err(|error: UnknownIsa| self.problem_of(ISA, error.to_string())).ok()
    }

    fn problem_of(&mut self, variable: Variable, message: String) {
        let place = Some(variable.name.to_owned());
        self.document.problems.push(Problem { place, key: String::new(), message });
    }

    fn detector(&mut self, compute: &Compute) -> Detector {
        let raw = self.document.raw.detector.clone();
        let threads = raw.threads.unwrap_or(compute.threads);
        if threads > compute.threads {
            self.problem(
                "detector.threads",
                format!(
                    "{threads} is more than the pool's {} threads; lower it, or raise compute.threads",
                    compute.threads
                ),
            );
        }
        #[expect(clippy::cast_possible_truncation, reason = "a score of 0..=1 is as good in 32 bits")]
        let score_min = raw.threshold.unwrap_or(0.5) as f32;
        Detector {
            model: raw.model.map(|model| self.path(&model)),
            score_min,
            threads,
            labels: raw.labels.unwrap_or_default(),
        }
    }

    fn log_filter(&mut self) -> String {
        let from_environment = self.environment.get(LOG).map(str::to_owned);
        let (key, filter) = match (from_environment, self.document.raw.log.filter.clone()) {
            (Some(filter), _) => (None, filter),
            (None, filter) => (Some("log.filter"), filter.unwrap_or_else(|| "info".to_owned())),
        };
        if let Err(error) = EnvFilter::try_new(&filter) {
            let message = format!(
                "\"{filter}\" is no filter ({error}); give a level such as \"info\", or \"info,clawdbot::mqtt=debug\""
            );
            match key {
                Some(key) => self.problem(key, message),
                None => self.problem_of(LOG, message),
            }
        }
        filter
    }
}
