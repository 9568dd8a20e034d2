//! Dates in chat templates.

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    year: i64,
    month: usize,
    day: usize,
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
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// Days before each month in a common year.
const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl Date {
    /// `YYYY-MM-DD`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let is_plain = [year, month, day]
            .iter()
            .all(|part| part.bytes().all(|b| b.is_ascii_digit()));
        if !is_plain || [year.len(), month.len(), day.len()] != [4, 2, 2] {
            return None;
        }
        let date = Self {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
            day: day.parse().ok()?,
        };
        let is_day = (1..=12).contains(&date.month) && (1..=date.length()).contains(&date.day);
        (date.year >= 1 && is_day).then_some(date)
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn length(self) -> usize {
        match self.month {
            2 => 28 + usize::from(self.is_leap()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    fn day_of_year(self) -> i64 {
        let leap = i64::from(self.month > 2 && self.is_leap());
        BEFORE[self.month - 1] + self.day as i64 + leap
    }

    /// 0 for Sunday.
    fn weekday(self) -> usize {
        let year = self.year - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + self.day_of_year();
        (days % 7) as usize
    }

    /// Python's `strftime` at midnight.
    ///
    /// # Errors
    /// Names a directive that is not supported.
    pub(super) fn format(self, format: &str) -> Result<String, String> {
        let (mut out, mut chars) = (String::new(), format.chars());
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut kind = chars.next().unwrap_or('%');
            let unpadded = kind == '-';
            if unpadded {
                kind = chars.next().unwrap_or('-');
            }
            let (month, day) = (MONTHS[self.month - 1], DAYS[self.weekday()]);
            let number = |number: i64, width: usize| match unpadded {
                true => number.to_string(),
                false => format!("{number:0width$}"),
            };
            out += &match kind {
                'Y' => number(self.year, 4),
                'y' => number(self.year % 100, 2),
                'm' => number(self.month as i64, 2),
                'd' => number(self.day as i64, 2),
                'e' => format!("{:2}", self.day),
                'j' => number(self.day_of_year(), 3),
                'B' => month.to_owned(),
                'b' | 'h' => month[..3].to_owned(),
                'A' => day.to_owned(),
                'a' => day[..3].to_owned(),
                'w' => self.weekday().to_string(),
                'u' => (if self.weekday() == 0 {
                    7
                } else {
                    self.weekday()
                })
                .to_string(),
                'F' => self.format("%Y-%m-%d")?,
                'D' | 'x' => self.format("%m/%d/%y")?,
                'H' | 'M' | 'S' => number(0, 2),
                'I' => number(12, 2),
                'p' => "AM".to_owned(),
                'T' | 'X' => "00:00:00".to_owned(),
                'R' => "00:00".to_owned(),
                'Z' | 'z' => String::new(),
                '%' => "%".to_owned(),
                other => return Err(format!("%{other} is not supported in strftime_now")),
            };
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names_and_places_in_the_year() {
        let written = |date: &str, format: &str| Date::parse(date).unwrap().format(format).unwrap();
        assert_eq!(
            written("2024-02-29", "%d %b %Y, %A"),
            "29 Feb 2024, Thursday"
        );
        assert_eq!(written("2000-01-01", "%a %-d.%-m.%y %j"), "Sat 1.1.00 001");
        assert_eq!(written("2023-12-31", "%B %e %j %u%%"), "December 31 365 7%");
        for wrong in [
            "2023-02-29",
            "2023-13-01",
            "23-01-01",
            "2023-1-1",
            "+023-01-01",
        ] {
            assert_eq!(Date::parse(wrong), None, "{wrong}");
        }
        let refused = Date::parse("2024-01-01").unwrap().format("%Q");
        assert_eq!(refused.unwrap_err(), "%Q is not supported in strftime_now");
    }
}
