//! `clawdbot pull`: brings a model here, checked and in one step, and back again.

mod list;
mod next;
mod progress;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Failure, print};
use crate::config::Environment;
use crate::pull::catalogue::{Catalogue, CatalogueError, Entry, is_name};
use crate::pull::place::Folder;
use crate::pull::sha256::Sha256;
use crate::pull::{self, Pulled, Source};
use progress::Bar;

/// Where the service's models are.
const MODELS: &str = "/var/lib/clawdbot/models";

/// What may be said to `pull`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Which model: a name of the catalogue, or with --sha256 an address (https://…). Without it, the catalogue is listed.
    #[arg(value_name = "NAME|URL")]
    name: Option<String>,
    /// Take it from here: a file, or a folder that holds the files (no network is used then), or another address of them.
    #[arg(long, value_name = "FILE|DIR|URL", requires = "name")]
    from: Option<String>,
    /// The folder to put it in [default: /var/lib/clawdbot/models]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Another catalogue in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Agree to this licence, which was read before; for models under others than the usual free licences.
    #[arg(long, visible_alias = "accept-license", value_name = "ID", requires = "name")]
    accept_licence: Option<String>,
    /// Of an address: what the file's bytes must hash to.
    #[arg(long, value_name = "HEX", requires = "name")]
    sha256: Option<Sha256>,
    /// Go back to the one before the last update; the same again goes forth.
    #[arg(long, requires = "name", conflicts_with_all = ["from", "sha256", "accept_licence", "catalogue"])]
    rollback: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = arguments.to.clone().unwrap_or_else(|| {
        let state = Environment::of_process().state_folder();
        state.map_or_else(|| PathBuf::from(MODELS), |state| state.join("models"))
    });
    // What is told of it goes into a configuration, where a relative path would begin elsewhere.
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let Some(name) = &arguments.name else {
        return list::list(&catalogue(arguments)?, &folder, arguments.json);
    };
    if arguments.rollback {
        return roll_back(name, &folder, arguments.json);
    }
    let entry = entry(name, arguments)?;
    entry.check_licence(arguments.accept_licence.as_deref()).map_err(refused)?;
    let source = match &arguments.from {
        None => Source::Catalogue,
        Some(from) if is_address(from) => Source::Url(from.clone()),
        Some(from) => Source::Local(PathBuf::from(from)),
    };
    let folder = Folder::open(&folder).map_err(|error| Failure::from_error(&error))?;
    let mut bar = Bar::new();
    bar.begin(&entry);
    let pulled = pull::pull(&entry, &source, &folder, &mut |told| bar.show(&told));
    bar.finish();
    tell(&entry, &pulled.map_err(|error| Failure::from_error(&error))?, arguments)
}

fn is_address(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
}

fn refused(error: CatalogueError) -> Failure {
    match error {
        CatalogueError::Unreadable { .. } | CatalogueError::Malformed { .. } => Failure::Failed(error.to_string()),
        _ => Failure::Usage(error.to_string()),
    }
}

fn catalogue(arguments: &Arguments) -> Result<Catalogue, Failure> {
    match &arguments.catalogue {
        Some(path) => Catalogue::read(path),
        None => Catalogue::built_in(),
    }
    .map_err(refused)
}

/// The model that is meant by `name`.
fn entry(name: &str, arguments: &Arguments) -> Result<Entry, Failure> {
    match (is_address(name), arguments.sha256) {
        (true, Some(sha256)) => Entry::of_address(name, sha256).map_err(refused),
        (true, None) => Err(Failure::Usage(String::from(
            "an address alone says nothing about the bytes behind it: add --sha256 with what whoever made the file says",
        ))),
        (false, Some(_)) => {
            Err(Failure::Usage(String::from("--sha256 is for an address; what the catalogue names has its sums there")))
        }
        (false, None) => catalogue(arguments)?.entry(name).cloned().map_err(refused),
    }
}

fn roll_back(name: &str, folder: &Path, json: bool) -> Result<(), Failure> {
    if !is_name(name) {
        return Err(Failure::Usage(format!("`{name}` is no model's name; `clawdbot pull` lists them")));
    }
    let folder = Folder::open(folder).map_err(|error| Failure::from_error(&error))?;
    let back = pull::roll_back(name, &folder).map_err(|error| Failure::from_error(&error))?;
    if json {
        let report = json!({ "name": name, "path": back.path, "previous": back.previous, "rolled_back": true });
        return print(&report.to_string());
    }
    print(&format!("{}: the one before is in place again", back.path.display()))?;
    if let Some(previous) = &back.previous {
        print(&format!("the other one is kept as {}; the same command exchanges them again", previous.display()))?;
    }
    print(next::RESTART)
}

fn tell(entry: &Entry, pulled: &Pulled, arguments: &Arguments) -> Result<(), Failure> {
    let next = next::steps(entry, &pulled.path, pulled.kind);
    if arguments.json {
        let report = json!({
            "name": entry.name,
            "path": pulled.path,
            "changed": pulled.changed,
            "previous": pulled.previous,
            "kind": pulled.kind.map(|kind| kind.name()),
            "licence": entry.licence,
            "next": next,
        });
        return print(&report.to_string());
    }
    let how = if pulled.changed { "checked and in place" } else { "here already, with the right SHA-256" };
    print(&format!("{}: {how}; licence {}", pulled.path.display(), entry.licence))?;
    if let Some(previous) = &pulled.previous {
        let name = &entry.name;
        print(&format!("the one before is kept as {}; `clawdbot pull {name} --rollback`", previous.display()))?;
    }
    next.iter().try_for_each(|step| print(step))
}
