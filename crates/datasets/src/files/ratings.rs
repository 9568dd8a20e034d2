//! Who chose what.

use std::path::PathBuf;

use rerec_rewards::ItemId;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Rating, UserId};
use crate::error::{Error, Result, check};
use crate::load_context::LoadContext;
use crate::table::{Column, Table};

/// A table of ratings, and which column holds what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RatingsFile {
    /// The file, with the ending .jsonl, .csv, .tsv, .inter or .parquet.
    pub file: PathBuf,
    /// Column of the users. Default `user`.
    pub user: String,
    /// Column of the items' ids. Default `item`.
    pub item: String,
    /// Column of the ratings. Default: none, every row is a choice.
    pub rating: Option<String>,
    /// Column of the times, whole numbers that grow, such as seconds since 1970. Default: none, and no splits by time.
    pub time: Option<String>,
    /// The least and the largest rating; any other is refused. Default [1, 5].
    pub scale: [f64; 2],
    /// The least rating that counts as a choice, within the scale. Default 4.
    pub liked_from: f64,
    /// Whether ratings of items that the catalogue does not have are left out, and counted, instead of refused. Default false.
    pub skip_unknown: bool,
}

impl Default for RatingsFile {
    fn default() -> Self {
        Self {
            file: "ratings.csv".into(),
            user: "user".into(),
            item: "item".into(),
            rating: None,
            time: None,
            scale: [1.0, 5.0],
            liked_from: 4.0,
            skip_unknown: false,
        }
    }
}

// Places of the columns.
const USER: usize = 0;
const ITEM: usize = 1;
const RATING: usize = 2;
const TIME: usize = 3;

impl RatingsFile {
    fn validate(&self) -> Result<()> {
        let [least, most] = self.scale;
        check(
            least.is_finite() && most.is_finite() && least < most,
            "scale",
            "two ascending numbers",
            &self.scale,
        )?;
        check(
            (least..=most).contains(&self.liked_from),
            "liked_from",
            &format!("within the scale, in [{least}, {most}]"),
            &self.liked_from,
        )
    }

    /// Gives a dataset that has its catalogue the ratings, and from which on they count as a choice.
    pub(crate) fn read_into(&self, dataset: &mut Dataset, context: LoadContext<'_>) -> Result<()> {
        let Dataset {
            catalogue, remarks, ..
        } = dataset;
        // Before the file is opened: a wrong scale would be reported as a fault of the first row.
        self.validate()?;
        let [least, most] = self.scale;
        let columns = [
            Column::required(&self.user),
            Column::required(&self.item),
            Column::if_named(self.rating.as_deref()),
            Column::if_named_for_some(self.time.as_deref()),
        ];
        let scale = format!("be a number from {least} to {most}");
        let (mut ratings, mut unknown) = (Vec::new(), 0u64);
        Table::open(&self.file)?
            .watched(context)
            .rows(&columns, |row| {
                let (user, item) = (row.text(USER)?, row.text(ITEM)?);
                let rating = match self.rating {
                    // A range check refuses NaN as well, which fails every comparison later on.
                    Some(_) => row.number(RATING, &scale, |x| (least..=most).contains(&x))?,
                    // The top of the scale is at least `liked_from`, so that every row counts as a
                    // choice.
                    None => most,
                };
                let time = row.time(TIME)?;
                match catalogue.index_of(item.trim()) {
                    Some(_) => ratings.push(Rating {
                        user: UserId::from(user.trim()),
                        item: ItemId::from(item.trim()),
                        rating,
                        time,
                    }),
                    None if self.skip_unknown => unknown += 1,
                    None => {
                        return Err(row.fault(
                            ITEM,
                            "be an item of the catalogue (skip_unknown = true leaves others out)",
                        ));
                    }
                }
                Ok(())
            })?;
        let file = self.file.display();
        Error::refuse_empty(&ratings, &self.file, "ratings of items of the catalogue")?;
        if unknown > 0 {
            remarks.push(format!(
                "{file}: {unknown} ratings of items that are not in the catalogue are left out"
            ));
        }
        if self.rating.is_none() {
            remarks.push(format!(
                "{file}: no column of ratings is named, so that every row counts as a choice"
            ));
        }
        (dataset.ratings, dataset.liked_from) = (ratings, self.liked_from);
        Ok(())
    }
}
