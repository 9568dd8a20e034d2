//! Files of tensors; the first byte chooses the format. What opens can be read to its end.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use rerec_policy::{GgufFile, SafetensorsFile};

fuzz_target!(|bytes: &[u8]| {
    let Some((format, bytes)) = bytes.split_first() else {
        return;
    };
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("a few bytes");
    match format % 2 {
        0 => {
            if let Ok(file) = GgufFile::open(file.path()) {
                for name in file.tensors().keys() {
                    file.read(name).expect("it lies in the file");
                }
            }
        }
        _ => {
            if let Ok(file) = SafetensorsFile::open(file.path()) {
                for name in file.tensors().keys() {
                    file.read(name).expect("it lies in the file");
                }
            }
        }
    }
});
