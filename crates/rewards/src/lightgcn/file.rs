//! Interactions as files.

use std::path::Path;

use rerec_files::{lines, read};

use super::Interactions;
use crate::fault::{Fault, Place, text};
use crate::{Error, Result};

/// How interactions are written to a file; every line is taken for a choice, whatever its rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InteractionFormat {
    /// `.tsv`: user, item and anything else, parted by tabs, without a header.
    Tsv,
    /// `.inter`: RecBole's atomic file, whose header names `user_id:token` and `item_id:token`.
    Inter,
    /// `.dat`: MovieLens' `user::item::rating::time`.
    Dat,
}

impl InteractionFormat {
    /// The format that a file's ending names.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`].
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("tsv") => Ok(Self::Tsv),
            Some("inter") => Ok(Self::Inter),
            Some("dat") => Ok(Self::Dat),
            _ => Err(Error::UnknownFormat {
                path: path.to_owned(),
                allowed: ".tsv, .inter or .dat",
            }),
        }
    }

    fn separator(self) -> &'static str {
        match self {
            Self::Tsv | Self::Inter => "\t",
            Self::Dat => "::",
        }
    }
}

impl Interactions {
    /// Reads a file by the format that its ending names.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::File`], [`Error::Malformed`] with the line, and those of
    /// [`from_pairs`](Self::from_pairs).
    pub fn read(path: &Path) -> Result<Self> {
        let format = InteractionFormat::of(path)?;
        Self::parse(&read(path)?, format, path)
    }

    /// Reads the bytes of a file; the path is only named in errors.
    ///
    /// ```
    /// # use rerec_rewards::{InteractionFormat, Interactions};
    /// let bytes = b"1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n";
    /// let interactions = Interactions::parse(bytes, InteractionFormat::Dat, "ratings.dat".as_ref())?;
    /// assert_eq!((interactions.users(), interactions.len()), (&["1".into(), "2".into()][..], 3));
    /// # Ok::<(), rerec_rewards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Malformed`] with the line, and those of [`from_pairs`](Self::from_pairs).
    pub fn parse(bytes: &[u8], format: InteractionFormat, path: &Path) -> Result<Self> {
        let pairs = pairs(text(bytes, path)?, format);
        Self::from_pairs(pairs.map_err(|fault| fault.in_file(path))?)
    }
}

fn pairs(text: &str, format: InteractionFormat) -> Result<Vec<(&str, &str)>, Fault> {
    let separator = format.separator();
    let mut lines = lines(text);
    let columns = match format {
        InteractionFormat::Inter => header(lines.next().map_or("", |(_, line)| line))?,
        InteractionFormat::Tsv | InteractionFormat::Dat => [0, 1],
    };
    let pair = |(number, line)| {
        pair(line, separator, columns).map_err(|reason| Fault::new(Place::Line(number), reason))
    };
    lines.map(pair).collect()
}

fn pair<'a>(
    line: &'a str,
    separator: &str,
    [user, item]: [usize; 2],
) -> Result<(&'a str, &'a str), &'static str> {
    let field = |column| {
        let field = line.split(separator).nth(column).map(str::trim);
        field.filter(|field| !field.is_empty())
    };
    Ok((field(user).ok_or("no user")?, field(item).ok_or("no item")?))
}

/// Where a header of `name:type` columns has the user and the item.
fn header(line: &str) -> Result<[usize; 2], Fault> {
    let column = |name: &str| {
        let mut columns = line
            .split('\t')
            .map(|column| column.split(':').next().unwrap_or(column));
        let found = columns.position(|column| column.trim() == name);
        found.ok_or_else(|| Fault::new(Place::Header, format!("no column `{name}`")))
    };
    Ok([column("user_id")?, column("item_id")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_and_faults_named() {
        let inter = "rating:float\titem_id:token\tuser_id:token\n5\ti\tu\n";
        assert_eq!(
            pairs(inter, InteractionFormat::Inter).unwrap(),
            [("u", "i")]
        );
        assert_eq!(
            pairs("u\ti\t5\r\n\nv\tj", InteractionFormat::Tsv).unwrap(),
            [("u", "i"), ("v", "j")]
        );
        let message = |text, format| {
            let fault = pairs(text, format).unwrap_err();
            format!("{}: {}", fault.place, fault.reason)
        };
        assert_eq!(
            message("u\ti\nv\t", InteractionFormat::Tsv),
            "line 2: no item"
        );
        assert_eq!(message("u,i", InteractionFormat::Dat), "line 1: no item");
        assert_eq!(
            message("user\titem\n", InteractionFormat::Inter),
            "header: no column `user_id`"
        );
        assert_eq!(
            message("", InteractionFormat::Inter),
            "header: no column `user_id`"
        );
    }
}
