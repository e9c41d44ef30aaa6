//! Licence expressions: SPDX as `Cargo.toml` has them in, DEP-5's form out.

/// What a crate is licensed under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// One licence by its SPDX name, with its exception: `Apache-2.0 WITH LLVM-exception`.
    Licence(String),
    /// All of them at once.
    All(Vec<Self>),
    /// Any of them, as one likes.
    Any(Vec<Self>),
}

impl Expression {
    /// Reads an SPDX expression; a slash is the older form of `OR`.
    ///
    /// # Errors
    /// Says what stands where something else must.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
        let expression = any(&mut words)?;
        match words.pop() {
            None => Ok(expression),
            Some(word) => Err(format!("{word:?} stands where it should end")),
        }
    }

    /// Every licence that is named.
    pub(super) fn licences(&self) -> Vec<&str> {
        match self {
            Self::Licence(name) => vec![name],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::licences).collect(),
        }
    }

    /// DEP-5's form: `and` binds more closely than `or`, and a comma before `and` less closely than both.
    ///
    /// # Errors
    /// For nestings that the form cannot say.
    pub(super) fn debian(&self, name: &impl Fn(&str) -> String) -> Result<String, String> {
        match self {
            Self::Licence(licence) => Ok(name(licence)),
            Self::Any(parts) => {
                let parts: Result<Vec<String>, String> = parts.iter().map(|part| part.conjunction(name)).collect();
                Ok(parts?.join(" or "))
            }
            Self::All(parts) => {
                let has_choice = parts.iter().any(|part| matches!(part, Self::Any(_)));
                let parts: Result<Vec<String>, String> = parts.iter().map(|part| part.debian(name)).collect();
                Ok(parts?.join(if has_choice { ", and " } else { " and " }))
            }
        }
    }

    /// DEP-5's form as a part of an `or`.
    fn conjunction(&self, name: &impl Fn(&str) -> String) -> Result<String, String> {
        match self {
            Self::All(parts) if parts.iter().any(|part| !matches!(part, Self::Licence(_))) => {
                Err("a choice inside of an `and` inside of an `or` has no form in a copyright file".to_owned())
            }
            part => part.debian(name),
        }
    }
}

/// `A OR B`; the next word is the last of `words`.
fn any(words: &mut Vec<&str>) -> Result<Expression, String> {
    let mut parts = vec![all(words)?];
    while words.last() == Some(&"OR") {
        words.pop();
        parts.push(all(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
}

fn all(words: &mut Vec<&str>) -> Result<Expression, String> {
    let mut parts = vec![one(words)?];
    while words.last() == Some(&"AND") {
        words.pop();
        parts.push(one(words)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
}

fn one(words: &mut Vec<&str>) -> Result<Expression, String> {
    match words.pop() {
        Some("(") => {
            let inside = any(words)?;
            match words.pop() {
                Some(")") => Ok(inside),
                other => Err(format!("{other:?} stands where a bracket should close")),
            }
        }
        Some(word) if !["OR", "AND", "WITH", ")"].contains(&word) => {
            if words.last() != Some(&"WITH") {
                return Ok(Expression::Licence(word.to_owned()));
            }
            words.pop();
            let exception = words.pop().ok_or("WITH is followed by nothing")?;
            Ok(Expression::Licence(format!("{word} WITH {exception}")))
        }
        other => Err(format!("{other:?} stands where a licence should")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spdx: &str, debian: &str) {
        let found = Expression::parse(spdx).and_then(|expression| expression.debian(&str::to_lowercase));
        assert_eq!(found.as_deref(), Ok(debian), "{spdx}");
    }

    #[test]
    fn precedence_survives() {
        check("MIT", "mit");
        check("MIT/Apache-2.0", "mit or apache-2.0");
        check("MIT OR Apache-2.0 AND ISC", "mit or apache-2.0 and isc");
        check("(MIT OR Apache-2.0) AND Unicode-3.0", "mit or apache-2.0, and unicode-3.0");
        check("Apache-2.0 WITH LLVM-exception OR MIT", "apache-2.0 with llvm-exception or mit");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT WITH", "MIT Apache-2.0"] {
            assert!(Expression::parse(text).is_err(), "{text:?}");
        }
        let nested = Expression::parse("MIT OR ((A OR B) AND C)").unwrap();
        assert!(nested.debian(&str::to_owned).is_err());
    }
}
