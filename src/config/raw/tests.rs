use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{Raw, SECTIONS};

/// A file in which every key stands with its example, or with another value of its type.
fn everything() -> Table {
    let mut file = Table::new();
    for section in SECTIONS {
        let mut keys = Table::new();
        for key in section.keys {
            let line = format!("{} = {}", key.name, key.example);
            let value = line.parse::<Table>().expect("an example is TOML").remove(key.name).unwrap();
            let value = key.kind.check(value).unwrap_or_else(|error| panic!("{}.{}: {error}", section.name, key.name));
            keys.insert(key.name.to_owned(), value);
        }
        let keys = Value::Table(keys);
        let keys = if section.is_list { Value::Array(vec![keys]) } else { keys };
        match section.name.split_once('.') {
            None => file.insert(section.name.to_owned(), keys),
            Some((outer, name)) => file[outer].as_table_mut().unwrap().insert(name.to_owned(), keys),
        };
    }
    file
}

fn paths(file: &Table) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (name, value) in file {
        let inner = match value {
            Value::Array(entries) => entries[0].as_table(),
            value => value.as_table(),
        };
        match inner {
            None => drop(paths.insert(name.clone())),
            Some(inner) => paths.extend(self::paths(inner).into_iter().map(|path| format!("{name}.{path}"))),
        }
    }
    paths
}

#[test]
fn the_table_of_keys_and_the_structs_know_the_same_keys() {
    let file = everything();
    let raw: Raw = file.clone().try_into().expect("the structs know every key of the table, with its type");
    let known_to_structs = Table::try_from(&raw).unwrap();
    assert_eq!(paths(&known_to_structs), paths(&file), "a struct has a field that the table of keys lacks");
}

#[test]
fn the_structs_refuse_unknown_keys_themselves() {
    for section in SECTIONS {
        let (open, close) = if section.is_list { ("[[", "]]") } else { ("[", "]") };
        let text = format!("{open}{}{close}\nnonsense = 1", section.name);
        assert!(toml::from_str::<Raw>(&text).is_err(), "{text}");
    }
    assert!(toml::from_str::<Raw>("nonsense = 1").is_err());
}

#[test]
fn every_key_has_a_sentence() {
    for key in SECTIONS.iter().flat_map(|section| section.keys) {
        assert!(key.about.ends_with('.') && !key.default.is_empty(), "{}", key.name);
    }
}
