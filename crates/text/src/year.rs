//! What a year is.

/// The year that four ASCII digits are.
///
/// Books are dated back to the Middle Ages, so that a year begins at 1000. From 2200 on a number belongs to a name, as in
/// "In the Year 2525"; and so do "0013" and "9999".
///
/// ```
/// use rerec_text::year;
///
/// assert_eq!((year("1995"), year("2525"), year("195")), (Some(1995), None, None));
/// ```
pub fn year(text: &str) -> Option<u16> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    let year = text.parse().ok().filter(|_| digits)?;
    (1000..2200).contains(&year).then_some(year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_of_the_last_thousand_years() {
        assert_eq!(year("1995"), Some(1995));
        assert_eq!(year("1605"), Some(1605));
        for text in [
            "0013",
            "2525",
            "19a7",
            "195",
            "19950",
            "+195",
            "１９９５",
            "",
        ] {
            assert_eq!(year(text), None, "{text}");
        }
    }
}
