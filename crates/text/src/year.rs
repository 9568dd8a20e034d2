//! What a year is, and where one stands behind a title.

use crate::article::is_article;

/// The year that four ASCII digits are.
///
/// Books are dated back to the Middle Ages, so that a year begins at 1000. From 2200 on a number belongs to a name, as in
/// "In the Year 2525"; and so do "0013" and "9999".
pub(crate) fn year(text: &str) -> Option<u16> {
    let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    let year = text.parse().ok().filter(|_| digits)?;
    (1000..2200).contains(&year).then_some(year)
}

/// The year in parentheses at the start of a text, or behind the article that a name left behind.
///
/// ```
/// use rerec_text::leading_year;
///
/// assert_eq!(leading_year(" (1995) is a film"), Some(1995));
/// assert_eq!(leading_year(", The (1995)"), Some(1995));
/// assert_eq!(leading_year(" of (1995)"), None);
/// ```
pub fn leading_year(text: &str) -> Option<u16> {
    let text = behind_article(text).unwrap_or(text);
    let text = text.strip_prefix(' ').unwrap_or(text).strip_prefix('(')?;
    let found = year(text.get(..4)?)?;
    text[4..].starts_with(')').then_some(found)
}

/// ", The (1995)" -> "(1995)".
fn behind_article(text: &str) -> Option<&str> {
    let (article, rest) = text.strip_prefix(", ")?.split_once(' ')?;
    is_article(article).then_some(rest)
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
