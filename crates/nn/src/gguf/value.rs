//! The values of a file's keys.

use super::cursor::Cursor;
use super::error::GgufFault;

/// Elements of all arrays of one file together: a vocabulary's tokens, scores, types and merges, with much room.
const ELEMENTS_MAX: u64 = 1 << 23;

/// A key's value. Widths are forgotten: what was u8 or u64 is [`Value::Unsigned`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number, 0 or more, from an unsigned type.
    Unsigned(u64),
    /// A whole number from a signed type.
    Signed(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(String),
    /// An array of whole numbers.
    Integers(Vec<i64>),
    /// An array of numbers.
    Floats(Vec<f64>),
    /// An array of truth values.
    Bools(Vec<bool>),
    /// An array of texts.
    Texts(Vec<String>),
}

/// The types by their numbers in the file.
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

impl Value {
    /// What it is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) | Self::Signed(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Text(_) => "a text",
            Self::Integers(_) => "an array of whole numbers",
            Self::Floats(_) => "an array of numbers",
            Self::Bools(_) => "an array of truth values",
            Self::Texts(_) => "an array of texts",
        }
    }

    /// As a whole number, 0 or more.
    #[must_use]
    pub fn as_count(&self) -> Option<usize> {
        match *self {
            Self::Unsigned(value) => usize::try_from(value).ok(),
            Self::Signed(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    /// As a number.
    #[expect(clippy::cast_precision_loss, reason = "keys that are numbers are small; a large one is refused later")]
    #[must_use]
    pub const fn as_number(&self) -> Option<f64> {
        match *self {
            Self::Float(value) => Some(value),
            Self::Unsigned(value) => Some(value as f64),
            Self::Signed(value) => Some(value as f64),
            _ => None,
        }
    }

    /// Reads the value of `key`. `elements` counts those of all arrays.
    pub(super) fn read(cursor: &mut Cursor<'_>, key: &str, elements: &mut u64) -> Result<Self, GgufFault> {
        let what = || format!("the value of `{key}`");
        let kind = cursor.u32(&what)?;
        match kind {
            TEXT => Ok(Self::Text(cursor.string(&what)?.to_owned())),
            ARRAY => Self::read_array(cursor, key, elements),
            kind => Scalar::read(cursor, kind, key).map(Self::from),
        }
    }

    fn read_array(cursor: &mut Cursor<'_>, key: &str, elements: &mut u64) -> Result<Self, GgufFault> {
        let what = || format!("the array of `{key}`");
        let kind = cursor.u32(&what)?;
        let count = cursor.u64(&what)?;
        *elements = elements.saturating_add(count);
        if *elements > ELEMENTS_MAX {
            let what = format!("the number of elements in arrays up to `{key}`");
            return Err(GgufFault::TooLarge { what, found: *elements, max: ELEMENTS_MAX });
        }
        // Before memory is taken: no element is shorter than a byte, no string than its length of 8.
        let shortest = if kind == TEXT { 8 } else { 1 };
        if count.saturating_mul(shortest) > cursor.left() as u64 {
            return Err(GgufFault::Truncated { what: what(), at: cursor.at() + cursor.left() });
        }
        if kind == ARRAY {
            return Err(GgufFault::Key { key: key.to_owned(), reason: String::from("arrays of arrays are not read") });
        }
        if kind == TEXT {
            let texts = (0..count).map(|_| cursor.string(&what).map(str::to_owned));
            return texts.collect::<Result<_, _>>().map(Self::Texts);
        }
        let scalars: Vec<Scalar> =
            (0..count).map(|_| Scalar::read(cursor, kind, key)).collect::<Result<_, GgufFault>>()?;
        Self::from_scalars(&scalars)
            .ok_or_else(|| GgufFault::Key { key: key.to_owned(), reason: String::from("a number above 2^63 - 1") })
    }

    /// One array of a type of its own; `None` when a whole number is too large for it.
    fn from_scalars(scalars: &[Scalar]) -> Option<Self> {
        let integer = |scalar: &Scalar| match *scalar {
            Scalar::Unsigned(value) => i64::try_from(value).ok(),
            Scalar::Signed(value) => Some(value),
            Scalar::Float(_) | Scalar::Bool(_) => None,
        };
        match scalars.first() {
            Some(Scalar::Float(_)) => {
                let float = |scalar: &Scalar| if let Scalar::Float(value) = scalar { Some(*value) } else { None };
                Some(Self::Floats(scalars.iter().filter_map(float).collect()))
            }
            Some(Scalar::Bool(_)) => {
                let flag = |scalar: &Scalar| if let Scalar::Bool(value) = scalar { Some(*value) } else { None };
                Some(Self::Bools(scalars.iter().filter_map(flag).collect()))
            }
            _ => scalars.iter().map(integer).collect::<Option<_>>().map(Self::Integers),
        }
    }
}

/// One number.
#[derive(Clone, Copy, Debug)]
enum Scalar {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Unsigned(value) => Self::Unsigned(value),
            Scalar::Signed(value) => Self::Signed(value),
            Scalar::Float(value) => Self::Float(value),
            Scalar::Bool(value) => Self::Bool(value),
        }
    }
}

impl Scalar {
    fn read(cursor: &mut Cursor<'_>, kind: u32, key: &str) -> Result<Self, GgufFault> {
        let what = || format!("the value of `{key}`");
        let unsigned = |value: u64| Ok(Self::Unsigned(value));
        let signed = |value: i64| Ok(Self::Signed(value));
        match kind {
            0 => unsigned(u8::from_le_bytes(cursor.array(&what)?).into()),
            1 => signed(i8::from_le_bytes(cursor.array(&what)?).into()),
            2 => unsigned(u16::from_le_bytes(cursor.array(&what)?).into()),
            3 => signed(i16::from_le_bytes(cursor.array(&what)?).into()),
            4 => unsigned(cursor.u32(&what)?.into()),
            5 => signed(i32::from_le_bytes(cursor.array(&what)?).into()),
            6 => Ok(Self::Float(f32::from_le_bytes(cursor.array(&what)?).into())),
            7 => match cursor.array(&what)? {
                [0] => Ok(Self::Bool(false)),
                [1] => Ok(Self::Bool(true)),
                [other] => {
                    let reason = format!("a truth value of {other}, which is neither 0 nor 1");
                    Err(GgufFault::Key { key: key.to_owned(), reason })
                }
            },
            10 => unsigned(cursor.u64(&what)?),
            11 => signed(i64::from_le_bytes(cursor.array(&what)?)),
            12 => Ok(Self::Float(f64::from_le_bytes(cursor.array(&what)?))),
            other => {
                let reason = format!("its type {other} is not known; types 0 to 12 are");
                Err(GgufFault::Key { key: key.to_owned(), reason })
            }
        }
    }
}
