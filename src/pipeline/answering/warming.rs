//! Computing ahead what every conversation begins with, while nobody asks: the first token then takes one pass over the
//! weights for the question alone. What was computed outlives a restart ([`super::snapshots`]).

use std::path::{Path, PathBuf};

use clawdbot_kernels::pages::Format;
use clawdbot_llm::engine::{Engine, Request, Snapshot, Ticket};
use clawdbot_llm::sampler::{Sampling, SamplingOptions};
use clawdbot_llm::template::{Message, Role};

use super::Options;
use super::loaded::Loaded;
use super::snapshots;
use super::tasks::TaskOptions;
use crate::mqtt::topics::slug;
use crate::pipeline::language::Words;

/// See the module.
#[derive(Debug)]
pub(super) struct Warming {
    /// The system texts that conversations begin with; `None` for those without.
    scenes: Vec<Option<String>>,
    /// Of each scene, the tokens that do not depend on the question.
    beginnings: Vec<Vec<u32>>,
    /// Beginnings that are not yet known to be remembered.
    left: Vec<usize>,
    at_work: Option<Ticket>,
    /// Something was computed that the disk does not have.
    news: bool,
    identity: String,
    /// Part of the file's name.
    name: String,
    model: PathBuf,
    format: Format,
}

impl Warming {
    /// For the scenes of `options` and of the tasks.
    pub(super) fn new(options: &Options, tasks: &[TaskOptions]) -> Self {
        let mut scenes = vec![options.system.clone()];
        for task in tasks {
            let scene = task.system.clone().or_else(|| options.system.clone());
            if !scenes.contains(&scene) {
                scenes.push(scene);
            }
        }
        Self {
            scenes,
            beginnings: Vec::new(),
            left: Vec::new(),
            at_work: None,
            news: false,
            identity: String::new(),
            name: String::new(),
            model: options.model.clone(),
            format: options.format,
        }
    }

    /// Whether a beginning is being computed.
    pub(super) const fn is_at_work(&self) -> bool {
        self.at_work.is_some()
    }

    /// The model was loaded: what `folder` knows of it is remembered, the rest is to be computed.
    pub(super) fn begin(&mut self, loaded: &mut Loaded, folder: Option<&Path>) {
        self.beginnings = self.scenes.iter().map(|scene| beginning(&loaded.words, scene.as_deref())).collect();
        self.left = (0..self.beginnings.len()).rev().collect();
        (self.at_work, self.news) = (None, false);
        let origin = loaded.engine.forward().model().bundle().origin();
        (self.identity, self.name) = (self.identity(&origin.source_sha256), slug(&origin.name));
        if let Some(folder) = folder {
            for snapshot in snapshots::read(&self.file(folder), &self.identity) {
                if !loaded.engine.restore(&snapshot) {
                    tracing::debug!(tokens = snapshot.tokens.len(), "a remembered beginning does not fit any more");
                }
            }
        }
    }

    /// Nobody asks: computes the next beginning; when there is none left, writes what is new.
    pub(super) fn go_on(&mut self, loaded: &mut Loaded, folder: Option<&Path>) {
        while self.at_work.is_none()
            && let Some(next) = self.left.pop()
        {
            let prompt = &self.beginnings[next];
            if prompt.len() < 2 || loaded.engine.known(prompt) + 1 >= prompt.len() {
                continue;
            }
            let Ok(sampling) = Sampling::new(SamplingOptions { temperature: 0.0, ..SamplingOptions::default() }) else {
                return;
            };
            let request = Request { prompt: prompt.clone(), answer_max: 1, sampling, stops: Vec::new(), priority: 0 };
            self.at_work = loaded.engine.admit(&request).ok();
            self.news |= self.at_work.is_some();
        }
        if self.at_work.is_none() && self.news {
            self.news = false;
            if let Some(folder) = folder {
                self.write(loaded, folder);
            }
        }
    }

    /// Somebody asks: what was computed so far is remembered, the rest waits.
    pub(super) fn give_way(&mut self, engine: &mut Engine) {
        if let Some(ticket) = self.at_work.take() {
            engine.cancel(ticket);
            self.left = (0..self.beginnings.len()).rev().collect();
        }
    }

    /// The model failed: nothing is computed ahead until it is loaded again.
    pub(super) fn stop(&mut self) {
        (self.at_work, self.news) = (None, false);
        self.left.clear();
    }

    /// An answer has ended.
    pub(super) fn ended(&mut self, ticket: Ticket) {
        if self.at_work == Some(ticket) {
            self.at_work = None;
        }
    }

    fn write(&self, loaded: &Loaded, folder: &Path) {
        let found: Vec<Snapshot> =
            self.beginnings.iter().filter_map(|beginning| loaded.engine.snapshot(beginning)).collect();
        let path = self.file(folder);
        match snapshots::write(&path, &self.identity, &found) {
            Ok(()) => tracing::debug!("{} remembered beginnings were written to {}", found.len(), path.display()),
            Err(error) => tracing::warn!(
                "{} can't be written ({error}), so a restart computes the beginnings of conversations anew",
                path.display()
            ),
        }
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("prefixes-{}", self.name))
    }

    /// What the keys and values depend on, beside their tokens. A file that was converted again has another time.
    fn identity(&self, source_sha256: &str) -> String {
        let metadata = std::fs::metadata(&self.model).ok();
        let bytes = metadata.as_ref().map_or(0, std::fs::Metadata::len);
        let modified = metadata.and_then(|metadata| metadata.modified().ok());
        format!("{} {source_sha256} {bytes} bytes {modified:?} {:?}", env!("CARGO_PKG_VERSION"), self.format)
    }
}

/// The tokens that a conversation in `scene` begins with, whatever is asked.
fn beginning(words: &Words, scene: Option<&str>) -> Vec<u32> {
    let says = |role, content: &str| Message { role, content: content.to_owned(), reasoning: None };
    let asked = |question: &str| {
        let scene = scene.map(|text| says(Role::System, text));
        let messages: Vec<Message> = scene.into_iter().chain([says(Role::User, question)]).collect();
        words.conversation(&messages).unwrap_or_default()
    };
    let (one, other) = (asked("What is there?"), asked("7 dogs bark"));
    let shared = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    one[..shared].to_vec()
}
