//! GGUF files: the numbers are gguf-py's (`make_gguf.py` made the file), and malformed files are rejected with the place.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{fs, path::Path};

use proptest::prelude::*;
use rerec_policy::{Error, GgufFile, Result};

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dequantised.gguf")
}

fn open(bytes: &[u8]) -> Result<GgufFile> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    GgufFile::open(file.path())
}

#[test]
fn dequantised_numbers_are_those_of_gguf_py_bit_for_bit() {
    let file = GgufFile::open(&fixture()).unwrap();
    for name in [
        "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K",
    ] {
        assert_eq!(file.tensors()[name].shape, [3, 256], "{name}");
        let ours = file.read(name).unwrap();
        let theirs = file.read(&format!("{name}.f32")).unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours.to_bits(), theirs.to_bits(), "{name}, number {at}");
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A value of the metadata: key, type, bytes.
type Given<'a> = (&'a str, u32, &'a [u8]);
/// A tensor as a header lists it: name, dimensions, type, offset.
type Listed<'a> = (&'a str, &'a [u64], u32, u64);

/// A file with 128 bytes of data.
fn file(values: &[Given<'_>], tensors: &[Listed<'_>]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((values.len() as u64).to_le_bytes());
    for (key, kind, value) in values {
        bytes.extend(text(key));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(*value);
    }
    for (name, dimensions, kind, offset) in tensors {
        bytes.extend(text(name));
        bytes.extend((dimensions.len() as u32).to_le_bytes());
        bytes.extend(dimensions.iter().flat_map(|d| d.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + 128, 0);
    bytes
}

#[track_caller]
fn assert_refused(bytes: &[u8], expected: &str) {
    let refused = open(bytes).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::InvalidFile { .. } | Error::InvalidTensor { .. }
        ),
        "{refused:?}"
    );
    let message = refused.to_string();
    assert!(message.contains(expected), "{message}");
}

#[test]
fn tensors_that_lie_are_refused_by_name() {
    const F32: u32 = 0;
    let cases: [(&[Listed<'_>], &str); 11] = [
        (
            &[("w", &[4], 99, 0)],
            "tensor w has the unsupported type 99",
        ),
        (
            &[("w", &[33], F32, 0)],
            "tensor w reaches beyond the end of the file",
        ),
        (
            &[("w", &[4], F32, 160)],
            "tensor w reaches beyond the end of the file",
        ),
        (
            &[("w", &[4], F32, u64::MAX - 31)],
            "tensor w reaches beyond the end of the file",
        ),
        (
            &[("w", &[4], F32, 8)],
            "tensor w begins at byte 8 of the data, not at a multiple of 32",
        ),
        (
            &[("w", &[16], 8, 0)],
            "tensor w has the shape [16]; rows of Q8_0 hold a multiple of 32",
        ),
        (
            &[("w", &[1 << 40, 1 << 40], F32, 0)],
            "tensor w has the shape [1099511627776",
        ),
        (
            &[("w", &[1 << 62], F32, 0)],
            "tensor w reaches beyond the end of the file",
        ),
        (
            &[("w", &[1, 1, 1, 1, 1], F32, 0)],
            "tensor w has 5 dimensions, more than 4",
        ),
        (
            &[("w", &[4], F32, 0), ("w", &[4], F32, 32)],
            "tensor w is listed twice",
        ),
        (
            &[("v", &[9], F32, 0), ("w", &[4], F32, 32)],
            "tensor w overlaps tensor v",
        ),
    ];
    for (tensors, expected) in cases {
        assert_refused(&file(&[], tensors), expected);
    }
}

#[test]
fn metadata_that_lies_is_refused_with_its_place() {
    let huge = [8u32.to_le_bytes().as_slice(), &u64::MAX.to_le_bytes()].concat();
    let array_of_one = [9u32.to_le_bytes().as_slice(), &1u64.to_le_bytes()].concat();
    let deep = array_of_one.repeat(9);
    let not_text = [2u64.to_le_bytes().as_slice(), b"\xFF\xFE"].concat();
    let cases: [(&[Given<'_>], &str); 8] = [
        (
            &[("a", 77, &[])],
            "byte 37: has a value of the unknown type 77",
        ),
        (
            &[("a", 8, &u64::MAX.to_le_bytes())],
            "byte 45: claims 18446744073709551615 entries",
        ),
        (
            &[("a", 9, &huge)],
            "byte 49: claims 18446744073709551615 entries",
        ),
        (&[("a", 9, &deep)], "has a value of the unknown type 9"),
        (
            &[("a", 8, &not_text)],
            "byte 47: has text that is not UTF-8",
        ),
        (&[("a", 7, &[1]), ("a", 7, &[1])], "a is given twice"),
        (
            &[("general.alignment", 4, &48u32.to_le_bytes())],
            "must be a power of 2 up to 1073741824, got Unsigned(48)",
        ),
        (
            &[("general.alignment", 10, &(1u64 << 63).to_le_bytes())],
            "must be a power of 2 up to",
        ),
    ];
    for (values, expected) in cases {
        assert_refused(&file(values, &[]), expected);
    }
    let mut older = file(&[], &[]);
    older[4] = 1;
    assert_refused(&older, "byte 8: version must be 2 or 3, got 1");
}

proptest! {
    #[test]
    fn a_damaged_file_is_refused_or_read_whole(
        changes in proptest::collection::vec((0usize..1500, any::<u8>()), 0..6),
        len in prop_oneof![Just(usize::MAX), 0usize..39_392],
    ) {
        let mut bytes = fs::read(fixture()).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(len);
        if let Ok(file) = open(&bytes) {
            for name in file.tensors().keys() {
                // The temporary file is open still, though it has no name any more.
                file.read(name).unwrap();
            }
        }
    }
}
