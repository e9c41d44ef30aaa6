//! The language model's place in the daemon: its queues, its thread, and the way of commands to it.

use std::sync::Arc;
use std::thread::{self, Scope};

use clawdbot_flow::answer::AnswerEnd;
use clawdbot_flow::clock::Clock;
use clawdbot_flow::event::Event;
use clawdbot_flow::question::Asker;
use clawdbot_flow::queue::{Queue, WhenFull};

use super::turns::Turns;
use super::{AppError, Parts, reporting};
use crate::config::Llm;
use crate::mqtt::Listener;
use crate::mqtt::payload::{LanguageModelInfo, command};
use crate::pipeline::answering::questions::{Questions, without_text};
use crate::pipeline::answering::{self, Lent};
use crate::pipeline::language::{LanguageError, context, open_model, recipe};
use crate::pipeline::telling::Telling;

/// Events that wait for the tasks: a burst of several cameras. Drop rule: the oldest goes.
const EVENTS_MAX: usize = 128;

/// What the answering thread and its neighbours share.
pub(super) struct Brain {
    settings: Llm,
    /// What the model is, for those who want to know.
    pub(super) info: LanguageModelInfo,
    pub(super) questions: Arc<Questions>,
    /// For the tasks.
    pub(super) events: Queue<Event>,
}

impl Brain {
    /// Looks at the model, so that a bad file keeps the daemon from starting, and makes the queues. The memory is taken when
    /// the first question comes.
    pub(super) fn open(settings: &Llm) -> Result<Self, LanguageError> {
        let model = open_model(&settings.options.model)?;
        let bundle = model.bundle();
        let info = LanguageModelInfo {
            name: bundle.language().name.clone(),
            precision: recipe(bundle),
            bytes: bundle.file_bytes() as u64,
            context: context(&model, settings.options.context).ok(),
        };
        let events = Queue::new(EVENTS_MAX, WhenFull::DropOldest);
        Ok(Self { settings: settings.clone(), info, questions: Arc::new(Questions::new()), events })
    }
}

/// Who hears the commands.
pub(super) fn listener(brain: Option<&Brain>, telling: &Telling, clock: &Arc<dyn Clock>) -> Listener {
    let (telling, clock) = (telling.clone(), Arc::clone(clock));
    let brain = brain.map(|brain| (Arc::clone(&brain.questions), brain.info.name.clone()));
    Box::new(move |verb, payload| {
        let name = brain.as_ref().map(|(_, name)| name.as_str());
        let tell = |answer: &_| telling.send(telling.composer().answer(name, answer));
        let refuse = |asker: Option<Asker>, reason: String| match asker {
            Some(asker) => tell(&without_text(asker, AnswerEnd::Refused, reason)),
            None => tracing::warn!("the command \"{verb}\" was not understood: {reason}"),
        };
        match (command::parse(verb, payload, clock.monotonic()), &brain) {
            (Ok(command), Some((questions, _))) => {
                if let Err(Some(busy)) = questions.put(command) {
                    tell(&busy);
                }
            }
            (Ok(command), None) => {
                let reason = "this node has no language model; set llm.model in its configuration".to_owned();
                refuse(command::asker_of(&command), reason);
            }
            (Err(misunderstood), _) => refuse(misunderstood.asker, misunderstood.reason),
        }
    })
}

impl Parts<'_> {
    /// Starts the answering thread; it ends when its questions are closed.
    pub(super) fn start_brain<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        brain: &'scope Brain,
    ) -> Result<(), AppError> {
        let heart = self.heartbeats.register("answering", reporting::ANSWERING_SILENCE_MAX);
        let state_folder = self.environment.state_folder();
        thread::Builder::new().name("answering".into()).spawn_scoped(scope, move || {
            Turns::Long.ask();
            let lent = Lent {
                clock: self.clock,
                root: self.root,
                questions: &brain.questions,
                way: &self.detector.way,
                workers: self.workers,
                isa: self.isa,
                name: &brain.info.name,
                events: &brain.events,
                telling: self.telling,
                state_folder: state_folder.as_deref(),
                seed: self.seed,
                heartbeat: &|| heart.beat(),
            };
            answering::run(&brain.settings.options, &brain.settings.tasks, &lent);
        })?;
        Ok(())
    }
}
