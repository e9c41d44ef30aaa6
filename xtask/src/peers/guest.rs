//! Guest instructions of an inference on Arm cores, of ours and of the peers' aarch64 wheels, under qemu with
//! `xtask/qemu/insncount.c`: runs of N and of N + 1 inferences, subtracted. Deterministic, so load does not matter.
//!
//! The wheels run in an interpreter out of Debian's arm64 packages, unpacked below `target/peers`. Peers choose their
//! kernels by `/proc/cpuinfo`, where qemu would show this machine's, so a file of the core that is played lies in the root
//! that qemu looks into first.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::manifest::{Form, Net};
use super::options::Options;
use super::workshop::{PACKAGES, Stamp, Workshop, make_folder};
use crate::counts::{self, Counts};
use crate::process::{command, output, repository_root, run as run_command};
use crate::{Outcome, cross, record};

/// A core: its name in qemu, and its lines in /proc/cpuinfo.
struct Core {
    name: &'static str,
    features: &'static str,
    part: &'static str,
}

const CORES: [Core; 2] = [
    Core { name: "cortex-a72", features: "fp asimd evtstrm crc32 cpuid", part: "0xd08" },
    Core {
        name: "cortex-a76",
        features: "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
        part: "0xd0b",
    },
];
/// Inferences of the shorter run: what happens only once, or only at the second, is in both runs.
const INFERENCES: usize = 2;
/// Those of [`PACKAGES`] that have code for the core; numpy is what they are spoken to by.
const WHEELS: [&str; 4] = ["onnxruntime", "ncnn", "ai-edge-litert", "numpy"];
/// Debian's packages of the interpreter, by name.
const DEBIAN: [&str; 10] = [
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libstdc++6",
    "libgomp1",
    "libexpat1",
    "zlib1g",
    "libgcc-s1",
    "libffi8",
    "libc6",
];
/// Tags of wheels that Debian 12's C library can load, new ones first.
const PLATFORMS: [&str; 5] = [
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_26_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
];
/// The peers that come as wheels; tract does not.
const PEERS: [&str; 3] = ["litert", "ort", "ncnn"];
/// Bars of issue 4 against LiteRT INT8: core, network, at least, aim.
const BARS: [(&str, &str, f64, f64); 6] = [
    ("cortex-a72", "mobilenet_v2_224", 0.84, 0.78),
    ("cortex-a72", "yolox_nano_416", 0.83, 0.78),
    ("cortex-a72", "ssd_mobilenet_v1_300", 0.89, 0.83),
    ("cortex-a76", "mobilenet_v2_224", 0.94, 0.85),
    ("cortex-a76", "yolox_nano_416", 0.93, 0.88),
    ("cortex-a76", "ssd_mobilenet_v1_300", 0.96, 0.92),
];

/// Counts, prints and records.
pub(super) fn run(options: &Options, workshop: &Workshop) -> Outcome {
    let guest = Guest::prepare(workshop)?;
    let (mut results, mut complaints) = (Vec::new(), Vec::new());
    for net in workshop.nets() {
        println!("\n{}, {:.1} MMAC", net.name, net.multiplications / 1e6);
        for core in &CORES {
            guest.play(core)?;
            for (who, form, program) in guest.programs(net, workshop, &mut complaints) {
                match guest.count(core, &program) {
                    Ok(instructions) => {
                        let (millions, per_mac) = (instructions / 1e6, instructions / net.multiplications);
                        println!(
                            "  {:<11} {who:<9} {form:<15} {millions:>8.2} M instructions, {per_mac:.3} a MAC",
                            core.name
                        );
                        results.push(Count { core: core.name, net: net.name.clone(), who, form, instructions });
                    }
                    Err(error) => complaints.push(format!("{}, {who} {form} on {}: {error}", net.name, core.name)),
                }
            }
        }
    }
    let verdicts = judge(&results);
    record::write(
        "peers-guest",
        &json!({
            "command": format!("cargo xtask peers vision --aarch64{}", options.only.as_ref().map_or_else(String::new, |only| format!(" --only {only}"))),
            "packages": PACKAGES,
            "results": results.iter().map(Count::json).collect::<Vec<_>>(),
            "bars": verdicts,
            "complaints": complaints,
        }),
    )?;
    if complaints.is_empty() { Ok(()) } else { Err(format!("not all was counted:\n  {}", complaints.join("\n  "))) }
}

/// Instructions of an inference.
struct Count {
    core: &'static str,
    net: String,
    who: String,
    form: String,
    instructions: f64,
}

impl Count {
    fn json(&self) -> Value {
        json!({"core": self.core, "network": self.net, "who": self.who, "form": self.form, "instructions": self.instructions})
    }
}

/// Prints each bar of which both sides were counted, and returns them for the record.
fn judge(results: &[Count]) -> Vec<Value> {
    println!("\nour instructions / LiteRT's, INT8      ratio  at least   aim");
    let mut verdicts = Vec::new();
    for (core, net, least, aim) in BARS {
        let of = |who: &str| {
            results.iter().find(|one| one.core == core && one.net == net && one.who == who && one.form == "int8")
        };
        let (Some(ours), Some(theirs)) = (of("clawdbot"), of("litert")) else { continue };
        let ratio = ours.instructions / theirs.instructions;
        let word = if ratio <= aim {
            "aim met"
        } else if ratio <= least {
            "met"
        } else {
            "MISSED"
        };
        println!("  {core:<11} {net:<22} {ratio:>8.3} {least:>9.2} {aim:>5.2}  {word}");
        verdicts.push(
            json!({"core": core, "network": net, "ratio": ratio, "at_least": least, "aim": aim, "verdict": word}),
        );
    }
    verdicts
}

/// What plays the core.
struct Guest {
    root: PathBuf,
    site: PathBuf,
    plugin: PathBuf,
    folder: PathBuf,
    binary: PathBuf,
}

/// A program, its arguments and its standard input up to the number of inferences.
struct Program {
    words: Vec<String>,
    site: Option<PathBuf>,
}

impl Guest {
    fn prepare(workshop: &Workshop) -> Result<Self, String> {
        let folder = workshop.folder().join("aarch64");
        let (root, site) = (folder.join("root"), folder.join("site"));
        make_folder(&root)?;
        Stamp::new(folder.join("stamp"), &[&PACKAGES.concat(), &DEBIAN.concat()]).unless_fresh(|| {
            unpack_debian(&folder, &root)?;
            unpack_wheels(&folder, &site, workshop.python())
        })?;
        let plugin = counts::build_plugin(&folder)?;
        Ok(Self { root, site, plugin, folder, binary: cross::build_foreign()? })
    }

    /// Makes the root's `/proc` and `/sys` those of `core`.
    fn play(&self, core: &Core) -> Outcome {
        let Core { features, part, .. } = core;
        let text = format!(
            "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n\
             CPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 3\n\n"
        );
        let files = [
            ("proc/cpuinfo", text.as_str()),
            ("sys/devices/system/cpu/possible", "0\n"),
            ("sys/devices/system/cpu/present", "0\n"),
        ];
        for (path, content) in files {
            let path = self.root.join(path);
            make_folder(path.parent().unwrap_or(&self.root))?;
            std::fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// Everyone who can run `net`.
    fn programs(&self, net: &Net, workshop: &Workshop, complaints: &mut Vec<String>) -> Vec<(String, String, Program)> {
        let mut programs = Vec::new();
        for precision in ["int8", "f16"] {
            match workshop.bundle(net, precision) {
                Ok(bundle) => {
                    let words = [&self.binary.display().to_string(), "bench", "vision", "--on-request", "--model"];
                    let words =
                        words.into_iter().map(ToOwned::to_owned).chain([bundle.display().to_string()]).collect();
                    programs.push(("clawdbot".to_owned(), precision.to_owned(), Program { words, site: None }));
                }
                Err(error) => complaints.push(format!("{}, ours {precision}: {error}", net.name)),
            }
        }
        let interpreter = self.root.join("usr/bin/python3.11").display().to_string();
        let driver = repository_root().join("benches/peers/driver.py").display().to_string();
        // "Exact" is a switch of x86 kernels alone.
        let countable = |form: &&Form| PEERS.contains(&form.peer.as_str()) && !form.form.ends_with("exact");
        for form in net.forms.iter().filter(countable) {
            let manifest = workshop.manifest().display().to_string();
            let words = [&interpreter, &driver, &manifest, &net.name, &form.peer, &form.form].map(ToOwned::to_owned);
            let words = words.into_iter().chain(["1".to_owned()]).collect();
            programs.push((form.peer.clone(), form.form.clone(), Program { words, site: Some(self.site.clone()) }));
        }
        programs
    }

    /// Both runs at once: a count does not depend on what else runs.
    fn count(&self, core: &Core, program: &Program) -> Result<f64, String> {
        let runs = [INFERENCES, INFERENCES + 1];
        let reports = runs.map(|inferences| self.folder.join(format!("count-{inferences}.txt")));
        let started: Vec<Child> = runs
            .iter()
            .zip(&reports)
            .map(|(&inferences, report)| self.start(core, program, inferences, report))
            .collect::<Result<_, _>>()?;
        for child in started {
            let output = child.wait_with_output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(format!("`{}` under qemu ended with {}", program.words.join(" "), output.status));
            }
        }
        let total = |report: &Path| {
            let text = std::fs::read_to_string(report).map_err(|error| format!("{}: {error}", report.display()))?;
            let counts = Counts::parse(&text).ok_or_else(|| format!("{} holds no counts", report.display()))?;
            std::fs::remove_file(report).map_err(|error| format!("{}: {error}", report.display()))?;
            Ok::<_, String>(counts.total())
        };
        let [less, more] = [total(&reports[0])?, total(&reports[1])?];
        match more.checked_sub(less) {
            Some(difference) if difference > 0 => Ok(difference as f64),
            _ => Err(format!("{more} instructions with one inference more than with {less}")),
        }
    }

    fn start(&self, core: &Core, program: &Program, inferences: usize, report: &Path) -> Result<Child, String> {
        let mut command = Command::new("qemu-aarch64");
        // Ours needs no interpreter, and the cross compiler's root has its C library.
        let root = if program.site.is_some() { &self.root } else { Path::new("/usr/aarch64-linux-gnu") };
        command.arg("-L").arg(root).args(["-cpu", core.name, "-plugin"]).arg(&self.plugin);
        command.args(["-d", "plugin", "-D"]).arg(report).args(&program.words);
        command.env("PYTHONHASHSEED", "0").env("PYTHONDONTWRITEBYTECODE", "1").env_remove("CLAWDBOT_ISA");
        if let Some(site) = &program.site {
            command.env("PYTHONPATH", site);
        }
        let request = self.folder.join(format!("request-{inferences}"));
        std::fs::write(&request, format!("{inferences}\n"))
            .map_err(|error| format!("{}: {error}", request.display()))?;
        let input = std::fs::File::open(&request).map_err(|error| format!("{}: {error}", request.display()))?;
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
        command
            .spawn()
            .map_err(|error| format!("qemu-aarch64 cannot be started: {error}; CONTRIBUTING.md lists what to install"))
    }
}

/// Fetches and unpacks the interpreter, with package lists of its own: neither root nor a foreign architecture is needed.
fn unpack_debian(folder: &Path, root: &Path) -> Outcome {
    let (lists, packages) = (folder.join("apt"), folder.join("debian"));
    for made in [lists.join("lists/partial"), lists.join("cache/archives/partial"), packages.clone()] {
        make_folder(&made)?;
    }
    std::fs::write(lists.join("status"), "").map_err(|error| format!("{}: {error}", lists.display()))?;
    let apt = |arguments: &[&str]| {
        let mut apt = command("apt-get", &["-qq", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64"]);
        apt.args([
            "-o",
            &format!("Dir::State={}", lists.display()),
            "-o",
            &format!("Dir::Cache={}", lists.join("cache").display()),
        ]);
        apt.args([
            "-o",
            &format!("Dir::State::status={}", lists.join("status").display()),
            "-o",
            "APT::Sandbox::User=root",
        ]);
        apt.args(arguments).current_dir(&packages);
        run_command(&mut apt)
    };
    apt(&["update"])?;
    apt(&[&["download"][..], &DEBIAN].concat())?;
    let entries = std::fs::read_dir(&packages).map_err(|error| format!("{}: {error}", packages.display()))?;
    for package in entries.flatten() {
        run_command(command("dpkg", &["--extract"]).arg(package.path()).arg(root))?;
    }
    Ok(())
}

/// Fetches and unpacks the wheels.
fn unpack_wheels(folder: &Path, site: &Path, python: &Path) -> Outcome {
    let wheels = folder.join("wheels");
    let mut pip =
        command(&python.to_string_lossy(), &["-m", "pip", "download", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]);
    pip.args(PLATFORMS.iter().flat_map(|platform| ["--platform", platform]));
    pip.args(["--abi", "cp311", "--abi", "abi3", "--abi", "none", "--dest"]).arg(&wheels);
    pip.args(PACKAGES.iter().filter(|package| WHEELS.iter().any(|name| package.split("==").next() == Some(name))));
    output(&mut pip)?;
    let entries = std::fs::read_dir(&wheels).map_err(|error| format!("{}: {error}", wheels.display()))?;
    for wheel in entries.flatten() {
        run_command(command(&python.to_string_lossy(), &["-m", "zipfile", "--extract"]).arg(wheel.path()).arg(site))?;
    }
    Ok(())
}
