use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::event::Change;
use clawdbot_flow::rooted::Root;
use clawdbot_kernels::isa::Isa;

use super::{Cameras, Config, Environment, Problems, Secrets, reference};
use crate::mqtt::Broker;
use crate::pipeline::answering::tasks::Trigger;
use crate::sources::camera::{CameraFormat, Device, Kind, ReplaySource};
use crate::sources::sensor;

/// A configuration of `text`, in a folder of its own so that relative paths and secrets can be tried.
struct Fixture {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn root(&self) -> Root {
        let root = self.folder.path().join("root");
        std::fs::create_dir_all(root.join("proc/sys/kernel")).unwrap();
        std::fs::write(root.join("proc/sys/kernel/hostname"), "Pi_Porch.local\n").unwrap();
        Root::new(root)
    }

    fn load(&self, text: &str) -> Result<Config, Problems> {
        self.load_as(text, Secrets::Read)
    }

    fn load_as(&self, text: &str, secrets: Secrets) -> Result<Config, Problems> {
        let path = self.folder.path().join("clawdbot.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), &Environment::of(self.variables.clone()), &self.root(), secrets)
    }

    /// The messages, without the folder's name.
    fn problems(&self, text: &str) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        self.load(text).unwrap_err().0.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

#[track_caller]
fn assert_says(problems: &[String], parts: &[&str]) {
    let says = |problem: &String| parts.iter().all(|part| problem.contains(part));
    assert!(problems.iter().any(says), "nothing says {parts:?}:\n{}", problems.join("\n"));
}

#[test]
fn no_file_means_built_in_broker_first_camera_or_clip_and_bundled_detector() {
    let fixture = Fixture::new();
    let config = Config::load(None, &Environment::default(), &fixture.root(), Secrets::Read).unwrap();
    assert_eq!(config.node, "pi_porch");
    let mqtt = config.mqtt_options("abc123".to_owned());
    assert_eq!(mqtt.broker, Broker::Embedded { listen: "127.0.0.1:1883".parse().unwrap() });
    assert_eq!((mqtt.prefix.as_str(), mqtt.install_id.as_str()), ("clawdbot/v1", "abc123"));
    let Cameras::FirstOrClip(camera) = &config.cameras else { panic!("{:?}", config.cameras) };
    assert_eq!(camera.id, "camera");
    assert!(config.sensors.is_empty() && config.detector.model.is_none() && config.detector.labels.is_empty());
    assert!((1..=4).contains(&config.compute.threads));
    assert_eq!(config.detector.threads, config.compute.threads);
    assert_eq!(config.log_filter, "info");
}

#[test]
fn a_full_file_becomes_options() {
    let fixture = Fixture::new();
    std::fs::write(fixture.folder.path().join("secret"), "pass word\nrest\n").unwrap();
    let config = fixture
        .load(
            r#"
            [node]
            name = "porch"
            [mqtt]
            host = "broker.lan"
            username = "me"
            password_file = "secret"
            tls_ca_file = "/nowhere/ca.pem"
            keep_alive_s = 60
            [[camera]]
            id = "front"
            device = "2"
            format = "yuyv"
            width = 1280
            height = 720
            frames_per_second = 15
            [[camera]]
            id = "yard"
            source = "replay"
            path = "clips/yard.mjpeg"
            loop = false
            [[sensor]]
            id = "soc"
            source = "hwmon"
            name = "cpu_thermal"
            channel = "temp1"
            interval_s = 0.5
            dead_band = 1
            [[sensor]]
            id = "air"
            source = "iio"
            name = "bme280"
            channel = "in_pressure"
            [detector]
            threshold = 0.3
            labels = ["person"]
            [log]
            filter = "debug,rumqttc=warn"
            "#,
        )
        .unwrap();
    let mqtt = config.mqtt_options("abc123".to_owned());
    assert_eq!(mqtt.broker, Broker::External { host: "broker.lan".to_owned(), port: 8883 });
    assert_eq!(mqtt.credentials.unwrap().password.reveal(), "pass word");
    assert_eq!(mqtt.keep_alive, Duration::from_secs(60));
    assert!(config.notes.iter().any(|note| note.contains("/nowhere/ca.pem")), "{:?}", config.notes);

    let Cameras::Listed(cameras) = &config.cameras else { panic!() };
    let Kind::V4l2(front) = &cameras[0].kind else { panic!() };
    assert_eq!(front.device, Device::Path("/dev/video2".into()));
    assert_eq!((front.format, front.width, front.height), (Some(CameraFormat::Yuyv), 1280, 720));
    let Kind::Replay(yard) = &cameras[1].kind else { panic!() };
    assert_eq!(yard.source, ReplaySource::Path(fixture.folder.path().join("clips/yard.mjpeg")));
    assert!(!yard.loops);

    assert_eq!(config.sensors[0].unit, "°C");
    assert_eq!(config.sensors[0].interval, Duration::from_millis(500));
    assert_eq!(config.sensors[1].unit, "hPa");
    assert!(matches!(&config.sensors[1].kind, sensor::Kind::Iio { device, .. } if device == "bme280"));
    assert!((config.detector.score_min - 0.3).abs() < 1e-6);
}

#[test]
fn all_errors_come_at_once_with_key_line_range_and_advice() {
    let problems = Fixture::new().problems(
        r#"
[node]
name = "Front Porch"
[mqtt]
host = "broker.lan"
prot = 1884
port = 70000
username = "me"
[[camera]]
id = "a"
source = "v4l"
[[camera]]
id = "a"
width = "wide"
path = "x"
[kamera]
x = 1
[detector]
threshold = 2
threads = 0
[[sensor]]
source = "hwmon"
[log]
filter = "info,[["
"#,
    );
    assert_says(&problems, &["clawdbot.toml:3", "node.name", "Front Porch", "front-porch"]);
    assert_says(&problems, &["clawdbot.toml:6", "mqtt.prot", "did you mean `port`"]);
    assert_says(&problems, &["clawdbot.toml:7", "mqtt.port", "70000", "1 to 65535"]);
    assert_says(&problems, &["clawdbot.toml:8", "mqtt.username", "password_file"]);
    assert_says(&problems, &["clawdbot.toml:11", "camera[0].source", "\"v4l\"", "\"v4l2\" or \"replay\""]);
    assert_says(&problems, &["clawdbot.toml:13", "camera[1].id", "taken"]);
    assert_says(&problems, &["clawdbot.toml:14", "camera[1].width", "\"wide\"", "16 to 4096"]);
    assert_says(&problems, &["clawdbot.toml:15", "camera[1].path", "replay"]);
    assert_says(&problems, &["clawdbot.toml:16", "kamera", "did you mean `camera`"]);
    assert_says(&problems, &["clawdbot.toml:19", "detector.threshold", "0 to 1"]);
    assert_says(&problems, &["clawdbot.toml:20", "detector.threads", "1 to 64"]);
    assert_says(&problems, &["clawdbot.toml:21", "sensor[0].id", "missing"]);
    assert_says(&problems, &["sensor[0].channel", "missing", "temp1"]);
    assert_says(&problems, &["clawdbot.toml:24", "log.filter"]);
}

#[test]
fn wrong_types_everywhere_are_named_and_never_panic() {
    let problems = Fixture::new().problems(
        "camera = 3\nmqtt = \"x\"\nlog = []\n[node]\nname = 1979-05-27T07:32:00Z\n[detector]\nlabels = \"person\"\nmodel = { a = 1 }\n\
         [[sensor]]\nid = []\ninterval_s = nan\ndead_band = -1\n",
    );
    assert_says(&problems, &["camera", "[[camera]]"]);
    assert_says(&problems, &["mqtt", "[mqtt]"]);
    assert_says(&problems, &["log", "[log]"]);
    assert_says(&problems, &["node.name", "text in quotes"]);
    assert_says(&problems, &["detector.labels", "list of texts"]);
    assert_says(&problems, &["detector.model", "text in quotes"]);
    assert_says(&problems, &["sensor[0].interval_s", "nan", "0.1 to 86400"]);
    assert_says(&problems, &["sensor[0].dead_band", "-1"]);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let problems = Fixture::new().problems("[node]\nname = \"porch\"\n[mqtt\nhost = x y\n");
    assert_says(&problems, &["clawdbot.toml:3", "no TOML"]);
    assert_says(&Fixture::new().problems("[node]\n[node]\n"), &["no TOML"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let fixture = Fixture::new();
    let load = |path: &Path| {
        Config::load(Some(path), &Environment::default(), &fixture.root(), Secrets::Read).unwrap_err().to_string()
    };
    let missing = fixture.folder.path().join("no.toml");
    assert!(load(&missing).contains("no.toml") && load(&missing).contains("can't be read"));
    assert!(load(fixture.folder.path()).contains("can't be read"));
    let binary = fixture.folder.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    assert!(load(&binary).contains("UTF-8"));
}

#[test]
fn the_environment_overrides_every_key_and_adds_list_entries() {
    let fixture = Fixture::new()
        .with("CLAWDBOT__MQTT__HOST", "other.lan")
        .with("CLAWDBOT__MQTT__PORT", "1999")
        .with("CLAWDBOT__CAMERA__0__FRAMES_PER_SECOND", "2.5")
        .with("CLAWDBOT__CAMERA__1__ID", "12")
        .with("CLAWDBOT__DETECTOR__LABELS", "cat, dog")
        .with("CLAWDBOT_MAX_CONCURRENCY", "2")
        .with("CLAWDBOT_BATCH_SIZE", "4")
        .with("CLAWDBOT_ISA", "scalar")
        .with("CLAWDBOT_LOG", "debug");
    let config = fixture
        .load("[mqtt]\nhost = 'a'\n[[camera]]\nid = 'front'\ndevice = '/dev/video7'\n[log]\nfilter = 'warn'")
        .unwrap();
    assert_eq!(
        config.mqtt_options(String::new()).broker,
        Broker::External { host: "other.lan".to_owned(), port: 1999 }
    );
    let Cameras::Listed(cameras) = &config.cameras else { panic!() };
    assert!((cameras[0].frames_per_second - 2.5).abs() < 1e-9);
    assert_eq!(cameras[1].id, "12");
    assert_eq!(config.detector.labels, ["cat", "dog"]);
    assert_eq!((config.compute.max_concurrency, config.compute.batch_size), (Some(2), Some(4)));
    assert_eq!(config.compute.isa, Some(Isa::Scalar));
    assert_eq!(config.log_filter, "debug");
}

#[test]
fn a_bad_override_is_told_with_its_name() {
    let problems = Fixture::new()
        .with("CLAWDBOT__MQTT__PROT", "1")
        .with("CLAWDBOT__MQTT__PORT", "many")
        .with("CLAWDBOT__CAMERA__ID", "x")
        .with("CLAWDBOT__CAMERA__5__ID", "x")
        .with("CLAWDBOT__X", "1")
        .with("CLAWDBOT_MAX_CONCURRENCY", "0")
        .with("CLAWDBOT_ISA", "mmx")
        .with("CLAWDBOT_LOG", "info,[[")
        .problems("");
    assert_says(&problems, &["CLAWDBOT__MQTT__PROT", "did you mean `port`"]);
    assert_says(&problems, &["CLAWDBOT__MQTT__PORT", "mqtt.port", "\"many\"", "1 to 65535"]);
    assert_says(&problems, &["CLAWDBOT__CAMERA__ID", "CLAWDBOT__SECTION__NUMBER__KEY"]);
    assert_says(&problems, &["CLAWDBOT__CAMERA__5__ID", "the next number is 0"]);
    assert_says(&problems, &["CLAWDBOT__X", "CLAWDBOT__SECTION__KEY"]);
    assert_says(&problems, &["CLAWDBOT_MAX_CONCURRENCY", "1 to 64"]);
    assert_says(&problems, &["CLAWDBOT_ISA", "mmx", "neon_dotprod"]);
    assert_says(&problems, &["CLAWDBOT_LOG", "no filter"]);
}

#[test]
fn mqtt_settings_that_do_not_go_together() {
    for (text, parts) in [
        ("port = 1883", ["mqtt.port", "mqtt.host is not set"]),
        ("listen = '0.0.0.0:1883'", ["mqtt.listen", "reached from outside"]),
        ("listen = 'here'", ["mqtt.listen", "127.0.0.1:1883"]),
        ("host = 'a'\nlisten = '127.0.0.1:1'", ["mqtt.listen", "take one of them out"]),
        ("host = 'mqtt://a'", ["mqtt.host", "no host"]),
        ("host = 'a'\npassword = 'x'", ["mqtt.password", "no mqtt.username"]),
        ("host = 'a'\nusername = 'u'\npassword = 'x'\npassword_file = 'y'", ["mqtt.password_file", "keep one"]),
        ("host = 'a'\nusername = 'u'\npassword_file = 'nowhere'", ["mqtt.password_file", "can't be read"]),
        ("host = 'a'\nusername = 'u'\npassword_credential = 'c'", ["mqtt.password_credential", "LoadCredential"]),
        ("host = 'a'\ntls_key_file = 'k'", ["mqtt.tls_certificate_file", "missing"]),
        ("host = 'a'\ntls_key_file = 'k'\ntls_certificate_file = 'c'", ["mqtt.tls_ca_file", "missing"]),
        ("prefix = 'a//b'", ["mqtt.prefix", "no beginning of a topic"]),
        ("prefix = 'a/+'", ["mqtt.prefix", "no beginning of a topic"]),
    ] {
        assert_says(&Fixture::new().problems(&format!("[mqtt]\n{text}")), &parts);
    }
}

#[test]
fn credentials_come_from_systemds_folder() {
    let fixture = Fixture::new();
    let folder = fixture.folder.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mqtt-password"), "from systemd").unwrap();
    let fixture = fixture.with("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    let text = "[mqtt]\nhost = 'a'\nusername = 'u'\npassword_credential = 'mqtt-password'";
    let credentials = fixture.load(text).unwrap().mqtt_options(String::new()).credentials.unwrap();
    assert_eq!(credentials.password.reveal(), "from systemd");
    let escaping = text.replace("mqtt-password", "../x");
    assert_says(&fixture.problems(&escaping), &["mqtt.password_credential", "is a path"]);
}

#[test]
fn a_check_elsewhere_does_not_need_the_secrets() {
    let fixture = Fixture::new();
    let text = "[mqtt]\nhost = 'a'\nusername = 'u'\npassword_credential = 'c'";
    assert!(fixture.load(text).is_err());
    let config = fixture.load_as(text, Secrets::Probe).unwrap();
    assert!(config.notes.iter().any(|note| note.contains("LoadCredential=c")), "{:?}", config.notes);
}

#[test]
fn secrets_are_shown_nowhere() {
    let fixture = Fixture::new();
    let config = fixture.load("[mqtt]\nhost = 'a'\nusername = 'u'\npassword = 'hunter2'").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let report = config.report().to_string();
    assert!(!report.contains("hunter2") && report.contains("***"), "{report}");
    let problems = fixture.problems("[mqtt]\nhost = 'a'\nusername = 'u'\npassword = [\"hunter2\"]");
    assert!(!problems.join("").contains("hunter2"), "{problems:?}");
}

#[test]
fn devices_and_sizes_of_cameras() {
    let problems = Fixture::new().problems(
        "[[camera]]\nid='a'\n[[camera]]\nid='b'\n[[camera]]\nid='c'\ndevice='usb cam'\n\
         [[camera]]\nid='d'\ndevice='/dev/video9'\nwidth=4096\nheight=4096\n[[camera]]\nid='e'\nsource='replay'\nwidth=640",
    );
    assert_says(&problems, &["camera[1].device", "used by an earlier camera"]);
    assert_says(&problems, &["camera[2].device", "usb cam", "by-id"]);
    assert_says(&problems, &["camera[3].width", "1920x1080"]);
    assert_says(&problems, &["camera[4].path", "missing"]);
    assert_says(&problems, &["camera[4].width", "v4l2"]);
    let nine: String = (0..9).map(|index| format!("[[camera]]\nid='c{index}'\ndevice='{index}'\n")).collect();
    assert_says(&Fixture::new().problems(&nine), &["camera", "there are 9", "8 are possible"]);
}

#[test]
fn an_empty_file_is_right_but_noted() {
    let config = Fixture::new().load("").unwrap();
    assert_eq!(config.cameras, Cameras::Listed(Vec::new()));
    assert!(config.notes.iter().any(|note| note.contains("nothing to do")));
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_reference_page_is_in_step_with_the_keys() {
    let page = std::fs::read_to_string(repository("docs/reference/config.md")).unwrap();
    assert!(page == reference::page(), "run: clawdbot check-config --reference > docs/reference/config.md");
}

#[test]
fn the_default_file_is_in_step_with_the_keys_and_right() {
    let path = repository("deploy/clawdbot.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text == reference::default_file(), "run: clawdbot check-config --default > deploy/clawdbot.toml");
    let config = Config::load(Some(&path), &Environment::default(), &Root::default(), Secrets::Read).unwrap();
    assert!(matches!(&config.cameras, Cameras::Listed(cameras) if cameras.len() == 1));
}

const TASK: &str = "[llm]\nmodel = \"brain.claw.safetensors\"\n[[llm.task]]\nid = \"visitor\"\non = \"object\"\nprompt = \"{{ event.label }}?\"\n";

#[test]
fn a_language_model_and_its_tasks() {
    let fixture = Fixture::new();
    let config = fixture.load(TASK).unwrap();
    let llm = config.llm.as_ref().unwrap();
    assert_eq!(llm.options.model, fixture.folder.path().join("brain.claw.safetensors"));
    assert_eq!((llm.options.slots, llm.options.answer_max, llm.options.context), (2, 256, None));
    assert_eq!(llm.options.idle_unload, None);
    let [task] = llm.tasks.as_slice() else { panic!("{:?}", llm.tasks) };
    let wanted = Trigger::Object { cameras: Vec::new(), labels: Vec::new(), changes: vec![Change::New] };
    assert_eq!((task.id.as_str(), &task.trigger), ("visitor", &wanted));
    assert_eq!(config.report()["llm"]["task"][0]["trigger"]["on"], "object");
    assert!(fixture.load("").unwrap().llm.is_none());
}

#[test]
fn the_ceilings_hold_for_the_language_model() {
    let with = |variable| Fixture::new().with(variable, "3").load(&TASK.replace("[[llm", "slots = 8\n[[llm")).unwrap();
    for variable in ["CLAWDBOT_MAX_CONCURRENCY", "CLAWDBOT_BATCH_SIZE"] {
        let config = with(variable);
        assert_eq!(config.llm.unwrap().options.slots, 3, "{variable}");
        assert_says(&config.notes, &["llm.slots is 8", "allows 3"]);
    }
}

#[test]
fn tasks_can_be_overridden_and_added() {
    let fixture = Fixture::new()
        .with("CLAWDBOT__LLM__TEMPERATURE", "0")
        .with("CLAWDBOT__LLM__TASK__0__LABELS", "cat, dog")
        .with("CLAWDBOT__LLM__TASK__1__ID", "hourly")
        .with("CLAWDBOT__LLM__TASK__1__ON", "time")
        .with("CLAWDBOT__LLM__TASK__1__EVERY_S", "3600")
        .with("CLAWDBOT__LLM__TASK__1__PROMPT", "What happened?");
    let llm = fixture.load(TASK).unwrap().llm.unwrap();
    assert!(llm.options.temperature.abs() < f32::EPSILON);
    let triggers: Vec<&Trigger> = llm.tasks.iter().map(|task| &task.trigger).collect();
    let labels = vec!["cat".to_owned(), "dog".to_owned()];
    let object = Trigger::Object { cameras: Vec::new(), labels, changes: vec![Change::New] };
    assert_eq!(triggers, [&object, &Trigger::Every(Duration::from_secs(3600))]);
    assert_says(
        &Fixture::new().with("CLAWDBOT__LLM__TASK__ID", "x").problems(TASK),
        &["CLAWDBOT__LLM__TASK__ID", "SECTION__NUMBER__KEY"],
    );
}

#[test]
fn what_is_wrong_with_a_task_is_said() {
    let fixture = Fixture::new();
    let says = |from: &str, to: &str, parts: &[&str]| assert_says(&fixture.problems(&TASK.replace(from, to)), parts);
    says("model = \"brain.claw.safetensors\"", "", &["llm.model", "there are tasks"]);
    says("id = \"visitor\"", "", &["clawdbot.toml:3", "llm.task[0].id", "missing"]);
    says("visitor", "The Visitor", &["llm.task[0].id", "the-visitor"]);
    says("on = \"object\"", "", &["llm.task[0].on", "missing"]);
    says("\"object\"", "\"thing\"", &["llm.task[0].on", "\"object\" or \"sensor\" or \"time\""]);
    says("event.label", "event.labl", &["llm.task[0].prompt", "undefined value"]);
    says("event.label }}", "event.label", &["llm.task[0].prompt", "no Jinja template"]);
    says("\"object\"", "\"time\"", &["llm.task[0].every_s", "missing"]);
    says("\"object\"", "\"object\"\nevery_s = 5", &["llm.task[0].every_s", "belongs to `on = \"time\"`"]);
    says("\"object\"", "\"object\"\nchanges = [\"moved\"]", &["llm.task[0].changes", "new, end, gap"]);
    says("\"object\"", "\"sensor\"\nsensor = \"hall\"", &["llm.task[0].sensor", "no sensor \"hall\""]);
    says("\"object\"", "\"object\"\nschema = \"none.json\"", &["llm.task[0].schema", "none.json", "can't be read"]);
    says("\"object\"", "\"object\"\nscheme = \"none.json\"", &["llm.task[0].scheme", "did you mean `schema`"]);
    says("[[llm.task]]", "[llm.task]", &["llm.task", "write [[llm.task]]"]);
    says("[[llm.task]]", "[[llm.tasks]]", &["llm.tasks", "did you mean `task`"]);
}
