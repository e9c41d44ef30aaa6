//! A date that is handed in, and what `strftime` makes of it.

/// A moment of the civil calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// 1970..=9999.
    pub year: u16,
    /// 1..=12.
    pub month: u8,
    /// 1..=31.
    pub day: u8,
    /// 0..=23.
    pub hour: u8,
    /// 0..=59.
    pub minute: u8,
    /// 0..=60.
    pub second: u8,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Date {
    /// `format` by the rules of C, in English; `None` for a letter behind `%` that chat templates have no use for.
    pub(super) fn format(self, format: &str) -> Option<String> {
        let mut text = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let month = MONTHS.get(usize::from(self.month.checked_sub(1)?))?;
            match letters.next()? {
                'Y' => text.push_str(&self.year.to_string()),
                'y' => text.push_str(&format!("{:02}", self.year % 100)),
                'm' => text.push_str(&format!("{:02}", self.month)),
                'd' => text.push_str(&format!("{:02}", self.day)),
                'e' => text.push_str(&format!("{:2}", self.day)),
                'H' => text.push_str(&format!("{:02}", self.hour)),
                'M' => text.push_str(&format!("{:02}", self.minute)),
                'S' => text.push_str(&format!("{:02}", self.second)),
                'B' => text.push_str(month),
                'b' => text.push_str(&month[..3]),
                'A' => text.push_str(self.weekday()?),
                'a' => text.push_str(&self.weekday()?[..3]),
                '%' => text.push('%'),
                _ => return None,
            }
        }
        Some(text)
    }

    /// Sakamoto's method: days of the months before, leap days, modulo 7.
    fn weekday(self) -> Option<&'static str> {
        let offsets = [0_u16, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let offset = offsets.get(usize::from(self.month.checked_sub(1)?))?;
        let year = if self.month < 3 { self.year.checked_sub(1)? } else { self.year };
        let day = year + year / 4 - year / 100 + year / 400 + offset + u16::from(self.day);
        WEEKDAYS.get(usize::from(day % 7)).copied()
    }
}
