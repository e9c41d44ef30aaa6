//! The copyright file (DEP-5): our own part from `deploy/debian/copyright`, and a paragraph for every crate that the binary
//! links, with the notices and licence texts that the crates ship.

mod crates;
mod expression;
mod texts;

use std::collections::BTreeSet;

use crates::Crate;
use expression::Expression;
use texts::Texts;

use crate::process::repository_root;

/// Our own part: header, our files, and what came from elsewhere.
const OWN: &str = "deploy/debian/copyright";
/// Licences that our own part names.
const OWN_LICENCES: [&str; 4] = ["MIT", "Apache-2.0", "CC0-1.0", "BSD-3-Clause"];

/// The whole file for a build for `triple`.
pub(crate) fn text(triple: &str) -> Result<String, String> {
    let own =
        std::fs::read_to_string(repository_root().join(OWN)).map_err(|error| format!("cannot read {OWN}: {error}"))?;
    compose(&own, &crates::linked(triple)?)
}

fn compose(own: &str, crates: &[Crate]) -> Result<String, String> {
    let mut texts = Texts::default();
    let mut licensed = Vec::new();
    for found in crates {
        let expression = Expression::parse(&found.licence).map_err(|reason| {
            let Crate { name, licence, .. } = found;
            format!("the licence {licence:?} of {name}: {reason}")
        })?;
        for licence in expression.licences() {
            texts.learn(licence, found);
        }
        licensed.push((found, expression));
    }

    let mut text = own.trim_end().to_owned() + "\n";
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for licence in OWN_LICENCES {
        used.insert((texts::debian_name(licence), licence.to_owned()));
    }
    for (found, expression) in &licensed {
        let name = |licence: &str| texts.short_name(licence, found);
        used.extend(expression.licences().into_iter().map(|licence| (name(licence), licence.to_owned())));
        text += &paragraph(found, &expression.debian(&name)?);
    }
    for (name, licence) in used.into_iter().filter(|(name, _)| !own.contains(&format!("\nLicense: {name}\n "))) {
        text += &format!("\nLicense: {name}\n{}", indented(&texts.text(&name, &licence)?));
    }
    Ok(text)
}

fn paragraph(found: &Crate, licence: &str) -> String {
    let notices = found.notices().join("\n ");
    format!("\nFiles: registry/{}-{}/*\nCopyright: {notices}\nLicense: {licence}\n", found.name, found.version)
}

/// Lines of a field that goes on: a space before each, and a dot where there is nothing.
fn indented(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim_end);
    lines.map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") }).collect()
}

#[cfg(test)]
mod tests;
