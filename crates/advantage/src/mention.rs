//! Which items a text names, and where.

pub(crate) mod lexicon;
mod standing;
pub(crate) mod year;

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A place where a response names an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The bytes of the name.
    pub span: Range<usize>,
    /// The place of the item in its [`Lexicon`](crate::Lexicon), or in
    /// [`Annotated::items`](crate::Annotated::items).
    pub item: usize,
}

/// What counts as naming an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionMode {
    /// A whole name on word boundaries, accents, case and typographic quotes folded. A name that its year does not follow, in
    /// brackets or not and behind whatever markup, must keep the capitals of its title ("on the edge" does not name "The Edge
    /// (1997)"); another year must not follow. A common word such as "It" needs its year, quotes or markup where it begins a
    /// sentence. Of names within a name the longest counts.
    #[default]
    Title,
    /// Any occurrence of the same characters, as in the rule of the authors' released code: "Go"
    /// is named by "Good".
    Substring,
    /// The same whatever the case, as in the decrease mode of the released code.
    SubstringIgnoreCase,
}
