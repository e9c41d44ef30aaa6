//! The thin edge: finds a chip by its name, reads one channel's files, scales the number as the kernel's ABI says.
//!
//! Sources: `Documentation/hwmon/sysfs-interface.rst` and `Documentation/ABI/testing/sysfs-bus-iio` of the kernel.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clawdbot_flow::rooted::Root;

use super::Kind;

/// Why a channel gives no value now.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ChannelError {
    #[error("there is no chip named `{name}` under {folder}; `clawdbot devices` lists those that are there")]
    NoChip { name: String, folder: &'static str },
    #[error("{chip} has no channel `{channel}`; `clawdbot devices` lists those that it has")]
    NoChannel { chip: String, channel: String },
    #[error("{file} can't be read ({reason}); if it lasts, check the sensor's wiring and driver")]
    Unreadable { file: String, reason: String },
    #[error("{file} is empty; if it lasts, check the sensor's wiring and driver")]
    Empty { file: String },
    #[error("{file} says `{text}`, which is no number")]
    NoNumber { file: String, text: String },
    #[error(
        "{file} says {code}, which is the kernel's error {code}; if it lasts, check the sensor's wiring and driver"
    )]
    ErrorCode { file: String, code: i32 },
}

/// What a channel measures: the factor from the kernel's number to ours, and our unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity {
    factor: f64,
    pub(super) unit: &'static str,
}

/// Channel prefixes of hwmon: tempN in m°C, inN in mV, currN in mA, powerN in µW, energyN in µJ, humidityN in m%.
const HWMON: &[(&str, Quantity)] = &[
    ("temp", Quantity { factor: 1e-3, unit: "°C" }),
    ("in", Quantity { factor: 1e-3, unit: "V" }),
    ("curr", Quantity { factor: 1e-3, unit: "A" }),
    ("power", Quantity { factor: 1e-6, unit: "W" }),
    ("energy", Quantity { factor: 1e-6, unit: "J" }),
    ("humidity", Quantity { factor: 1e-3, unit: "%" }),
    ("fan", Quantity { factor: 1.0, unit: "1/min" }),
    ("freq", Quantity { factor: 1.0, unit: "Hz" }),
];

/// Channel prefixes of IIO, after scale and offset: temperatures, voltages, currents, powers and relative humidity in
/// thousandths, pressure in kPa (ours: hPa).
const IIO: &[(&str, Quantity)] = &[
    ("in_temp", Quantity { factor: 1e-3, unit: "°C" }),
    ("in_humidityrelative", Quantity { factor: 1e-3, unit: "%" }),
    ("in_voltage", Quantity { factor: 1e-3, unit: "V" }),
    ("in_current", Quantity { factor: 1e-3, unit: "A" }),
    ("in_power", Quantity { factor: 1e-3, unit: "W" }),
    ("in_energy", Quantity { factor: 1.0, unit: "J" }),
    ("in_pressure", Quantity { factor: 10.0, unit: "hPa" }),
    ("in_illuminance", Quantity { factor: 1.0, unit: "lx" }),
    ("in_resistance", Quantity { factor: 1.0, unit: "Ω" }),
    ("in_concentration", Quantity { factor: 1.0, unit: "%" }),
    ("in_distance", Quantity { factor: 1.0, unit: "m" }),
    ("in_accel", Quantity { factor: 1.0, unit: "m/s²" }),
    ("in_anglvel", Quantity { factor: 1.0, unit: "rad/s" }),
    ("in_magn", Quantity { factor: 1.0, unit: "G" }),
];

/// Attributes of a channel that are flags or choices, not amounts.
const FLAG_SUFFIXES: [&str; 5] = ["_alarm", "_beep", "_enable", "_fault", "_type"];

/// What `kind` measures; `None` for flags and for channels that we do not know.
pub(super) fn quantity(kind: &Kind) -> Option<Quantity> {
    let (channel, table) = match kind {
        Kind::Hwmon { channel, .. } => (channel, HWMON),
        Kind::Iio { channel, .. } => (channel, IIO),
    };
    if FLAG_SUFFIXES.iter().any(|suffix| channel.ends_with(suffix)) {
        return None;
    }
    let matches = |prefix: &str| {
        let rest = channel.strip_prefix(prefix)?;
        rest.is_empty()
            .then_some(())
            .or_else(|| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_').then_some(()))
    };
    table.iter().find(|(prefix, _)| matches(prefix).is_some()).map(|&(_, quantity)| quantity)
}

/// Reads the channel now.
///
/// # Errors
/// Says why there is no value: absent is a state, and never zero.
pub(super) fn read(root: &Root, kind: &Kind) -> Result<f64, ChannelError> {
    let factor = quantity(kind).map_or(1.0, |quantity| quantity.factor);
    let value = match kind {
        Kind::Hwmon { chip, channel } => read_hwmon(root, chip, channel)?,
        Kind::Iio { device, channel } => read_iio(root, device, channel)?,
    };
    Ok(value * factor)
}

const HWMON_FOLDER: &str = "/sys/class/hwmon";
const IIO_FOLDER: &str = "/sys/bus/iio/devices";

fn read_hwmon(root: &Root, chip: &str, channel: &str) -> Result<f64, ChannelError> {
    let file = if channel.contains('_') { channel.to_owned() } else { format!("{channel}_input") };
    // A bare attribute such as `pwm1` has no `_input`.
    let folder = find_chip(root, HWMON_FOLDER, chip, &[&file, channel])?;
    read_number(&folder.join(if folder.join(&file).exists() { &file } else { channel }))
}

fn read_iio(root: &Root, device: &str, channel: &str) -> Result<f64, ChannelError> {
    let channel = channel.trim_end_matches("_input").trim_end_matches("_raw");
    let (input, raw) = (format!("{channel}_input"), format!("{channel}_raw"));
    let folder = find_chip(root, IIO_FOLDER, device, &[&input, &raw])?;
    if folder.join(&input).exists() {
        return read_number(&folder.join(input));
    }
    let raw = read_number(&folder.join(raw))?;
    let offset = read_shared(&folder, channel, "offset")?.unwrap_or(0.0);
    let scale = read_shared(&folder, channel, "scale")?.unwrap_or(1.0);
    Ok((raw + offset) * scale)
}

/// The value of `<channel>_<attribute>`, or of the one that a type's channels share: `in_voltage0_scale`, else
/// `in_voltage_scale`; `in_accel_x_scale`, else `in_accel_scale`.
fn read_shared(folder: &Path, channel: &str, attribute: &str) -> Result<Option<f64>, ChannelError> {
    let without_number = channel.trim_end_matches(|c: char| c.is_ascii_digit());
    let without_modifier = channel.rsplit_once('_').map_or(channel, |(kept, _)| kept);
    for name in [channel, without_number, without_modifier] {
        let path = folder.join(format!("{name}_{attribute}"));
        if path.exists() {
            return read_number(&path).map(Some);
        }
    }
    Ok(None)
}

/// The folder of the chip named `name`: of several, the first by number that has one of the `files`.
fn find_chip(root: &Root, folder: &'static str, name: &str, files: &[&str]) -> Result<PathBuf, ChannelError> {
    let mut named = chips(root, folder).into_iter().filter(|(_, found)| found == name).map(|(path, _)| path).peekable();
    if named.peek().is_none() {
        return Err(ChannelError::NoChip { name: name.to_owned(), folder });
    }
    named.find(|path| files.iter().any(|file| path.join(file).exists())).ok_or_else(|| ChannelError::NoChannel {
        chip: name.to_owned(),
        channel: files.first().map_or_else(String::new, |file| (*file).to_owned()),
    })
}

/// The chips under `folder` with their names, by number.
fn chips(root: &Root, folder: &str) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap_or(u32::MAX);
        (number, name)
    });
    paths
        .into_iter()
        .filter_map(|path| {
            let name = read_text(&path.join("name")).ok()?;
            Some((path, name))
        })
        .collect()
}

/// All channels with a value: hwmon's `*_input` files, IIO's `in_*_input` and `in_*_raw`.
pub(super) fn list(root: &Root) -> Vec<Kind> {
    let hwmon = chips(root, HWMON_FOLDER).into_iter().flat_map(|(folder, chip)| {
        let channels = channels(&folder, "", &["_input"]).into_iter();
        channels.map(move |channel| Kind::Hwmon { chip: chip.clone(), channel })
    });
    let iio = chips(root, IIO_FOLDER).into_iter().flat_map(|(folder, device)| {
        let channels = channels(&folder, "in_", &["_input", "_raw"]).into_iter();
        channels.map(move |channel| Kind::Iio { device: device.clone(), channel })
    });
    hwmon.chain(iio).collect()
}

/// The files of `folder` that begin and end so, without their ends, by name.
fn channels(folder: &Path, beginning: &str, ends: &[&str]) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with(beginning))
        .filter_map(|name| ends.iter().find_map(|end| name.strip_suffix(end)).map(str::to_owned))
        .collect()
}

/// An attribute is a short line: sysfs itself never gives more than a page, a number never more than this.
const ATTRIBUTE_BYTES_MAX: u64 = 128;

/// Numbers that drivers print where they should fail: `-EIO`, `-ENXIO`, `-EAGAIN`, `-EBUSY`, `-ENODEV`, `-EINVAL`,
/// `-ENODATA`, `-ETIMEDOUT`, `-EREMOTEIO`. As thousandths of a unit each is indistinguishable from zero anyway.
const ERROR_CODES: [i32; 9] = [-5, -6, -11, -16, -19, -22, -61, -110, -121];

fn read_number(path: &Path) -> Result<f64, ChannelError> {
    let file = || path.display().to_string();
    let text = read_text(path)?;
    if let Some(code) = text.parse::<i32>().ok().filter(|code| ERROR_CODES.contains(code)) {
        return Err(ChannelError::ErrorCode { file: file(), code });
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(ChannelError::NoNumber { file: file(), text: text.chars().take(40).collect() }),
    }
}

/// The trimmed text of a small file; never blocks, whatever the file is.
fn read_text(path: &Path) -> Result<String, ChannelError> {
    let unreadable = |reason: std::io::Error| ChannelError::Unreadable {
        file: path.display().to_string(),
        reason: reason.to_string(),
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(ATTRIBUTE_BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if text.is_empty() {
        return Err(ChannelError::Empty { file: path.display().to_string() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
