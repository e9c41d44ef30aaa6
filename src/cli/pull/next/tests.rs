//! The commands that a user is told must be ones.

use clap::Parser as _;

use super::*;
use crate::cli::Cli;
use crate::pull::catalogue::Catalogue;

#[test]
fn every_command_that_is_told_is_understood() {
    for entry in Catalogue::built_in().unwrap().entries {
        let path = Path::new("/models").join(entry.disk_name());
        let steps = steps(&entry, &path, None);
        let commands = steps.iter().filter_map(|step| step.split_once(": ")).map(|(_, command)| command);
        let commands: Vec<&str> = commands.filter(|command| command.starts_with("clawdbot ")).collect();
        assert!(!commands.is_empty(), "{steps:?}");
        for command in commands {
            if let Err(error) = Cli::try_parse_from(command.split_whitespace()) {
                panic!("`{command}`: {error}");
            }
        }
    }
}

#[test]
fn a_source_is_converted_and_a_bundle_is_named() {
    let entry = Catalogue::built_in().unwrap().entry("smollm2-135m").unwrap().clone();
    let source = steps(&entry, Path::new("/m/smollm2-135m.gguf"), None);
    let bundle = "/m/smollm2-135m.claw.safetensors";
    assert!(source[0].contains(&format!("/m/smollm2-135m.gguf -o {bundle} --name smollm2-135m")), "{source:?}");
    assert!(source[2].ends_with(&format!("section [llm]: model = \"{bundle}\"")), "{source:?}");
    let mut entry = entry;
    entry.becomes = Becomes::Bundle;
    let detector = steps(&entry, Path::new(bundle), Some(Kind::Detector));
    assert!(detector.len() == 2 && detector[0].contains("section [detector]"), "{detector:?}");
    let classifier = steps(&entry, Path::new(bundle), Some(Kind::Classifier));
    assert!(classifier.len() == 1 && classifier[0].contains("clawdbot classify --model"), "{classifier:?}");
}
