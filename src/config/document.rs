//! The file and the environment's overrides as one document: every value known by its key and its place, each held
//! against the table of keys.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::env::{Environment, OVERRIDE_PREFIX};
use super::key::{Key, Section};
use super::problem::{Origin, Problem, Problems};
use super::raw::{Raw, SECTIONS};

/// The largest configuration file that we read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Syntax errors told: one often draws others after it.
const SYNTAX_ERRORS_MAX: usize = 3;

/// The text of the file.
///
/// # Errors
/// One problem that names the file.
pub(super) fn read(path: &Path) -> Result<String, Problems> {
    let problem = |message: String| {
        Problems(vec![Problem { place: Some(path.display().to_string()), key: String::new(), message }])
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| problem(format!("it can't be read ({error}); check the path and who may read it")))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(problem(format!("it has more than {FILE_BYTES_MAX} bytes; this is no configuration of ours")));
    }
    String::from_utf8(bytes).map_err(|_| problem("it is no UTF-8 text; save it as UTF-8".to_owned()))
}

/// The document: what was right, where everything stands, and what was wrong.
#[derive(Debug)]
pub(super) struct Document {
    /// The values that passed, typed.
    pub(super) raw: Raw,
    /// Where each key's value came from.
    origins: BTreeMap<String, Origin>,
    /// The file's name for messages.
    file: String,
    /// What was wrong so far.
    pub(super) problems: Vec<Problem>,
}

impl Document {
    /// Reads `text`, lays the overrides over it, checks every key, type and range.
    pub(super) fn parse(text: &str, file: Option<&Path>, environment: &Environment) -> Self {
        let mut document = Self {
            raw: Raw::default(),
            origins: BTreeMap::new(),
            file: file.map_or_else(|| "the environment".to_owned(), |path| path.display().to_string()),
            problems: Vec::new(),
        };
        let mut table = Table::new();
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in errors.into_iter().take(SYNTAX_ERRORS_MAX) {
            let line = error.span().map(|span| Origin::Line(line_of(text, span.start)));
            document.problem_at(line.as_ref(), "", format!("this is no TOML: {}", error.message()));
        }
        // After a syntax error the rest of the tree is guesswork, and complaints about it would mislead.
        if document.problems.is_empty() {
            document.take_sections(text, parsed.get_ref(), &mut table);
            document.take_overrides(environment, &mut table);
            match table.try_into::<Raw>() {
                Ok(raw) => document.raw = raw,
                Err(error) => document.problem_at(None, "", error.message().to_owned()),
            }
        }
        document
    }

    /// Adds a problem with `key`, at the place where its value stands.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origins.get(key).or_else(|| self.origins.get(section_of(key))).cloned();
        self.problem_at(origin.as_ref(), key, message.into());
    }

    fn problem_at(&mut self, origin: Option<&Origin>, key: &str, message: String) {
        let place = origin.map(|origin| match origin {
            Origin::Line(line) => format!("{}:{line}", self.file),
            Origin::Variable(name) => name.clone(),
        });
        self.problems.push(Problem { place, key: key.to_owned(), message });
    }

    fn take_sections(&mut self, text: &str, file: &DeTable<'_>, table: &mut Table) {
        for (name, value) in file {
            let line = Origin::Line(line_of(text, name.span().start));
            let name = name.get_ref().as_ref();
            match section_called(name) {
                Some(section) => self.take_section(text, section, &line, value.get_ref(), table),
                None => self.problem_at(Some(&line), name, unknown("section", name, &sections_within(""))),
            }
        }
    }

    fn take_section(&mut self, text: &str, section: &Section, line: &Origin, value: &DeValue<'_>, table: &mut Table) {
        let path = section.name;
        let name = path.rsplit('.').next().unwrap_or(path);
        match (section.is_list, value) {
            (false, DeValue::Table(keys)) => {
                let keys = self.take_keys(text, section, path, line, keys);
                table.insert(name.to_owned(), Value::Table(keys));
            }
            (true, DeValue::Array(entries)) => {
                let entries = self.take_entries(text, section, line, entries.iter());
                table.insert(name.to_owned(), Value::Array(entries));
            }
            (true, _) => {
                self.problem_at(Some(line), path, format!("there may be several of these; write [[{path}]]"));
            }
            (false, _) => {
                self.problem_at(Some(line), path, format!("this is a section; write [{path}], once"));
            }
        }
    }

    fn take_entries<'a>(
        &mut self,
        text: &str,
        section: &Section,
        line: &Origin,
        entries: impl Iterator<Item = &'a Spanned<DeValue<'a>>>,
    ) -> Vec<Value> {
        let mut taken = Vec::new();
        for (index, entry) in entries.enumerate() {
            let path = format!("{}[{index}]", section.name);
            let line =
                if entry.span().is_empty() { line.clone() } else { Origin::Line(line_of(text, entry.span().start)) };
            if let DeValue::Table(keys) = entry.get_ref() {
                taken.push(Value::Table(self.take_keys(text, section, &path, &line, keys)));
            } else {
                self.problem_at(Some(&line), &path, format!("this is no section; write [[{}]]", section.name));
            }
        }
        taken
    }

    fn take_keys(&mut self, text: &str, section: &Section, path: &str, line: &Origin, keys: &DeTable<'_>) -> Table {
        self.origins.insert(path.to_owned(), line.clone());
        let mut taken = Table::new();
        for (name, value) in keys {
            let line = Origin::Line(line_of(text, name.span().start));
            let name = name.get_ref().as_ref();
            let path = format!("{path}.{name}");
            if let Some(inner) = section_called(&path) {
                self.take_section(text, inner, &line, value.get_ref(), &mut taken);
                continue;
            }
            let Some(key) = section.keys.iter().find(|key| key.name == name) else {
                let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
                let known = [known, sections_within(section.name)].concat();
                self.problem_at(Some(&line), &path, unknown("key", name, &known));
                continue;
            };
            self.origins.insert(path.clone(), line);
            self.take_value(key, &path, plain(value.get_ref()), &mut taken);
        }
        taken
    }

    fn take_value(&mut self, key: &Key, path: &str, value: Value, into: &mut Table) {
        match key.kind.check(value) {
            Ok(value) => drop(into.insert(key.name.to_owned(), value)),
            Err(message) => {
                into.remove(key.name);
                self.problem(path, message);
            }
        }
    }

    fn take_overrides(&mut self, environment: &Environment, table: &mut Table) {
        for (name, value) in environment.overrides() {
            if let Err(message) = self.take_override(name, value, table) {
                self.problem_at(Some(&Origin::Variable(name.to_owned())), "", message);
            }
        }
    }

    fn take_override(&mut self, name: &str, value: &str, table: &mut Table) -> Result<(), String> {
        let words: Vec<String> = name.trim_start_matches(OVERRIDE_PREFIX).split("__").map(str::to_lowercase).collect();
        let shape = "the name is CLAWDBOT__SECTION__KEY, or CLAWDBOT__SECTION__NUMBER__KEY for [[camera]], [[sensor]] and \
                     [[llm.task]]";
        if words.len() < 2 {
            return Err(shape.to_owned());
        }
        // `llm__task__0__id` is about the section `llm.task`, `llm__model` about `llm`.
        let inner = words.get(..2).map(|words| words.join(".")).and_then(|path| section_called(&path));
        let (found, rest) = match (inner, words.first().and_then(|word| section_called(word))) {
            (Some(inner), _) => (inner, &words[2..]),
            (None, Some(outer)) => (outer, &words[1..]),
            (None, None) => return Err(unknown("section", &words[0], &sections_within(""))),
        };
        let (index, key) = match rest {
            [key] => (None, key),
            [index, key] => (Some(index.parse::<usize>().map_err(|_| shape.to_owned())?), key),
            _ => return Err(shape.to_owned()),
        };
        let known: Vec<&str> = found.keys.iter().map(|key| key.name).collect();
        let found_key = found.keys.iter().find(|known| known.name == key).ok_or_else(|| unknown("key", key, &known))?;
        let section = found.name;
        let (outer, name_within) =
            section.rsplit_once('.').map_or((None, section), |(outer, name)| (Some(outer), name));
        let table = match outer {
            None => table,
            Some(outer) => match table.entry(outer).or_insert_with(|| Value::Table(Table::new())) {
                Value::Table(table) => table,
                _ => return Err(shape.to_owned()),
            },
        };
        let (path, keys) = match (found.is_list, index) {
            (false, None) => {
                let keys = table.entry(name_within).or_insert_with(|| Value::Table(Table::new()));
                (format!("{section}.{key}"), keys)
            }
            (true, Some(index)) => {
                let entries = table.entry(name_within).or_insert_with(|| Value::Array(Vec::new()));
                (format!("{section}[{index}].{key}"), entry_at(entries, index, section)?)
            }
            _ => return Err(shape.to_owned()),
        };
        let Value::Table(keys) = keys else { return Err(shape.to_owned()) };
        self.origins.insert(path.clone(), Origin::Variable(name.to_owned()));
        self.take_value(found_key, &path, found_key.kind.read(value), keys);
        Ok(())
    }
}

/// The section of this name; that of `[[llm.task]]` is `llm.task`.
pub(super) fn section_called(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// The names of the sections inside `outer`, or of those inside none.
fn sections_within(outer: &str) -> Vec<&'static str> {
    let split = |section: &'static Section| section.name.rsplit_once('.').unwrap_or(("", section.name));
    SECTIONS.iter().map(split).filter(|(within, _)| *within == outer).map(|(_, name)| name).collect()
}

/// The entry `index` of a list, made when it is the next one.
fn entry_at<'a>(entries: &'a mut Value, index: usize, name: &str) -> Result<&'a mut Value, String> {
    let Value::Array(entries) = entries else { return Err(format!("`{name}` is no list")) };
    if index == entries.len() {
        entries.push(Value::Table(Table::new()));
    }
    let count = entries.len();
    entries.get_mut(index).ok_or_else(|| format!("there are {count} of `{name}`; the next number is {count}"))
}

/// `camera[0]` of `camera[0].id`.
fn section_of(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(section, _)| section)
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let near =
        known.iter().copied().min_by_key(|known| distance(name, known)).filter(|known| distance(name, known) <= 3);
    let known = known.join(", ");
    match near {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`? There are: {known}"),
        None => format!("there is no {what} `{name}`; there are: {known}"),
    }
}

/// Levenshtein's distance: how many letters must be put in, taken out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other_letter) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other_letter);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// The value without its places.
pub(super) fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Float)
        }
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(datetime) => Value::Datetime(*datetime),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(keys) => Value::Table(
            keys.iter().map(|(name, value)| (name.get_ref().clone().into_owned(), plain(value.get_ref()))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests;
