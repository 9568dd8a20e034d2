//! Items from JSON, and their titles through the matcher.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rerec_rewards::{Catalogue, Item, TitleLookup, TitleMatch, TitleMatcher};

fuzz_target!(|bytes: &[u8]| {
    let Ok(items) = serde_json::from_slice::<Vec<Item>>(bytes) else {
        return;
    };
    let Ok(catalogue) = Catalogue::new(items) else {
        return;
    };
    let matcher = TitleMatcher::new(&catalogue, TitleMatch::Title);
    for (index, item) in catalogue.iter().filter(|(_, item)| item.year.is_none()) {
        if item.aliases.is_empty() {
            assert_eq!(
                matcher.lookup(&item.title, Some(&[index])),
                TitleLookup::Found(index)
            );
        }
    }
});
