//! What a catalogue may say, and what is refused.

use super::*;

const SUM: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

fn model(name: &str, becomes: &str, files: &[&str]) -> String {
    let head = format!(
        "[[model]]\nname = \"{name}\"\nabout = \"a\"\nlicence = \"MIT\"\nlicence_url = \"https://a/l\"\nbecomes = \"{becomes}\"\n"
    );
    let file = |url: &&str| format!("[[model.file]]\nurl = \"{url}\"\nbytes = 5\nsha256 = \"{SUM}\"\n");
    head + &files.iter().map(file).collect::<String>()
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err()
}

#[test]
fn the_built_in_catalogue_is_one_and_asks_for_no_agreement() {
    let catalogue = Catalogue::built_in().unwrap();
    assert!(catalogue.entries.len() >= 8);
    for entry in &catalogue.entries {
        entry.check_licence(None).unwrap();
        assert!(entry.licence_url.starts_with("https://"), "{entry:?}");
        assert!(entry.files.iter().all(|file| file.url.starts_with("https://")), "{entry:?}");
    }
    let error = catalogue.entry("yolox").unwrap_err().to_string();
    assert!(error.contains("no `yolox`") && error.contains("yolox-nano, yolox-tiny"), "{error}");
}

#[test]
fn the_file_here_is_called_as_the_model() {
    let name_of = |text: &str| parse(text).unwrap().entries[0].disk_name();
    assert_eq!(name_of(&model("yard", "bundle", &["https://a/yard-v7.claw.safetensors"])), "yard.claw.safetensors");
    assert_eq!(name_of(&model("yard-1.5", "network", &["https://a/x.onnx"])), "yard-1.5.onnx");
    assert_eq!(
        name_of(&model("talk", "language-model", &["https://a/config.json", "https://a/model.safetensors"])),
        "talk"
    );
}

#[test]
fn no_name_leads_out_of_the_folder() {
    for name in ["", "..", ".hidden", "a/b", "a b", "Upper", "-x", "a\\u0000b"] {
        let text = model(name, "network", &["https://a/x.onnx"]);
        assert!(refusal(&text).contains("its name must be"), "{name}");
    }
    for url in ["https://a/..", "https://a/", "https://a/.x.onnx", "https://a/x%2f.onnx", "https://a/x.onnx?y"] {
        assert!(refusal(&model("m", "network", &[url])).contains("the file name"), "{url}");
    }
    assert!(!is_name("../x") && !is_name("x/../y") && is_name("qwen3-1.7b"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bundle = "https://a/x.claw.safetensors";
    assert!(refusal(&model("m", "bundle", &["https://a/x.onnx"])).contains("a bundle is one file"));
    assert!(refusal(&model("m", "bundle", &[bundle, "https://a/y"])).contains("a bundle is one file"));
    assert!(refusal(&model("m", "network", &[bundle])).contains("no model's file name"));
    assert!(refusal(&model("m", "network", &["https://a/x.onnx", "https://b/x.onnx"])).contains("two files called"));
    assert!(refusal(&model("m", "network", &["ftp://a/x.onnx"])).contains("no address"));
    assert!(refusal(&model("m", "network", &[])).contains("missing field `file`"));
    let twice = model("m", "network", &["https://a/x.onnx"]).repeat(2);
    assert!(refusal(&twice).contains("two models are called `m`"));
    let fine = model("m", "network", &["https://a/x.onnx"]);
    assert!(refusal(&fine.replace("bytes = 5", "bytes = 0")).contains("must have 1 to"));
    assert!(refusal(&fine.replace(SUM, "b179")).contains("no SHA-256"));
    assert!(refusal(&fine.replace("about", "abuot")).contains("abuot"));
    assert_eq!(parse("").unwrap().entries.len(), 0);
}

#[test]
fn a_licence_that_binds_wants_agreement_to_itself() {
    let text = model("m", "network", &["https://a/x.onnx"]).replace("MIT", "AGPL-3.0-only");
    let entry = parse(&text).unwrap().entries.remove(0);
    for accepted in [None, Some("MIT"), Some("")] {
        let error = entry.check_licence(accepted).unwrap_err().to_string();
        assert!(error.contains("AGPL-3.0-only (https://a/l)"), "{error}");
        assert!(error.contains("--accept-licence AGPL-3.0-only"), "{error}");
    }
    entry.check_licence(Some("AGPL-3.0-only")).unwrap();
}

#[test]
fn an_address_becomes_a_model_of_unknown_licence() {
    let sum: Sha256 = SUM.parse().unwrap();
    let entry = Entry::of_address("https://a/b/Yard.GGUF.gguf?download=true", sum).unwrap();
    assert_eq!((entry.name.as_str(), entry.disk_name().as_str()), ("yard.gguf", "yard.gguf.gguf"));
    assert_eq!((entry.becomes, entry.bytes()), (Becomes::LanguageModel, None));
    assert!(entry.check_licence(None).is_err() && entry.check_licence(Some("unknown")).is_ok());
    assert!(Entry::of_address("https://a/page.html", sum).unwrap_err().to_string().contains("no model's file name"));
    assert!(Entry::of_address("https://a/", sum).is_err());
}

#[test]
fn a_sum_is_64_digits() {
    assert_eq!(SUM.to_uppercase().parse::<Sha256>().unwrap().to_string(), SUM);
    let wrong = ["", "b1", &SUM[1..], &SUM.replace('b', "x"), &format!("+{}", &SUM[1..]), &format!("é{}", &SUM[2..])];
    assert!(wrong.iter().all(|text| text.parse::<Sha256>().is_err()));
}

#[test]
fn the_page_shows_a_catalogue() {
    let page = include_str!("../../../docs/reference/pull.md");
    let shown = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let catalogue = parse(shown).unwrap();
    assert_eq!(catalogue.entries[0].disk_name(), "yard.claw.safetensors");
    let missing: Vec<&str> = FREE_LICENCES.into_iter().filter(|licence| !page.contains(licence)).collect();
    assert!(missing.is_empty(), "the page does not name {missing:?}");
    let built_in = Catalogue::built_in().unwrap().entries;
    assert!(built_in.iter().all(|entry| page.contains(&entry.name)), "the page says of each whence its sum is");
}
