//! Two catalogues in one dataset: the warm start teaches both, reinforcement asks about the first, the test about the second.

use rerec_rewards::Catalogue;
use rerec_text::QueryId;

use crate::dataset::Dataset;
use crate::error::Result;

/// Puts what the warm start learns of `second`, and its test queries, into `first`.
pub(super) fn join(mut first: Dataset, mut second: Dataset) -> Result<Dataset> {
    // Both number their queries from 0.
    let shown = second.demonstrations.iter_mut().map(|one| &mut one.query);
    let asked = second.splits.test.iter_mut().map(|one| &mut one.id);
    for id in shown.chain(asked) {
        *id = QueryId::from(format!("second-{id}"));
    }
    let items = [first.catalogue, second.catalogue].map(|one| one.items().to_vec());
    first.catalogue = Catalogue::new(items.concat())?;
    first.ratings.append(&mut second.ratings);
    first.splits.test = second.splits.test;
    first.demonstrations.append(&mut second.demonstrations);
    first.drills.append(&mut second.drills);
    first.reading.append(&mut second.reading);
    first.remarks.append(&mut second.remarks);
    Ok(first)
}
