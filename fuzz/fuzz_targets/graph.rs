//! Files of item attributes; the first byte chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rerec_rewards::{AttributeGraph, Catalogue, GraphFile, GraphFormat, JoinBy, Triple};

fuzz_target!(|bytes: &[u8]| {
    let Some((format, text)) = bytes.split_first() else {
        return;
    };
    let format = [GraphFormat::Gexf, GraphFormat::Tsv, GraphFormat::Jsonl][usize::from(format % 3)];
    let Ok(file) = GraphFile::parse(text, format, "fuzz".as_ref()) else {
        return;
    };
    let Ok(triples) = file.triples(|_| false) else {
        return;
    };
    let Ok(catalogue) = Catalogue::new(Triple::items(&triples)) else {
        return;
    };
    let _ = AttributeGraph::from_triples(&triples, &catalogue, JoinBy::Id);
});
