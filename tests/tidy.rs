//! Tidy is a test: rules about the repository itself that neither the compiler nor clippy holds. It links nothing of ours.
//!
//! Each check is a function from text to complaints, with a test of its own that shows it a bad example. The lists of
//! exceptions are ratchets: an entry that is no longer needed is a complaint too, so nothing grows and old debts get paid.

#[path = "tidy/commands.rs"]
mod commands;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/places.rs"]
mod places;
#[path = "tidy/profiles.rs"]
mod profiles;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

/// Fails with one line a complaint.
#[track_caller]
fn check(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
