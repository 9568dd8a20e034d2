use std::borrow::Cow;

use rerec_text::{Title, composed, is_padding, layers, unwrapped, without_article, without_markup};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Item, ItemIndex};

/// How a written title is compared with the catalogue's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleMatch {
    /// Equal but for case, accents, punctuation, the place of the article, and a year or an alternative title that
    /// one side leaves out.
    #[default]
    Title,
    /// Equal to the title or an alias, character for character.
    Exact,
}

impl TitleMatch {
    /// The characters that are compared; of a title, not how its letters carry their accents.
    fn spelled(self, title: &str) -> Cow<'_, str> {
        match self {
            Self::Title => composed(title),
            Self::Exact => title.into(),
        }
    }
}

/// What the catalogue knows under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TitleLookup {
    /// One item, the one meant.
    Found(ItemIndex),
    /// Several items, in catalogue order; the name does not tell them apart.
    Ambiguous(Vec<ItemIndex>),
    /// No item.
    Unknown,
}

/// Finds the item that a written title means.
///
/// The spelling decides, as far as it can: the same characters, then the same but for case, then all that a reader takes for
/// the same title; and in each with the markup, quotes and closing punctuation around it or without. A name stands for an item
/// when it equals its title, an alias, or else a title in the brackets behind it. A year that is given must agree; without
/// brackets, as in "Toy Story 1995", it is one only if no title ends in that number and the item found is of that year. An
/// English article may be lost. A name that still stands for several items is reported as ambiguous, never guessed, unless
/// the candidates leave only one.
///
/// ```
/// # use rerec_rewards::{Catalogue, Item, TitleLookup, TitleMatch, TitleMatcher};
/// let catalogue = Catalogue::new(vec![
///     Item::new("1", "Breakfast Club, The (1985)"),
///     Item::new("2", "Solaris (1972)"),
///     Item::new("3", "Solaris (2002)"),
/// ])?;
/// let matcher = TitleMatcher::new(&catalogue, TitleMatch::Title);
/// let [club, old, new] = [0, 1, 2].map(|i| catalogue.iter().nth(i).unwrap().0);
/// assert_eq!(matcher.lookup("the breakfast club", None), TitleLookup::Found(club));
/// assert_eq!(matcher.lookup("The Breakfast Club (1999)", None), TitleLookup::Unknown);
/// assert_eq!(matcher.lookup("Solaris (2002 film)", None), TitleLookup::Found(new));
/// assert_eq!(matcher.lookup("Solaris", None), TitleLookup::Ambiguous(vec![old, new]));
/// assert_eq!(matcher.lookup("Solaris", Some(&[club, old])), TitleLookup::Found(old));
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TitleMatcher {
    mode: TitleMatch,
    /// Titles and aliases, character for character.
    exact: Names,
    /// The same in small letters.
    caseless: Names,
    titles: Keys,
    /// What titles are without the brackets behind them, and what these hold.
    parts: Keys,
    years: Vec<Option<u16>>,
}

/// Names by their keys.
#[derive(Clone, Debug, Default)]
struct Keys {
    whole: Names,
    /// Names that begin with an article, without it.
    without_article: Names,
}

#[derive(Clone, Debug, Default)]
struct Names(FxHashMap<Box<str>, Hits>);

/// The items of a name, in catalogue order; nearly always one.
#[derive(Clone, Debug)]
enum Hits {
    One(ItemIndex),
    Several(Vec<ItemIndex>),
}

impl Names {
    fn insert(&mut self, name: &str, item: ItemIndex) {
        match self.0.get_mut(name) {
            None => {
                self.0.insert(name.into(), Hits::One(item));
            }
            // Items come one after the other: a repetition of this one could only be the last.
            Some(Hits::Several(items)) if items.last() != Some(&item) => items.push(item),
            Some(hits) => {
                if let Hits::One(first) = *hits
                    && first != item
                {
                    *hits = Hits::Several(vec![first, item]);
                }
            }
        }
    }

    fn get(&self, name: &str) -> Option<&[ItemIndex]> {
        self.0.get(name).map(|hits| match hits {
            Hits::One(item) => std::slice::from_ref(item),
            Hits::Several(items) => items,
        })
    }
}

impl Keys {
    fn insert(&mut self, key: &str, item: ItemIndex) {
        self.whole.insert(key, item);
        if let Some(rest) = without_article(key) {
            self.without_article.insert(rest, item);
        }
    }

    /// The items of a key that has lost its article, or has one too many.
    fn but_for_article(&self, key: &str) -> impl Iterator<Item = &[ItemIndex]> {
        let lost = self.without_article.get(key);
        let extra = without_article(key).and_then(|rest| self.whole.get(rest));
        lost.into_iter().chain(extra)
    }
}

impl TitleMatcher {
    /// Indexes the names of a catalogue.
    pub fn new(catalogue: &Catalogue, mode: TitleMatch) -> Self {
        let mut matcher = Self {
            mode,
            exact: Names::default(),
            caseless: Names::default(),
            titles: Keys::default(),
            parts: Keys::default(),
            years: Vec::with_capacity(catalogue.len()),
        };
        for (index, item) in catalogue.iter() {
            matcher.insert(item, index);
        }
        matcher
    }

    fn insert(&mut self, item: &Item, index: ItemIndex) {
        // A year that is given apart goes before those in the title and the aliases.
        let mut year = item.year;
        for title in std::iter::once(&item.title).chain(&item.aliases) {
            let title = trim(title);
            self.exact.insert(&self.mode.spelled(title), index);
            if self.mode == TitleMatch::Title {
                self.caseless.insert(&caseless(title), index);
                let found = self.insert_title(title, index);
                year = year.or(found);
            }
        }
        // Items come in catalogue order: this is the place of their index.
        self.years.push(year);
    }

    fn insert_title(&mut self, title: &str, index: ItemIndex) -> Option<u16> {
        let read = Title::read(title);
        read.names
            .iter()
            .for_each(|key| self.titles.insert(key, index));
        let parts = read.bare.iter().chain(&read.alternatives);
        parts.for_each(|key| self.parts.insert(key, index));
        // "Tom &amp; Jerry", as catalogues from web pages have it.
        if let Cow::Owned(plain) = without_markup(title) {
            let plain = Title::read(&plain);
            let keys = plain.names.iter().chain(&plain.bare);
            keys.for_each(|key| self.parts.insert(key, index));
        }
        read.year
    }

    /// The item that a name stands for; `candidates` narrow the choice where they hold one of several.
    pub fn lookup(&self, name: &str, candidates: Option<&[ItemIndex]>) -> TitleLookup {
        // Characters first: "Up" and "Up!" share a key, so that only the characters tell them
        // apart.
        if let Some(hits) = self.exact(name) {
            return choose(hits, candidates);
        }
        if self.mode == TitleMatch::Exact {
            // The commands of LaTeX are no characters of a title; whatever else stands around it might be.
            let mut forms = layers(name)
                .take_while(|layer| layer.starts_with('\\'))
                .filter_map(|layer| layers(layer).nth(1));
            let hits = forms.find_map(|form| self.exact(form));
            return hits.map_or(TitleLookup::Unknown, |hits| choose(hits, candidates));
        }
        let plain = without_markup(&name[unwrapped(name, 0..name.len())]);
        let plainer = (plain != trim(name)).then(|| layers(&plain));
        let forms: Vec<&str> = layers(name).chain(plainer.into_iter().flatten()).collect();
        // The name itself is none, as was seen.
        if let Some(hits) = forms.iter().skip(1).find_map(|form| self.exact(form)) {
            return choose(hits, candidates);
        }
        // What equals the name but for case has its key as well: one item found by key is the one.
        // Case is asked only where several share the key.
        let read = self.lookup_read(&plain, candidates);
        if matches!(read, TitleLookup::Found(_)) {
            return read;
        }
        if let Some(hits) = forms
            .iter()
            .find_map(|form| self.caseless.get(&caseless(form)))
        {
            return choose(hits, candidates);
        }
        match plain {
            // What looks like markup may be the title's own: "Ca$h Mon$y".
            Cow::Owned(_) => match self.lookup_read(name, candidates) {
                TitleLookup::Unknown => read,
                found => found,
            },
            Cow::Borrowed(_) => read,
        }
    }

    /// The title or alias that a text is, with or without what stands around it.
    pub(crate) fn exact_layer<'a>(&self, text: &'a str) -> Option<&'a str> {
        // Exact matching ignores nothing around a title: the first layer is the trimmed text
        // itself.
        let forgiven = if self.mode == TitleMatch::Exact {
            1
        } else {
            usize::MAX
        };
        layers(text)
            .take(forgiven)
            .find(|layer| self.has_exactly(layer))
    }

    /// Whether a title or an alias is this very name.
    pub(crate) fn has_exactly(&self, name: &str) -> bool {
        self.exact(name).is_some()
    }

    fn exact(&self, name: &str) -> Option<&[ItemIndex]> {
        self.exact.get(&self.mode.spelled(trim(name)))
    }

    fn lookup_read(&self, name: &str, candidates: Option<&[ItemIndex]>) -> TitleLookup {
        match self.lookup_title(&Title::read(name), candidates) {
            // Only now, since a title may end in such a number: "Wonder Woman 1984".
            TitleLookup::Unknown => self.lookup_bare_year(name, candidates),
            found => found,
        }
    }

    /// "Toy Story 1995", where no title ends in that number; only the item of that very year will do.
    fn lookup_bare_year(&self, name: &str, candidates: Option<&[ItemIndex]>) -> TitleLookup {
        let Some(title) = Title::read_with_bare_year(name) else {
            return TitleLookup::Unknown;
        };
        let dated = |item: &ItemIndex| self.years.get(item.position()) == Some(&title.year);
        match self.lookup_title(&title, candidates) {
            TitleLookup::Found(item) if dated(&item) => TitleLookup::Found(item),
            TitleLookup::Ambiguous(items) if items.iter().all(dated) => {
                TitleLookup::Ambiguous(items)
            }
            _ => TitleLookup::Unknown,
        }
    }

    /// The title itself goes before what is written behind it or inside it, and its own article before none.
    fn lookup_title(&self, title: &Title, candidates: Option<&[ItemIndex]>) -> TitleLookup {
        let keys = || title.names.iter().chain(&title.bare).map(String::as_str);
        let tiers = || [&self.titles, &self.parts].into_iter();
        // Lazy: most look-ups end at the first map.
        let whole = keys().flat_map(|key| tiers().filter_map(|tier| tier.whole.get(key)));
        let but_for_article =
            tiers().flat_map(|tier| keys().flat_map(|key| tier.but_for_article(key)));
        whole
            .chain(but_for_article)
            .map(|hits| self.of_year(hits, title.year))
            .find(|hits| !hits.is_empty())
            .map_or(TitleLookup::Unknown, |hits| choose(&hits, candidates))
    }

    /// The items of a year, or where there is none those whose year is not known.
    fn of_year(&self, hits: &[ItemIndex], year: Option<u16>) -> Vec<ItemIndex> {
        let having = |year| {
            hits.iter()
                .copied()
                .filter(|hit| self.years.get(hit.position()) == Some(&year))
                .collect()
        };
        match year {
            None => hits.to_vec(),
            // An item without a year contradicts none; one of another year is another item.
            Some(_) => Some(having(year))
                .filter(|hits: &Vec<_>| !hits.is_empty())
                .unwrap_or_else(|| having(None)),
        }
    }
}

fn caseless(name: &str) -> String {
    composed(name).to_lowercase()
}

fn trim(name: &str) -> &str {
    name.trim_matches(is_padding)
}

fn choose(hits: &[ItemIndex], candidates: Option<&[ItemIndex]>) -> TitleLookup {
    // Returned even if it is not a candidate: the caller flags that, unlike an unknown title.
    if let [only] = hits {
        return TitleLookup::Found(*only);
    }
    let mut offered = hits
        .iter()
        .filter(|hit| candidates.is_some_and(|candidates| candidates.contains(hit)));
    match (offered.next(), offered.next()) {
        (Some(only), None) => TitleLookup::Found(*only),
        (Some(first), Some(second)) => TitleLookup::Ambiguous(
            [first, second]
                .into_iter()
                .chain(offered)
                .copied()
                .collect(),
        ),
        (None, _) => TitleLookup::Ambiguous(hits.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(titles: &[&str], mode: TitleMatch) -> (Vec<ItemIndex>, TitleMatcher) {
        let items = titles
            .iter()
            .enumerate()
            .map(|(i, title)| Item::new(i.to_string(), *title))
            .collect();
        let catalogue = Catalogue::new(items).unwrap();
        (
            catalogue.iter().map(|(index, _)| index).collect(),
            TitleMatcher::new(&catalogue, mode),
        )
    }

    #[test]
    fn every_name_of_an_item_finds_it() {
        let (items, matcher) = matcher(
            &[
                "Seven (a.k.a. Se7en) (1995)",
                "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            ],
            TitleMatch::Title,
        );
        for name in [
            "Seven",
            "se7en",
            "Seven (1995)",
            "Se7en (1995)",
            "Seven (Se7en) (1995)",
            "Se7en (Seven)",
        ] {
            assert_eq!(
                matcher.lookup(name, None),
                TitleLookup::Found(items[0]),
                "{name}"
            );
        }
        for name in [
            "City of Lost Children",
            "La Cite des Enfants Perdus",
            "The City of Lost Children (1995)",
        ] {
            assert_eq!(
                matcher.lookup(name, None),
                TitleLookup::Found(items[1]),
                "{name}"
            );
        }
    }

    #[test]
    fn a_title_with_its_article_goes_before_one_without() {
        let (items, matcher) = matcher(&["The Piano", "Piano"], TitleMatch::Title);
        assert_eq!(matcher.lookup("Piano", None), TitleLookup::Found(items[1]));
        assert_eq!(
            matcher.lookup("Piano, The", None),
            TitleLookup::Found(items[0])
        );
    }

    #[test]
    fn a_wrong_year_is_another_item() {
        let (items, matcher) = matcher(
            &["Dracula (1931)", "Dracula (1992)", "Nosferatu"],
            TitleMatch::Title,
        );
        assert_eq!(matcher.lookup("Dracula (1958)", None), TitleLookup::Unknown);
        assert_eq!(
            matcher.lookup("Nosferatu (1922)", None),
            TitleLookup::Found(items[2])
        );
        assert_eq!(
            matcher.lookup("Dracula", Some(&items[2..])),
            TitleLookup::Ambiguous(items[..2].to_vec())
        );
    }

    #[test]
    fn a_year_without_brackets_counts_where_no_title_ends_in_it() {
        let (items, matcher) = matcher(
            &[
                "Toy Story (1995)",
                "Blade Runner (1982)",
                "Blade Runner 2049 (2017)",
                "Death Race",
                "Solaris (1972)",
                "Solaris (2002)",
            ],
            TitleMatch::Title,
        );
        for (name, item) in [
            ("Toy Story 1995", 0),
            ("toy story, 1995", 0),
            ("Blade Runner 2049", 2),
            ("Blade Runner 1982", 1),
            ("Blade Runner 2049 2017", 2),
            ("Solaris 2002", 5),
        ] {
            let found = TitleLookup::Found(items[item]);
            assert_eq!(matcher.lookup(name, None), found, "{name}");
        }
        for name in [
            "Toy Story 1996",
            "Death Race 2000",
            "Solaris 2001",
            "Blade Runner 2050",
        ] {
            assert_eq!(matcher.lookup(name, None), TitleLookup::Unknown, "{name}");
        }
    }

    #[test]
    fn an_article_may_stand_before_a_subtitle() {
        let (items, matcher) = matcher(
            &[
                "Lord of the Rings: The Two Towers, The (2002)",
                "Lord of the Rings: The Return of the King, The (2003)",
            ],
            TitleMatch::Title,
        );
        for name in [
            "Lord of the Rings, The: The Two Towers",
            "Lord of the Rings, The: The Two Towers (2002)",
            "Lord of the Rings, The: The Two Towers 2002",
            "The Lord of the Rings: The Two Towers",
            "Lord of the Rings: The Two Towers",
        ] {
            let found = TitleLookup::Found(items[0]);
            assert_eq!(matcher.lookup(name, None), found, "{name}");
        }
    }

    #[test]
    fn exact_matching_forgives_nothing_but_padding() {
        let (items, matcher) = matcher(&["Toy Story (1995)"], TitleMatch::Exact);
        assert_eq!(
            matcher.lookup("\u{a0}Toy Story (1995)\n", None),
            TitleLookup::Found(items[0])
        );
        for name in [
            "toy story (1995)",
            "Toy Story",
            "Toy  Story (1995)",
            "\u{200b}Toy Story (1995)",
        ] {
            assert_eq!(matcher.lookup(name, None), TitleLookup::Unknown, "{name}");
        }
    }
}
