//! `cargo xtask <command>`: what a developer runs. One file a subcommand; [`SUBCOMMANDS`] is the list of them.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its user")]

mod accuracy;
mod bundle_default;
mod check;
mod container;
mod counts;
mod cross;
mod deb;
mod debian_root;
mod image;
mod kernels;
mod linked;
mod made_up;
mod memory;
mod peers;
mod process;
mod record;
mod regions;
mod release;
mod scaling;
mod shell;
mod units;
mod vm;
mod yocto;

use std::process::ExitCode;

/// What a subcommand answers: a failure is one message that says what is wrong, why, and what to do next.
type Outcome = Result<(), String>;

/// One developer command.
struct Subcommand {
    name: &'static str,
    summary: &'static str,
    /// Takes the arguments behind the name.
    run: fn(&[String]) -> Outcome,
}

/// Every subcommand: to add one, write its file and a line here.
const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand { name: "accuracy", summary: "what INT8 costs, on coco-open", run: accuracy::run_accuracy },
    Subcommand { name: "bundle-default", summary: "rebuild assets/ from public packages", run: bundle_default::run },
    Subcommand { name: "check", summary: "everything to run before a commit", run: check::run },
    Subcommand { name: "container", summary: "build and prove the container image", run: container::run },
    Subcommand { name: "counts", summary: "instructions an inference on Arm cores", run: counts::run },
    Subcommand { name: "cross", summary: "build for aarch64, compare it with this machine", run: cross::run },
    Subcommand { name: "deb", summary: "the Debian package; --prove installs and purges it", run: deb::run },
    Subcommand { name: "image", summary: "a card image for a Raspberry Pi", run: image::run },
    Subcommand { name: "kernels", summary: "the kernels' tests on every instruction set", run: kernels::run },
    Subcommand { name: "made-up-llm", summary: "a language model of invented weights, full size", run: made_up::run },
    Subcommand { name: "memory-llm", summary: "two 7B in 8 GB; two 3B and a camera in 4", run: memory::run },
    Subcommand { name: "peers", summary: "our networks beside other engines'", run: peers::run_peers },
    Subcommand { name: "regions", summary: "looks at parts of pictures against whole ones", run: regions::run_regions },
    Subcommand { name: "release", summary: "all artefacts of a release, summed and signed", run: release::run },
    Subcommand { name: "scaling", summary: "one to four cores of a Pi 4, by a model", run: scaling::run },
    Subcommand { name: "shell", summary: "shellcheck over every script", run: shell::run },
    Subcommand { name: "units", summary: "systemd's own checks of our unit", run: units::run },
    Subcommand { name: "yocto", summary: "our Yocto layer: lint, parse, list of crates", run: yocto::run },
    Subcommand { name: "vm", summary: "boots the card image and proves what it does", run: vm::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print_usage();
        return ExitCode::from(2);
    };
    let Some(subcommand) = SUBCOMMANDS.iter().find(|subcommand| subcommand.name == name) else {
        eprintln!("xtask: there is no command {name:?}");
        print_usage();
        return ExitCode::from(2);
    };
    match (subcommand.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::FAILURE
        }
    }
}

fn print_usage() {
    println!("usage: cargo xtask <command> [arguments]\n");
    for subcommand in SUBCOMMANDS {
        println!("  {:<16} {}", subcommand.name, subcommand.summary);
    }
}
