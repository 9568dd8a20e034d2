//! Interactions as files.

use std::path::Path;

use rerec_files::{lines, read};

use super::Interactions;
use crate::fault::{Fault, Place, text};
use crate::header;
use crate::{Error, Result};

/// How interactions are written to a file; every line is taken for a choice, whatever its rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InteractionFormat {
    /// `.tsv`: user, item and anything else, separated by tabs; a first line that names a column of users and one of items
    /// is a header, and gives their positions.
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
        let (header, pairs) =
            pairs(text(bytes, path)?, format).map_err(|fault| fault.in_file(path))?;
        let mut interactions = Self::from_pairs(pairs)?;
        interactions.header = header.map(str::to_owned);
        Ok(interactions)
    }
}

/// The header of a file, if there is one, and its pairs.
type Pairs<'t> = (Option<&'t str>, Vec<(&'t str, &'t str)>);

fn pairs(text: &str, format: InteractionFormat) -> Result<Pairs<'_>, Fault> {
    let separator = format.separator();
    let mut lines = lines(text).peekable();
    let first = lines.peek().map_or("", |(_, line)| line);
    let named = match format {
        // Such a file always has a header: without the columns it is refused, not read by position.
        InteractionFormat::Inter => Some(recbole_columns(first)?),
        InteractionFormat::Tsv | InteractionFormat::Dat => named_columns(first, separator),
    };
    if named.is_some() {
        lines.next();
    }
    let columns = named.unwrap_or([0, 1]);
    let pair = |(number, line)| {
        pair(line, separator, columns).map_err(|reason| Fault::new(Place::Line(number), reason))
    };
    let pairs = lines.map(pair).collect::<Result<_, _>>()?;
    Ok((named.map(|_| first), pairs))
}

/// Where a first line that names a column of users and one of items has them.
fn named_columns(line: &str, separator: &str) -> Option<[usize; 2]> {
    let column = |kind| {
        line.split(separator)
            .position(|field| header::names(field, kind))
    };
    let [user, item] = [column(header::USER)?, column(header::ITEM)?];
    Some([user, item])
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
fn recbole_columns(line: &str) -> Result<[usize; 2], Fault> {
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
    fn a_header_is_no_user_and_says_where_users_stand() {
        for header in [
            "user_id\titem_id",
            "userId\tmovieId\trating\ttimestamp",
            "\u{feff}User ID\tItem ID",
            "\"user\"\t\"item\"",
            "# user\titem",
            "user_id:token\titem_id:token",
            "uid\tiid\r",
        ] {
            let text = format!("{header}\nu\ti\t3\t4\n");
            let (found, pairs) = pairs(&text, InteractionFormat::Tsv).unwrap();
            assert!(found.is_some(), "{header:?}");
            assert_eq!(pairs, [("u", "i")]);
        }
        let turned = pairs(
            "movie_id\tstars\treviewer\ni\t5\tu\n",
            InteractionFormat::Tsv,
        );
        assert_eq!(turned.unwrap().1, [("u", "i")]);
        let dat = "UserID::MovieID::Rating\n1::2::3\n";
        assert_eq!(pairs(dat, InteractionFormat::Dat).unwrap().1, [("1", "2")]);
        let plain = pairs("u1\ti1\nuser\titem\n", InteractionFormat::Tsv).unwrap();
        assert_eq!((plain.0, plain.1.len()), (None, 2));
    }

    #[test]
    fn columns_are_found_and_faults_named() {
        let inter = "rating:float\titem_id:token\tuser_id:token\n5\ti\tu\n";
        assert_eq!(
            pairs(inter, InteractionFormat::Inter).unwrap().1,
            [("u", "i")]
        );
        assert_eq!(
            pairs("u\ti\t5\r\n\nv\tj", InteractionFormat::Tsv).unwrap(),
            (None, vec![("u", "i"), ("v", "j")])
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
