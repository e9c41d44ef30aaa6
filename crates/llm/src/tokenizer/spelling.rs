//! Which bytes each token spells, by the rules of the file's decoder, worked out once when it is read.
//!
//! | decoder | what it does to a token |
//! |---|---|
//! | `ByteLevel` | each letter is a byte: GPT-2's alphabet of 256 printable letters; a token with another letter is itself |
//! | `ByteFallback` | `<0x0A>` is that byte |
//! | `Replace` | one string for another, most often a space for U+2581 |
//! | `Metaspace` | the same, and no space at the start of a text |
//! | `Fuse`, `Strip` | of the whole text: spaces are taken off its start |

use serde_json::Value;

use super::TokenizerError;
use super::file::{File, flattened, kind};

/// The table: bytes of all tokens, one after the other.
#[derive(Debug)]
pub(crate) struct Spelling {
    bytes: Vec<u8>,
    /// Where the bytes of each id end.
    ends: Vec<u32>,
    control: Vec<bool>,
    /// Letters to take off the start of a text, and how many at most.
    pub(super) strip: (char, usize),
    /// Byte fallback: each byte that is not of a letter shows as one U+FFFD; else each stretch of them does.
    pub(super) by_byte: bool,
}

enum Step {
    ByteLevel,
    ByteFallback,
    Replace(String, String),
}

impl Spelling {
    pub(super) fn new(file: &File) -> Result<Self, TokenizerError> {
        let (steps, strip) = steps(file.decoder.as_ref())?;
        let ids = file.model.vocab.0.values().copied().chain(file.added_tokens.iter().map(|token| token.id));
        let len = ids.max().map_or(0, |id| usize::try_from(id).unwrap_or_default() + 1);
        let (mut spellings, mut control) = (vec![""; len], vec![false; len]);
        // Ids were checked; of two spellings of one id the greater counts, an added one before all.
        for (token, &id) in &file.model.vocab.0 {
            let place = usize::try_from(id).ok().and_then(|id| spellings.get_mut(id));
            if let Some(place) = place.filter(|place| **place < token.as_str()) {
                *place = token;
            }
        }
        for token in &file.added_tokens {
            let id = usize::try_from(token.id).unwrap_or(usize::MAX);
            if let (Some(place), Some(control)) = (spellings.get_mut(id), control.get_mut(id)) {
                *place = &token.content;
                *control = token.is_control() && file.model.unk_token.as_ref() != Some(&token.content);
            }
        }
        let alphabet = alphabet();
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(len));
        for token in spellings {
            spell(token, &steps, &alphabet, &mut bytes);
            let end = u32::try_from(bytes.len());
            ends.push(end.map_err(|_| TokenizerError::Part { part: "model", reason: "over 4 GB".to_owned() })?);
        }
        let by_byte = steps.iter().any(|step| matches!(step, Step::ByteFallback));
        Ok(Self { bytes, ends, control, strip, by_byte })
    }

    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        let Ok(id) = usize::try_from(id) else {
            return &[];
        };
        let end = |id: usize| self.ends.get(id).and_then(|&end| usize::try_from(end).ok());
        let start = if id == 0 { Some(0) } else { end(id - 1) };
        start.zip(end(id)).map_or(&[], |(start, end)| &self.bytes[start..end])
    }

    pub(super) fn is_control(&self, id: u32) -> bool {
        usize::try_from(id).ok().and_then(|id| self.control.get(id)).copied().unwrap_or(false)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// The decoder as steps, and what to strip off the start.
fn steps(decoder: Option<&Value>) -> Result<(Vec<Step>, (char, usize)), TokenizerError> {
    let (mut steps, mut strip, mut fused) = (Vec::new(), (' ', 0), false);
    let unsupported = |name: &str| TokenizerError::Unsupported { part: "decoder", name: name.to_owned() };
    let parts = flattened(decoder, "decoders");
    if parts.is_empty() {
        return Err(unsupported("missing"));
    }
    for part in parts {
        let text = |member: &str| part.get(member).and_then(Value::as_str);
        match kind(part) {
            "ByteLevel" => steps.push(Step::ByteLevel),
            "ByteFallback" => steps.push(Step::ByteFallback),
            "Fuse" => fused = true,
            "Replace" => {
                let from = part.pointer("/pattern/String").and_then(Value::as_str).filter(|from| !from.is_empty());
                let pair = from.zip(text("content")).ok_or_else(|| unsupported("Replace by a regular expression"))?;
                steps.push(Step::Replace(pair.0.to_owned(), pair.1.to_owned()));
            }
            "Metaspace" => {
                let space = text("replacement").unwrap_or("\u{2581}");
                steps.push(Step::Replace(space.to_owned(), " ".to_owned()));
                let never = text("prepend_scheme") == Some("never")
                    || part.get("add_prefix_space") == Some(&Value::Bool(false));
                strip.1 = usize::from(!never);
            }
            "Strip" if fused && part.get("stop").and_then(Value::as_u64) == Some(0) => {
                let letter = text("content").and_then(|content| content.chars().next()).unwrap_or(' ');
                let count = part.get("start").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
                strip = (letter, count.unwrap_or(0));
            }
            other => return Err(unsupported(other)),
        }
    }
    Ok((steps, strip))
}

/// Appends the bytes of one token.
fn spell(token: &str, steps: &[Step], alphabet: &[Option<u8>], bytes: &mut Vec<u8>) {
    let mut text = token.to_owned();
    for step in steps {
        match step {
            Step::Replace(from, to) => text = text.replace(from, to),
            Step::ByteFallback => {
                if let Some(byte) = fallback(&text) {
                    bytes.push(byte);
                    return;
                }
            }
            Step::ByteLevel => {
                let byte = |letter: char| *alphabet.get(usize::try_from(u32::from(letter)).ok()?)?;
                if let Some(spelt) = text.chars().map(byte).collect::<Option<Vec<u8>>>() {
                    bytes.extend(spelt);
                    return;
                }
            }
        }
    }
    bytes.extend(text.as_bytes());
}

/// The byte of `<0x0A>`.
fn fallback(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>').filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

/// GPT-2's alphabet: printable Latin-1 letters are their own byte, the others stand from U+0100 on, in order. Indexed by
/// code point. Source: Radford et al., `encoder.py` of GPT-2, 2019.
fn alphabet() -> Vec<Option<u8>> {
    let mut alphabet = vec![None; 512];
    let mut next = 256;
    for byte in 0..=u8::MAX {
        let printable = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        let place = if printable { usize::from(byte) } else { next };
        next += usize::from(!printable);
        alphabet[place] = Some(byte);
    }
    alphabet
}
