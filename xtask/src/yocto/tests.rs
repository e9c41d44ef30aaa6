//! The layer agrees with the rest of the repository.

use super::*;

/// The recipe's value of `name`: the first assignment of any kind.
fn assigned(recipe: &str, name: &str) -> Option<String> {
    let line = recipe.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    line.split('"').nth(1).map(ToOwned::to_owned)
}

/// A key of Cargo.toml's `[workspace.package]`.
fn of_workspace(key: &str) -> String {
    let manifest: toml::Table = toml::from_str(&read_repository("Cargo.toml").unwrap()).unwrap();
    manifest["workspace"]["package"][key].as_str().unwrap().to_owned()
}

fn recipe() -> String {
    read_repository(&format!("{LAYER}/{RECIPE}")).unwrap()
}

#[test]
fn the_list_of_crates_is_that_of_the_lock_file() {
    let list = read_repository(crates::LIST).unwrap();
    let fresh = crates::render(&crates::of_repository().unwrap());
    assert!(list == fresh, "{} is stale: run `cargo xtask yocto crates`", crates::LIST);
}

#[test]
fn a_crate_is_named_with_version_and_checksum() {
    let lock = "version = 4\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n[[package]]\nname = \"libc\"\nversion = \"0.2.1\"\n\
                source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00ff\"\n";
    let crates = crates::of_lock(lock).unwrap();
    let text = crates::render(&crates);
    assert!(text.contains("\nSRC_URI += \" \\\n    crate://crates.io/libc/0.2.1 \\\n\"\n"), "{text}");
    assert!(text.ends_with("\nSRC_URI[libc-0.2.1.sha256sum] = \"00ff\"\n"), "{text}");
    assert_eq!(crates[0].archive(), "libc-0.2.1.crate");
}

#[test]
fn a_crate_that_the_recipe_cannot_fetch_is_an_error() {
    let package = |rest: &str| format!("[[package]]\nname = \"x\"\nversion = \"1.0.0\"\n{rest}");
    let git = crates::of_lock(&package("source = \"git+https://example.org/x#00ff\"\n"));
    assert!(git.is_err_and(|error| error.contains("example.org")));
    let bare = crates::of_lock(&package("source = \"registry+https://github.com/rust-lang/crates.io-index\"\n"));
    assert!(bare.is_err_and(|error| error.contains("checksum")));
}

#[test]
fn the_recipe_has_cargo_s_versions() {
    assert_eq!(assigned(&recipe(), "PV"), Some(format!("{}+git", of_workspace("version"))));
    assert_eq!(assigned(&recipe(), "CLAWDBOT_RUST_MIN"), Some(of_workspace("rust-version")));
}

#[test]
fn the_licences_have_the_recipe_s_checksums() {
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE"] {
        let sum = process::output(&mut process::command("md5sum", &[file])).unwrap();
        let entry = format!("file://{file};md5={}", sum.split_whitespace().next().unwrap());
        assert!(recipe().contains(&entry), "{RECIPE}: LIC_FILES_CHKSUM should hold {entry}: has the licence changed?");
    }
}

#[test]
fn every_feature_of_the_package_can_be_configured() {
    let manifest: toml::Table = toml::from_str(&read_repository("Cargo.toml").unwrap()).unwrap();
    for feature in manifest["features"].as_table().unwrap().keys().filter(|feature| *feature != "default") {
        let line = format!("PACKAGECONFIG[{feature}] = \"--features {feature}\"");
        assert!(recipe().contains(&line), "{RECIPE}: no {line}");
    }
}

#[test]
fn a_folder_of_sources_that_lacks_something_says_how_it_must_look() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    };
    put("bitbake/bin/bitbake");
    put("openembedded-core/meta/conf/layer.conf");
    let error = Sources::find(folder.path()).unwrap_err();
    assert!(
        error.contains("meta-raspberrypi/conf/layer.conf is missing") && error.contains(sources::LAYOUT),
        "{error}"
    );
    put("meta-raspberrypi/conf/layer.conf");
    put("meta-newer-rust/conf/layer.conf");
    let layers = Sources::find(folder.path()).unwrap().layers;
    let names: Vec<_> = layers.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["meta", "meta-newer-rust", "meta-raspberrypi"]);
}

#[test]
fn other_words_are_refused() {
    assert!(run(&["--sauces".to_owned(), "x".to_owned()]).is_err());
}
