//! Text of two kinds in one string: *trusted* (written by the model's makers, or by us), in which the spelling of a control
//! token is one, and *foreign* (from users, events, the model itself), in which it never is.
//!
//! A chat template joins, trims, cuts and compares its inputs as it likes, so a list of pieces would not survive it. Here
//! each character carries its own mark: in foreign text those that occur in the spelling of a control token are replaced
//! by *twins* from U+100000 on, a corner of a private-use plane. White space and every character that no control token
//! has stays, so `trim`, tests for emptiness and joins see what they would see. After rendering, control tokens are looked
//! for in untwinned characters only, then twins turn back. A control token that is found therefore has no foreign
//! character (save white space inside its spelling), whatever the template did: joined halves, changed case, cut slices.
//!
//! What it costs: a template that looks *into* foreign text (`startswith`, `in`, `replace`, `upper`) does not see marked
//! characters for what they are. It then takes the branch for text without them: safe, though perhaps not what the
//! reference renders; `template` tells when that happened.
//!
//! Foreign and trusted text lose the characters that stand for something here (twins, and the noncharacters U+FDD0 to
//! U+FDEF that [`veil`] uses): they become U+FFFD.

#[cfg(test)]
mod tests;

/// Where twins begin: supplementary private use area B, which no font and no protocol is known to use.
const TWINS: u32 = 0x10_0000;
/// Different characters in all control tokens of a tokenizer at most.
pub const MARKED_CHARACTERS_MAX: usize = 4096;
/// The noncharacters that [`veil`] spells with: never legal in exchanged text.
const NONCHARACTERS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// Which characters are marked: those of one tokenizer's control tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// Sorted, each once, no white space. The twin of number n is U+100000 + n.
    characters: Vec<char>,
}

/// Text in which foreign characters are marked. It belongs to the [`Marking`] that made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarkedText(String);

impl Marking {
    /// Marks what occurs in these spellings.
    ///
    /// # Errors
    /// The number of different characters, if there are more than [`MARKED_CHARACTERS_MAX`].
    pub fn new<'a>(spellings: impl Iterator<Item = &'a str>) -> Result<Self, usize> {
        let mut characters: Vec<char> = spellings.flat_map(str::chars).filter(|it| !it.is_whitespace()).collect();
        characters.sort_unstable();
        characters.dedup();
        if characters.len() > MARKED_CHARACTERS_MAX {
            return Err(characters.len());
        }
        Ok(Self { characters })
    }

    /// Foreign text with its marks.
    #[must_use]
    pub fn foreign(&self, text: &str) -> String {
        text.chars().map(|letter| self.marked(letter)).collect()
    }

    /// Trusted text: without marks, and without characters that could pass for one.
    #[must_use]
    pub fn trusted(&self, text: &str) -> String {
        text.chars().map(|letter| self.harmless(letter)).collect()
    }

    /// What a reader should see of marked text.
    #[must_use]
    pub fn plain(&self, text: &MarkedText) -> String {
        text.0.chars().map(|letter| self.original(letter)).collect()
    }

    /// `letter` if it is no twin, else what it is the twin of.
    pub(crate) fn original(&self, letter: char) -> char {
        self.twin_number(letter).and_then(|number| self.characters.get(number)).copied().unwrap_or(letter)
    }

    fn marked(&self, letter: char) -> char {
        match self.characters.binary_search(&letter) {
            Ok(number) => twin(number),
            Err(_) => self.harmless(letter),
        }
    }

    fn harmless(&self, letter: char) -> char {
        let special = NONCHARACTERS.contains(&letter) || self.twin_number(letter).is_some();
        if special { char::REPLACEMENT_CHARACTER } else { letter }
    }

    fn twin_number(&self, letter: char) -> Option<usize> {
        let number = usize::try_from(u32::from(letter).checked_sub(TWINS)?).ok()?;
        (number < self.characters.len()).then_some(number)
    }
}

impl MarkedText {
    /// What a template rendered from parts that [`Marking`] made.
    pub(crate) fn rendered(text: String) -> Self {
        Self(text)
    }

    /// Appends trusted text.
    pub fn push_trusted(&mut self, marking: &Marking, text: &str) {
        self.0.push_str(&marking.trusted(text));
    }

    /// Appends foreign text.
    pub fn push_foreign(&mut self, marking: &Marking, text: &str) {
        self.0.push_str(&marking.foreign(text));
    }

    /// The text with its marks.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Stands for control token number `number` in the text that the inner tokenizer gets. Spelt in noncharacters, which
/// neither kind of text keeps, so nobody can write it; no veil is the beginning of another.
pub(crate) fn veil(number: usize) -> String {
    // U+FDD0, digits of base 30 from U+FDD1 to U+FDEE, U+FDEF.
    let mut spelt = vec!['\u{fdef}'];
    let mut rest = number;
    loop {
        let digit = u8::try_from(rest % 30).unwrap_or_default();
        spelt.push(char::from_u32(0xfdd1 + u32::from(digit)).unwrap_or_default());
        rest /= 30;
        if rest == 0 {
            break;
        }
    }
    spelt.push('\u{fdd0}');
    spelt.into_iter().rev().collect()
}

fn twin(number: usize) -> char {
    let code = u32::try_from(number).ok().and_then(|number| TWINS.checked_add(number));
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
