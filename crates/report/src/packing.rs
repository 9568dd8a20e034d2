//! Data of the page, compressed: the browser unpacks a block when it is looked at.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use crate::error::Result;

/// A value as JSON, deflated (RFC 1950) and in base64: letters that neither HTML nor JavaScript takes for its own, whatever the
/// value holds.
///
/// # Errors
/// A value that is no JSON.
pub(crate) fn pack(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(value)?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(&json).and_then(|()| encoder.finish());
    // Writing into memory cannot fail.
    Ok(STANDARD.encode(packed.unwrap_or_default()))
}

#[cfg(test)]
pub(crate) fn unpack(text: &str) -> serde_json::Value {
    let packed = STANDARD.decode(text).unwrap();
    serde_json::from_reader(flate2::read::ZlibDecoder::new(&packed[..])).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_comes_back_and_is_no_markup_on_the_way() {
        let hostile = "</script><img src=x onerror=alert(1)>\u{2028}\u{202e}\0 & \"'\\ <!--";
        let packed = pack(&[hostile]).unwrap();
        assert!(
            packed
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        );
        assert_eq!(unpack(&packed), serde_json::json!([hostile]));
    }

    #[test]
    fn repetition_costs_little() {
        let packed = pack(&"the same words ".repeat(10_000)).unwrap();
        assert!(packed.len() < 2_000, "{}", packed.len());
    }
}
