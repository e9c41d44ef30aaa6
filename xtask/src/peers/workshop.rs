//! What the comparison needs, installed and made below `target/peers`: a Python environment with the peers by version, tract
//! built from crates.io, the networks' files, copies of the peers that can be pinned, and our binary with its bundles.
//!
//! What takes long is made once; a stamp beside it says of what, and when that changes it is made anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::contestant::{Contestant, Key};
use super::manifest::{self, Net};
use super::options::{Options, Pin};
use super::pin;
use crate::Outcome;
use crate::process::{cargo, command, output, repository_root, run, target_directory};

/// What pip installs, by version: figures of another version are other figures.
pub(super) const PACKAGES: [&str; 8] = [
    "onnxruntime==1.32.0",
    "ncnn==1.0.20261020",
    "ai-edge-litert==2.3.0",
    "ai-edge-quantizer==0.10.0",
    "onnx==1.23.2",
    "flatbuffers==25.12.19",
    "numpy==2.4.6",
    "pillow==13.0.0",
];
/// What cargo builds of crates.io; benches/peers/tract/Cargo.lock holds the rest.
const TRACT: &str = "tract-onnx 0.23.9";
/// The packages' folders that hold code which asks the processor what it can do.
const PEER_FOLDERS: [&str; 4] = ["onnxruntime", "ncnn", "ncnn.libs", "ai_edge_litert"];
/// Keeps the C library from AVX-512 too, whose copies of memory would otherwise use it.
pub(super) const C_LIBRARY_WITHOUT_AVX512: &str =
    "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512ER,-AVX512PF";
/// Our forms: precision and instruction set.
const OUR_FORMS: [(&str, &str); 3] = [("int8", "avx2"), ("f16", "avx2"), ("int8", "avx_vnni")];
/// The folder with pictures to calibrate on, below the data.
const CALIBRATION: &str = "coco-open/train";

/// See the module.
pub(super) struct Workshop {
    folder: PathBuf,
    data: PathBuf,
    python: PathBuf,
    nets: Vec<Net>,
}

impl Workshop {
    /// Installs and makes what is missing.
    ///
    /// # Errors
    /// When a step fails, or the real networks are not at hand.
    pub(super) fn prepare(options: &Options) -> Result<Self, String> {
        let folder = target_directory().join("peers");
        let data = repository_root().join("../shared/data");
        if !data.join("detect").is_dir() {
            return Err(format!("{} is missing: two of the three networks are real files out of it", data.display()));
        }
        make_folder(&folder)?;
        let python = environment(&folder)?;
        let mut workshop = Self { folder, data, python, nets: Vec::new() };
        workshop.make_nets()?;
        let nets = manifest::read(&workshop.manifest())?;
        workshop.nets = nets.into_iter().filter(|net| options.wants(&net.name)).collect();
        if workshop.nets.is_empty() {
            return Err(format!("no network's name contains {:?}", options.only.as_deref().unwrap_or_default()));
        }
        if !options.aarch64 {
            workshop.build_preload()?;
            workshop.build_tract()?;
            if options.pins.contains(&Pin::Avx2) {
                workshop.make_pinned()?;
            }
        }
        run(&mut cargo(&["build", "--release", "--locked", "--package", "clawdbot"]))?;
        Ok(workshop)
    }

    /// The networks to compare on.
    pub(super) fn nets(&self) -> &[Net] {
        &self.nets
    }

    /// What is compared, with versions.
    pub(super) fn packages(&self) -> Vec<String> {
        PACKAGES.iter().copied().chain([TRACT]).map(ToOwned::to_owned).collect()
    }

    /// Where everything lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `benches/peers/driver.py` reads.
    pub(super) fn manifest(&self) -> PathBuf {
        self.folder.join("nets/manifest.json")
    }

    /// The environment's interpreter.
    pub(super) fn python(&self) -> &Path {
        &self.python
    }

    /// Makes our bundle of `net`.
    ///
    /// # Errors
    /// When `clawdbot convert` fails.
    pub(super) fn bundle(&self, net: &Net, precision: &str) -> Result<PathBuf, String> {
        let bundle = self.folder.join(format!("nets/{}/{precision}.claw.safetensors", net.name));
        let mut convert = command(&clawdbot(), &["convert"]);
        convert.arg(&net.source).arg("--output").arg(&bundle).args(["--precision", precision, "--calibrate"]);
        convert.arg(self.data.join(CALIBRATION)).args(&net.convert).env_remove("CLAWDBOT_ISA");
        output(&mut convert).map(|_| bundle)
    }

    /// Everyone who can run `net`, not yet started; and who of us cannot, with the reason.
    pub(super) fn contestants(&self, net: &Net, threads: usize, pins: &[Pin]) -> (Vec<Contestant>, Vec<String>) {
        let mut contestants = Vec::new();
        for &pin in pins {
            for form in &net.forms {
                let key = Key { who: form.peer.clone(), form: form.form.clone(), isa: pin.name().to_owned() };
                contestants.push(Contestant::new(key, self.peer(net, &form.peer, &form.form, threads, pin)));
            }
        }
        let mut absent = Vec::new();
        for (precision, isa) in OUR_FORMS {
            let key = Key { who: "clawdbot".to_owned(), form: precision.to_owned(), isa: isa.to_owned() };
            match self.ours(net, precision, isa, threads) {
                Ok(command) => contestants.push(Contestant::new(key, command)),
                Err(reason) => absent.push(format!("{}, {key}: {reason}", net.name)),
            }
        }
        (contestants, absent)
    }

    fn peer(&self, net: &Net, peer: &str, form: &str, threads: usize, pin: Pin) -> Command {
        let pinned = pin == Pin::Avx2;
        let mut command = if peer == "tract" {
            let name = if pinned { "pinned/peer-tract" } else { "tract/release/peer-tract" };
            Command::new(self.folder.join(name))
        } else {
            let mut python = Command::new(&self.python);
            python.arg(repository_root().join("benches/peers/driver.py"));
            python
        };
        command.arg(self.manifest()).args([net.name.as_str(), peer, form, &threads.to_string()]);
        if pinned {
            command.env("PYTHONPATH", self.folder.join("pinned"));
            command.env("LD_PRELOAD", self.preload()).env("GLIBC_TUNABLES", C_LIBRARY_WITHOUT_AVX512);
        }
        command
    }

    fn ours(&self, net: &Net, precision: &str, isa: &str, threads: usize) -> Result<Command, String> {
        // A processor or a build without it says so.
        output(command(&clawdbot(), &["kernels"]).env("CLAWDBOT_ISA", isa))?;
        let bundle = self.bundle(net, precision)?;
        let mut command = Command::new(clawdbot());
        command.args(["bench", "vision", "--on-request", "--threads", &threads.to_string(), "--model"]).arg(bundle);
        command.env("CLAWDBOT_ISA", isa).env("GLIBC_TUNABLES", C_LIBRARY_WITHOUT_AVX512);
        Ok(command)
    }

    /// The library of `benches/peers/preload.c`.
    pub(super) fn preload(&self) -> PathBuf {
        self.folder.join("preload.so")
    }

    fn build_preload(&self) -> Outcome {
        let mut compile = command("cc", &["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        run(compile.arg(self.preload()).arg("benches/peers/preload.c"))
    }

    fn build_tract(&self) -> Outcome {
        let manifest = "benches/peers/tract/Cargo.toml";
        let mut build = cargo(&["build", "--release", "--locked", "--manifest-path", manifest]);
        run(build.env("CARGO_TARGET_DIR", self.folder.join("tract")))
    }

    fn make_nets(&self) -> Outcome {
        let script = repository_root().join("benches/peers/nets");
        let stamp = Stamp::new(self.folder.join("nets/stamp"), &[&PACKAGES.concat(), &folder_digest(&script)?]);
        stamp.unless_fresh(|| {
            eprintln!("making the peers' networks");
            let mut make = command(&self.python.to_string_lossy(), &[]);
            let nets = self.folder.join("nets");
            let log = self.folder.join("nets.log");
            make_folder(&nets)?;
            // The quantisers' progress bars are no use here.
            let file = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
            make.arg(script.join("make.py"))
                .arg(&self.data)
                .arg(&nets)
                .stdout(std::process::Stdio::null())
                .stderr(file);
            run(&mut make).map_err(|error| format!("{error}; {} says why", log.display()))
        })
    }

    fn make_pinned(&self) -> Outcome {
        let pinned = self.folder.join("pinned");
        make_folder(&pinned)?;
        let stamp = Stamp::new(pinned.join("stamp"), &[&PACKAGES.concat()]);
        stamp.unless_fresh(|| {
            let site = site_packages(&self.python)?;
            for name in PEER_FOLDERS {
                let count = pin::copy_folder(&site.join(name), &pinned.join(name))?;
                eprintln!("{name}: {count} cpuid instructions replaced in the pinned copy");
            }
            Ok(())
        })?;
        let count = pin::without_cpuid(&self.folder.join("tract/release/peer-tract"), &pinned.join("peer-tract"))?;
        eprintln!("peer-tract: {count} cpuid instructions replaced in the pinned copy");
        Ok(())
    }
}

/// The program that we measure.
fn clawdbot() -> String {
    target_directory().join("release/clawdbot").to_string_lossy().into_owned()
}

/// Makes the Python environment.
fn environment(folder: &Path) -> Result<PathBuf, String> {
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    Stamp::new(venv.join("stamp"), &PACKAGES).unless_fresh(|| {
        let path = venv.to_string_lossy().into_owned();
        run(&mut command("python3", &["-m", "venv", "--clear", &path]))?;
        let mut install = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        install.extend(PACKAGES);
        run(&mut command(&python.to_string_lossy(), &install))
    })?;
    Ok(python)
}

fn site_packages(python: &Path) -> Result<PathBuf, String> {
    let script = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    Ok(PathBuf::from(output(&mut command(&python.to_string_lossy(), &["-c", script]))?.trim()))
}

pub(super) fn make_folder(path: &Path) -> Outcome {
    std::fs::create_dir_all(path).map_err(|error| format!("cannot make {}: {error}", path.display()))
}

/// A file that says of what its neighbours were made.
pub(super) struct Stamp {
    path: PathBuf,
    content: String,
}

impl Stamp {
    /// At `path`, for what is made of `ingredients`.
    pub(super) fn new(path: PathBuf, ingredients: &[&str]) -> Self {
        Self { path, content: ingredients.join("\n") }
    }

    /// Does `make` unless it was done with the same ingredients.
    pub(super) fn unless_fresh(&self, make: impl FnOnce() -> Outcome) -> Outcome {
        if std::fs::read_to_string(&self.path).is_ok_and(|content| content == self.content) {
            return Ok(());
        }
        make()?;
        std::fs::write(&self.path, &self.content).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// SHA-256 of all Python files in a folder.
fn folder_digest(folder: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        digest.update(std::fs::read(path).map_err(failed)?);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
