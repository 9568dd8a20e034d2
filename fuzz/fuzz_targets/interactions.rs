//! Files of interactions; the first byte chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rerec_rewards::{InteractionFormat, Interactions};

fuzz_target!(|bytes: &[u8]| {
    let Some((format, bytes)) = bytes.split_first() else {
        return;
    };
    let formats = [
        InteractionFormat::Tsv,
        InteractionFormat::Inter,
        InteractionFormat::Dat,
    ];
    let format = formats[usize::from(format % 3)];
    if let Ok(interactions) = Interactions::parse(bytes, format, "fuzz".as_ref()) {
        let _ = interactions.split(0.2, 0.2, 0);
    }
});
