//! Files of item vectors; the first byte chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rerec_rewards::EmbeddingTable;

fuzz_target!(|bytes: &[u8]| {
    let Some((format, bytes)) = bytes.split_first() else {
        return;
    };
    let path = "fuzz".as_ref();
    let table = match format % 3 {
        0 => EmbeddingTable::from_safetensors(bytes, path),
        1 => EmbeddingTable::from_npy(bytes, vec!["a".into(), "b".into()], path),
        _ => EmbeddingTable::from_tsv(bytes, path),
    };
    if let Ok(table) = table {
        assert!(table.values().iter().all(|value| value.is_finite()));
    }
});
