//! The wiring: every stage, queue and thread of the daemon is made here, and ended here.
//!
//! ```text
//! camera thread --Queue<Frame>--> analysis thread --Telling--> MQTT client (tokio) --TCP--> broker
//!                                  (detector: one network on the compute pool, shared)
//! sensors' thread ----------------------Telling----^   reporting thread (health, stats, watchdog) --Telling--^
//! MQTT client --Questions--> answering thread (language model, on the same compute pool) --Telling--^
//! ```

pub(crate) mod compute;
mod install;
mod language;
mod reporting;
mod shutdown;
pub(crate) mod turns;

use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

use clawdbot_flow::clock::{Clock, SystemClock};
use clawdbot_flow::event::{CameraEvent, Event};
use clawdbot_flow::frame::{Frame, FramePool};
use clawdbot_flow::limits::{FRAME_BYTES_MAX, FRAMES_IN_FLIGHT_MAX};
use clawdbot_flow::queue::{Queue, WhenFull};
use clawdbot_flow::rooted::Root;
use clawdbot_nn::bundle::{Bundle, BundleError};
use clawdbot_nn::workers::Workers;
use clawdbot_vision::preprocess::PreprocessError;
use tokio::runtime::Runtime;

#[cfg(feature = "broker")]
use crate::broker::{self, BrokerError};
use crate::bundled;
use crate::config::{Cameras, Config, Environment};
use crate::health::{self, Heartbeats};
use crate::mqtt::{self, payload::Composer, topics::Topics};
use crate::pipeline::analysis;
use crate::pipeline::detector::{Detector, UnknownLabel};
use crate::pipeline::language::LanguageError;
use crate::pipeline::network::{Network, NetworkError, open_bundle};
use crate::pipeline::telling::Telling;
use crate::sources::stop::Stop;
use crate::sources::{camera, sensor};
use language::Brain;
use turns::Turns;

/// Why the daemon does not start. A camera, sensor or broker that is not there is no such reason: it is waited for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// The forced instruction set is not to be had.
    #[error("{0}")]
    Isa(String),
    /// The model file is no good.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The language model is none.
    #[error("llm.model: {0}")]
    Language(#[from] LanguageError),
    /// The model does not run here, or is no detector.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The model takes pictures that we cannot make.
    #[error("the model's input is not to be made: {0}")]
    Input(#[from] PreprocessError),
    /// A label of the configuration is not one of the model's.
    #[error(transparent)]
    Label(#[from] UnknownLabel),
    /// The embedded broker does not start.
    #[cfg(feature = "broker")]
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// There is none.
    #[cfg(not(feature = "broker"))]
    #[error(
        "no broker is configured and this build has none of its own: set mqtt.host, or build with the feature `broker`"
    )]
    NoBroker,
    /// The system gives no thread.
    #[error("a thread cannot be started: {0}; the system is out of threads or memory")]
    Thread(#[from] std::io::Error),
}

/// One camera's parts, made before its threads.
struct CameraStage {
    options: camera::Options,
    pool: FramePool,
    frames: Queue<Frame>,
    camera: camera::State,
    analysis: analysis::State,
}

/// Runs the daemon until SIGTERM or SIGINT. With `watch`, messages are printed as they arrive at a subscriber.
///
/// # Errors
/// [`AppError`] says what keeps it from starting.
pub(crate) fn run(
    config: &Config,
    environment: &Environment,
    root: &Root,
    watch: Option<Watch>,
) -> Result<(), AppError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let seed = install::seed(clock.as_ref());
    let isa = environment.isa().map_err(AppError::Isa)?;
    let bundle = open_bundle(config.detector.model.as_deref())?;
    let runtime = runtime()?;
    let stop = Stop::new();
    shutdown::on_signal(&runtime, stop.clone());

    let mut mqtt_options = config.mqtt_options(install::id(environment, seed));
    let broker_alive = start_broker(&mut mqtt_options)?;
    let topics = Topics::new(&mqtt_options.prefix, &mqtt_options.node);
    let composer =
        Composer::new(topics.clone(), Arc::clone(&clock), root, seed).with_model(Some(bundle.origin().name.clone()));
    let (publisher, inbox) = mqtt::channel();
    let link = publisher.link();
    let brain = config.llm.as_ref().map(Brain::open).transpose()?;
    let telling =
        Telling::new(Arc::new(composer), publisher).with_listener(brain.as_ref().map(|brain| brain.events.clone()));
    let (mqtt_stop, mqtt_stopped) = tokio::sync::oneshot::channel::<()>();
    let address = mqtt_options.address();
    if let Some(watch) = watch {
        watch.begin(&runtime, mqtt_options.clone(), topics);
    }
    let listener = language::listener(brain.as_ref(), &telling, &clock);
    let client = runtime.spawn(mqtt::run(mqtt_options, inbox, listener, Arc::clone(&clock), seed, async {
        // Ready when the sender is dropped, too.
        mqtt_stopped.await.unwrap_or(());
    }));
    tracing::info!(isa = isa.name(), model = bundle.origin().name, "MQTT broker at {}:{}", address.0, address.1);

    let stages = stages(config, root);
    let heartbeats = Arc::new(Heartbeats::new(Arc::clone(&clock)));
    runtime.spawn(health::supervise(Arc::clone(&heartbeats), Arc::clone(&clock)));
    let threads = if brain.is_some() { config.compute.threads } else { config.detector.threads };
    let outcome = compute::with_workers(threads, |workers| {
        let network = Network::new(&bundle, isa, Arc::clone(&workers))?;
        let detector = Detector::new(network, config.detector.score_min, &config.detector.labels)?;
        let sensor_states: Vec<sensor::State> = config.sensors.iter().map(|_| sensor::State::new()).collect();
        let parts = Parts {
            config,
            clock: clock.as_ref(),
            root,
            stop: &stop,
            stages: &stages,
            sensor_states: &sensor_states,
            detector: &detector,
            telling: &telling,
            heartbeats: &heartbeats,
            link: &link,
            broker_alive: &broker_alive,
            bundle: &bundle,
            isa,
            brain: brain.as_ref(),
            workers: &workers,
            environment,
            seed,
        };
        thread::scope(|scope| parts.live(scope))
    });
    drop(telling);
    drop(mqtt_stop);
    part(runtime, client);
    outcome
}

/// Carries MQTT, on one thread.
fn runtime() -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).on_thread_start(|| Turns::Short.ask()).enable_all().build()
}

/// The last events are on their way; the client empties its queues, says `offline` and parts within 5 s.
fn part(runtime: Runtime, client: tokio::task::JoinHandle<u64>) {
    match runtime.block_on(client) {
        Ok(0) => {}
        Ok(unsent) => tracing::warn!("{unsent} messages were not delivered: the broker did not take them in time"),
        Err(error) => tracing::error!("the MQTT client ended badly: {error}"),
    }
    runtime.shutdown_background();
}

/// `run --watch`: prints each message as a line when it has come back from the broker.
pub(crate) struct Watch {
    /// Shows one line.
    pub(crate) show: fn(String),
}

impl Watch {
    fn begin(self, runtime: &tokio::runtime::Runtime, options: mqtt::Options, topics: Topics) {
        let (host, port) = options.address();
        (self.show)(format!(
            "watching {}; the same from another terminal: mosquitto_sub -h {host} -p {port} -v -t '{}'",
            topics.everything(),
            topics.everything()
        ));
        runtime.spawn(mqtt::watch::watch(options, topics, self.show));
    }
}

/// Tells whether the embedded broker still runs; `None` where there is none.
type BrokerAlive = Option<Box<dyn Fn() -> bool + Send + Sync>>;

/// Starts the embedded broker if `options` ask for it, and makes them name the place where it really listens.
#[cfg(feature = "broker")]
fn start_broker(options: &mut mqtt::Options) -> Result<BrokerAlive, AppError> {
    let mqtt::Broker::Embedded { listen } = options.broker else { return Ok(None) };
    let login = options.credentials.as_ref().map(|login| (login.user.clone(), login.password.reveal().to_owned()));
    let running = broker::start(&broker::Options { listen, login })?;
    options.broker = mqtt::Broker::Embedded { listen: running.address };
    Ok(Some(Box::new(move || running.is_alive())))
}

/// This build has no broker of its own.
#[cfg(not(feature = "broker"))]
fn start_broker(options: &mut mqtt::Options) -> Result<BrokerAlive, AppError> {
    match options.broker {
        mqtt::Broker::Embedded { .. } => Err(AppError::NoBroker),
        mqtt::Broker::External { .. } => Ok(None),
    }
}

/// What the stages share.
struct Parts<'a> {
    config: &'a Config,
    clock: &'a dyn Clock,
    root: &'a Root,
    stop: &'a Stop,
    stages: &'a [CameraStage],
    sensor_states: &'a [sensor::State],
    detector: &'a Detector,
    telling: &'a Telling,
    heartbeats: &'a Heartbeats,
    link: &'a mqtt::Link,
    broker_alive: &'a BrokerAlive,
    bundle: &'a Bundle,
    isa: clawdbot_kernels::isa::Isa,
    brain: Option<&'a Brain>,
    workers: &'a Arc<Workers>,
    environment: &'a Environment,
    seed: u64,
}

/// The cameras of `config`, each with its queues and its memory.
fn stages(config: &Config, root: &Root) -> Vec<CameraStage> {
    let cameras = match &config.cameras {
        Cameras::Listed(cameras) => cameras.clone(),
        Cameras::FirstOrClip(camera) => vec![first_or_clip(camera, root)],
    };
    let stage = |options| CameraStage {
        options,
        pool: FramePool::new(FRAMES_IN_FLIGHT_MAX, FRAME_BYTES_MAX),
        // Only the latest frame counts: bound 1, the older one is dropped and counted.
        frames: Queue::new(1, WhenFull::DropOldest),
        camera: camera::State::new(),
        analysis: analysis::State::default(),
    };
    cameras.into_iter().map(stage).collect()
}

/// `camera` if there is a usable one, else the bundled clip in its place.
fn first_or_clip(camera: &camera::Options, root: &Root) -> camera::Options {
    if has_camera(root) {
        return camera.clone();
    }
    tracing::info!(
        "no camera found, so the bundled clip stands in for one; `clawdbot devices` says what was looked at"
    );
    camera::Options {
        id: "clip".to_owned(),
        kind: camera::Kind::Replay(camera::ReplayOptions {
            source: camera::ReplaySource::Bytes(bundled::CLIP),
            loops: true,
        }),
        frames_per_second: bundled::CLIP_FRAMES_PER_SECOND,
    }
}

/// Whether a V4L2 camera is there that we can use.
#[cfg(feature = "v4l2")]
fn has_camera(root: &Root) -> bool {
    camera::v4l2::nodes::find(root).iter().any(|found| found.unusable.is_none())
}

/// This build has no V4L2.
#[cfg(not(feature = "v4l2"))]
const fn has_camera(_root: &Root) -> bool {
    false
}

impl<'a> Parts<'a> {
    /// Starts every thread, waits for the stop, and ends them in the order of the flow: sources first, so that what they
    /// caught is still told.
    fn live<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Result<(), AppError> {
        let started = self.start(scope);
        if started.is_ok() {
            reporting::run(self);
        } else {
            self.stop.request();
        }
        for source in started? {
            if source.join().is_err() {
                tracing::error!("a source's thread panicked; its last lines above say where");
            }
        }
        // The analysis threads tell their last objects as gaps and end; the scope waits for them.
        self.stages.iter().for_each(|stage| stage.frames.close());
        if let Some(brain) = self.brain {
            brain.questions.close();
        }
        Ok(())
    }

    fn camera_lent<'l>(
        &'l self,
        stage: &'l CameraStage,
        report: &'l dyn Fn(CameraEvent),
        heartbeat: &'l dyn Fn(),
    ) -> camera::Lent<'l> {
        camera::Lent {
            clock: self.clock,
            stop: self.stop,
            pool: &stage.pool,
            frames: &stage.frames,
            state: &stage.camera,
            report,
            heartbeat,
        }
    }

    /// Tells of a camera that went or came; a camera that went leaves its objects as gaps.
    fn camera_changed(&self, stage: &CameraStage, event: CameraEvent) {
        if !event.online {
            stage.analysis.camera_went_blind();
        }
        self.telling.event(&Event::Camera(event));
    }

    /// Starts the threads; gives those of the sources.
    fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Vec<ScopedJoinHandle<'scope, ()>>, AppError> {
        let mut sources = Vec::new();
        if let Some(brain) = self.brain {
            self.start_brain(scope, brain)?;
        }
        for stage in self.stages {
            let id = &stage.options.id;
            let eye = self.detector.eye(id)?;
            let heart = self.heartbeats.register(format!("analysis/{id}"), reporting::ANALYSIS_SILENCE_MAX);
            thread::Builder::new().name(format!("see-{id}")).spawn_scoped(scope, move || {
                Turns::Short.ask();
                analysis::run(
                    &analysis::Lent {
                        camera: id,
                        clock: self.clock,
                        frames: &stage.frames,
                        detector: self.detector,
                        state: &stage.analysis,
                        telling: self.telling,
                        heartbeat: &|| heart.beat(),
                    },
                    eye,
                );
            })?;
            let heart = self.heartbeats.register(format!("camera/{id}"), reporting::CAMERA_SILENCE_MAX);
            sources.push(thread::Builder::new().name(format!("cam-{id}")).spawn_scoped(scope, move || {
                Turns::Short.ask();
                let report = |event| self.camera_changed(stage, event);
                camera::run(&stage.options, &self.camera_lent(stage, &report, &|| heart.beat()));
            })?);
        }
        if !self.config.sensors.is_empty() {
            let heart = self.heartbeats.register("sensors", reporting::SENSORS_SILENCE_MAX);
            sources.push(thread::Builder::new().name("sensors".into()).spawn_scoped(scope, move || {
                Turns::Short.ask();
                sensor::run(
                    &self.config.sensors,
                    &sensor::Lent {
                        clock: self.clock,
                        stop: self.stop,
                        root: self.root,
                        states: self.sensor_states,
                        report: &|reading| self.telling.event(&Event::Reading(reading)),
                        heartbeat: &|| heart.beat(),
                    },
                );
            })?);
        }
        Ok(sources)
    }
}
