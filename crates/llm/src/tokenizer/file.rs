//! What stands in a `tokenizer.json`, and what must hold before anything is built from it.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::TokenizerError;

/// The file. Truncation, padding and dropout are of no use here and not read.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(super) normalizer: Option<Value>,
    #[serde(default)]
    pub(super) pre_tokenizer: Option<Value>,
    #[serde(default)]
    pub(super) post_processor: Option<Value>,
    #[serde(default)]
    pub(super) decoder: Option<Value>,
    pub(super) model: Model,
}

#[derive(Debug, Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
    #[serde(default)]
    pub(super) normalized: bool,
    #[serde(default)]
    pub(super) special: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    pub(super) vocab: Vocabulary,
    #[serde(default)]
    pub(super) merges: Vec<Merge>,
    #[serde(default)]
    pub(super) unk_token: Option<String>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(super) fuse_unk: Option<bool>,
    #[serde(default)]
    pub(super) byte_fallback: Option<bool>,
    #[serde(default)]
    pub(super) ignore_merges: Option<bool>,
}

/// Spelling to id; empty where the file has another form (that of a model which is refused by name).
#[derive(Debug)]
pub(super) struct Vocabulary(pub(super) HashMap<String, u32>);

/// Two tokens that become one.
#[derive(Debug)]
pub(super) struct Merge(pub(super) String, pub(super) String);

impl AddedToken {
    /// White space alone means nothing beyond itself.
    pub(super) fn is_control(&self) -> bool {
        !self.content.chars().all(|letter| letter.is_whitespace() || letter == '\u{2581}')
    }
}

impl File {
    /// The control tokens, in the file's order.
    pub(super) fn control(&self) -> impl Iterator<Item = &AddedToken> {
        self.added_tokens.iter().filter(|token| token.is_control())
    }

    /// The kind of model, ids below `vocabulary`, added tokens that agree with it, merges of what exists.
    pub(super) fn check(&self, vocabulary: usize) -> Result<(), TokenizerError> {
        self.check_model()?;
        let fits = |token: &str, id: u32| match usize::try_from(id) {
            Ok(index) if index < vocabulary => Ok(()),
            _ => Err(TokenizerError::OutOfVocabulary { token: token.to_owned(), id, vocabulary }),
        };
        // The highest, so that the message does not depend on the order of a hash table.
        if let Some((token, &id)) = self.model.vocab.0.iter().max_by_key(|(_, id)| **id) {
            fits(token, id)?;
        }
        let mut seen = HashMap::new();
        for token in &self.added_tokens {
            fits(&token.content, token.id)?;
            let refused =
                |reason: String| Err(TokenizerError::Added { token: token.content.clone(), id: token.id, reason });
            if token.content.is_empty() {
                return refused("has no spelling".to_owned());
            }
            let earlier =
                seen.insert(token.content.as_str(), token.id).or(self.model.vocab.0.get(&token.content).copied());
            if let Some(other) = earlier.filter(|other| *other != token.id) {
                return refused(format!("has also the id {other}"));
            }
        }
        self.check_control()?;
        self.check_merges()
    }

    /// No other spelling has the id of a control token, or foreign text could reach it by that.
    fn check_control(&self) -> Result<(), TokenizerError> {
        let control: HashMap<u32, &str> = self.control().map(|token| (token.id, token.content.as_str())).collect();
        let added = self.added_tokens.iter().map(|token| (&token.content, token.id));
        for (spelling, id) in self.model.vocab.0.iter().map(|(token, &id)| (token, id)).chain(added) {
            if let Some(&token) = control.get(&id).filter(|token| *token != spelling) {
                let reason = format!("shares its id with {spelling:?}");
                return Err(TokenizerError::Added { token: token.to_owned(), id, reason });
            }
        }
        Ok(())
    }

    fn check_model(&self) -> Result<(), TokenizerError> {
        let unsupported = |name: &str| Err(TokenizerError::Unsupported { part: "model", name: name.to_owned() });
        let model = &self.model;
        let set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        match model.kind.as_deref() {
            // Old files do not say what they are.
            Some("BPE") | None => {}
            Some(other) => return unsupported(other),
        }
        if set(&model.continuing_subword_prefix) || set(&model.end_of_word_suffix) {
            return unsupported("BPE with a prefix or suffix of words");
        }
        if let Some(unknown) = model.unk_token.as_ref().filter(|unknown| !model.vocab.0.contains_key(*unknown)) {
            let reason = format!("unk_token {unknown:?} is no token");
            return Err(TokenizerError::Part { part: "model", reason });
        }
        Ok(())
    }

    fn check_merges(&self) -> Result<(), TokenizerError> {
        let mut joined = String::new();
        for (number, Merge(left, right)) in self.model.merges.iter().enumerate() {
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            for part in [left, right, &joined] {
                if !self.model.vocab.0.contains_key(part) {
                    let (left, right, missing) = (left.clone(), right.clone(), part.clone());
                    return Err(TokenizerError::Merge { number, left, right, missing });
                }
            }
        }
        Ok(())
    }

    /// Ids before and after a whole text, from the post-processor's template for one sequence.
    pub(super) fn frame(&self, vocabulary: usize) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for processor in flattened(self.post_processor.as_ref(), "processors") {
            match kind(processor) {
                "ByteLevel" => {}
                "TemplateProcessing" => {
                    let mut side = &mut before;
                    for step in processor.get("single").and_then(Value::as_array).into_iter().flatten() {
                        if step.get("Sequence").is_some() {
                            side = &mut after;
                        } else {
                            side.extend(special_ids(processor, step, vocabulary)?);
                        }
                    }
                }
                other => {
                    return Err(TokenizerError::Unsupported { part: "post-processor", name: other.to_owned() });
                }
            }
        }
        Ok((before, after))
    }
}

/// The ids of `{"SpecialToken": {"id": name}}` by the processor's own list.
fn special_ids(processor: &Value, step: &Value, vocabulary: usize) -> Result<Vec<u32>, TokenizerError> {
    let name = step.pointer("/SpecialToken/id").and_then(Value::as_str).unwrap_or_default();
    let ids = processor.get("special_tokens").and_then(|all| all.get(name)?.get("ids")?.as_array());
    let Some(ids) = ids else {
        let reason = format!("its template names {name:?}, which it does not define");
        return Err(TokenizerError::Part { part: "post-processor", reason });
    };
    let valid =
        |id: &Value| u32::try_from(id.as_u64()?).ok().filter(|&id| usize::try_from(id).is_ok_and(|id| id < vocabulary));
    ids.iter().map(valid).collect::<Option<_>>().ok_or_else(|| {
        let reason = format!("an id of {name:?} is none of the {vocabulary} of the model");
        TokenizerError::Part { part: "post-processor", reason }
    })
}

/// The parts of a `Sequence` under `member`, of sequences in it, or the part itself; nothing for `null`.
pub(super) fn flattened<'a>(part: Option<&'a Value>, member: &str) -> Vec<&'a Value> {
    match part {
        None | Some(Value::Null) => Vec::new(),
        Some(part) if kind(part) == "Sequence" => {
            let parts = part.get(member).and_then(Value::as_array);
            parts.into_iter().flatten().flat_map(|part| flattened(Some(part), member)).collect()
        }
        Some(part) => vec![part],
    }
}

/// What a part calls itself.
pub(super) fn kind(part: &Value) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or("without a type")
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vocabulary;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a vocabulary: spellings with their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut tokens = HashMap::new();
                while let Some((token, id)) = map.next_entry()? {
                    tokens.insert(token, id);
                }
                Ok(Vocabulary(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Vocabulary(HashMap::new()))
            }
        }
        deserializer.deserialize_any(Pairs)
    }
}

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a merge: two tokens, in a list or with a space between them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                match text.split_once(' ') {
                    Some((left, right)) if !right.contains(' ') => Ok(Merge(left.to_owned(), right.to_owned())),
                    _ => Err(E::custom(format!("the merge {text:?} is not of two tokens"))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let pair = (list.next_element()?, list.next_element()?, list.next_element::<IgnoredAny>()?);
                match pair {
                    (Some(left), Some(right), None) => Ok(Merge(left, right)),
                    _ => Err(serde::de::Error::custom("a merge is not of two tokens")),
                }
            }
        }
        deserializer.deserialize_any(Pair)
    }
}
