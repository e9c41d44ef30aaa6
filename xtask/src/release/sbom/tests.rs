//! The bill has every crate that is linked, once, with its sum, and every reference leads somewhere.

use std::collections::BTreeSet;

use super::*;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn crate_of(name: &str, is_ours: bool, needs: &[usize]) -> Linked {
    Linked {
        name: name.to_owned(),
        version: "1.0.0+x".to_owned(),
        licence: "MIT/Apache-2.0".to_owned(),
        is_ours,
        needs: needs.to_vec(),
    }
}

fn materials(crates: Vec<Linked>) -> Materials {
    let sums = crates.iter().map(|found| ((found.name.clone(), found.version.clone()), SHA256.to_owned())).collect();
    Materials {
        sha256: SHA256.to_owned(),
        triple: TRIPLE,
        time: "2026-11-29T20:30:00Z".to_owned(),
        crates,
        sums,
        rust: "1.95.0".to_owned(),
        bundled: vec![json!({ "type": "data", "bom-ref": "clip", "name": "clip" })],
    }
}

#[test]
fn crates_have_addresses_sums_and_needs() {
    let crates = [crate_of("clawdbot", true, &[1, 2]), crate_of("ours", true, &[2]), crate_of("theirs", false, &[])];
    let bill = bill(&materials(crates.to_vec())).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    assert_eq!(bill["serialNumber"], "urn:uuid:ba7816bf-8f01-8cfe-8a41-4140de5dae22");
    assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], SHA256);
    let [ours, theirs] = [&bill["components"][0], &bill["components"][1]];
    assert_eq!((&ours["bom-ref"], &ours["purl"]), (&json!("ours@1.0.0%2Bx"), &Value::Null));
    assert_eq!(
        (&theirs["purl"], &theirs["hashes"][0]["alg"]),
        (&json!("pkg:cargo/theirs@1.0.0%2Bx"), &json!("SHA-256"))
    );
    assert_eq!(theirs["licenses"], json!([{ "expression": "MIT OR Apache-2.0" }]));
    let needs = json!(["clip", "ours@1.0.0%2Bx", "pkg:cargo/theirs@1.0.0%2Bx", STANDARD_LIBRARY]);
    assert_eq!(bill["dependencies"][0], json!({ "ref": "clawdbot@1.0.0%2Bx", "dependsOn": needs }));
    assert_eq!(bill["dependencies"][1]["dependsOn"], json!(["pkg:cargo/theirs@1.0.0%2Bx"]));
}

#[test]
fn a_crate_without_a_sum_or_a_licence_is_an_error() {
    let crates = vec![crate_of("clawdbot", true, &[1]), crate_of("theirs", false, &[])];
    let mut without_sum = materials(crates.clone());
    without_sum.sums.clear();
    assert!(bill(&without_sum).is_err_and(|error| error.contains("theirs 1.0.0+x")));
    let mut without_licence = materials(crates);
    without_licence.crates[1].licence.clear();
    assert!(bill(&without_licence).is_err_and(|error| error.contains("licence")));
}

/// Of this repository as it is.
#[test]
fn every_linked_crate_is_in_the_bill_and_every_reference_leads_somewhere() {
    let crates = linked::of(TRIPLE).unwrap();
    let sums = crates::of_repository().unwrap();
    let sums = sums.into_iter().map(|found| ((found.name, found.version), found.sha256)).collect();
    let bundled = bundled::components().unwrap();
    let bill = bill(&Materials { sums, bundled, ..materials(crates.clone()) }).unwrap();
    let components = bill["components"].as_array().unwrap();
    let mut references: BTreeSet<&str> = components.iter().filter_map(|one| one["bom-ref"].as_str()).collect();
    assert_eq!(references.len(), components.len(), "a reference stands for one component");
    assert!(crates[1..].iter().all(|found| references.contains(reference(found).as_str())));
    assert_eq!(
        components.len(),
        crates.len() - 1 + 1 + 3,
        "the crates but the daemon, Rust's library, what is bundled"
    );
    references.insert(bill["metadata"]["component"]["bom-ref"].as_str().unwrap());
    for dependency in bill["dependencies"].as_array().unwrap() {
        let needs = dependency["dependsOn"].as_array().unwrap().iter().chain([&dependency["ref"]]);
        assert!(needs.filter_map(Value::as_str).all(|need| references.contains(need)), "{dependency}");
    }
    let text = bill.to_string();
    assert!(
        !text.contains("jsonschema") && !text.contains("pkg:cargo/serde_derive"),
        "tests and macros are not linked"
    );
}
