use super::*;

fn named<'a>(titles: &[&str], text: &'a str) -> Vec<&'a str> {
    let items = titles.iter().map(|title| ItemNames::from_title(*title));
    let lexicon = Lexicon::new(items, MentionMode::Title).unwrap();
    lexicon
        .find(text)
        .into_iter()
        .map(|mention| &text[mention.span])
        .collect()
}

#[test]
fn whole_names_only() {
    assert!(named(&["Go (1999)"], "Good films only. I go there.").is_empty());
    assert_eq!(
        named(&["Go (1999)"], "Go is fast; GO (1999) too."),
        ["Go", "GO (1999)"]
    );
    assert!(named(&["The Edge (1997)"], "On the edge.").is_empty());
    assert_eq!(named(&["The Edge (1997)"], "See the Edge."), ["the Edge"]);
}

#[test]
fn another_year_is_another_film() {
    assert!(named(&["Cinderella (1950)"], "Cinderella (2015) is new.").is_empty());
    assert_eq!(
        named(&["Cinderella (1950)"], "cinderella (1950)"),
        ["cinderella (1950)"]
    );
    let both = named(
        &["Cinderella (1950)", "Cinderella (2015)"],
        "Cinderella it is.",
    );
    assert_eq!(both, ["Cinderella", "Cinderella"]);
}

#[test]
fn the_year_behind_markup_tells_which_film() {
    let titles = ["Cinderella (1950)", "Cinderella (2015)"];
    for text in [
        "Cinderella (2015) is",
        "**Cinderella** (2015) is",
        "\"Cinderella\" (2015) is",
        "“Cinderella” – 2015 is",
        "*Cinderella* [2015] is",
        "<i>Cinderella</i> (2015) is",
        "\\textit{Cinderella} (2015) is",
        "《Cinderella》（2015）",
        "Cinderella  (2015) is",
        "Cinderella 2015 is",
        "Cinderella (2015 film) is",
        "Cinderella (2015, dir. Branagh)",
        "Cinderella, the 2015 film",
        "cinderella from 2015",
    ] {
        let items = titles.map(ItemNames::from_title);
        let found = Lexicon::new(items, MentionMode::Title).unwrap().find(text);
        assert!(
            found.iter().all(|mention| mention.item == 1) && found.len() == 1,
            "{text}: {found:?}"
        );
    }
    assert_eq!(
        named(
            &["Heat (1995)", "2001: A Space Odyssey (1968)"],
            "Heat, 2001: A Space Odyssey"
        ),
        ["Heat", "2001: A Space Odyssey"]
    );
    assert!(named(&["Heat (1995)"], "Heat, 2001: another").is_empty());
}

#[test]
fn a_common_word_at_the_beginning_of_a_sentence_is_no_title() {
    let titles = ["It (2017)", "Her (2013)", "Up (2009)"];
    for text in [
        "It is scary. Up to now nothing fits.",
        "So be it.\nHer mood is sad.",
        "- It is scary.\n1. Up to now: It fits.",
        "Is it? It is! \"It is\", she said.",
        "it is up to her",
    ] {
        assert!(named(&titles, text).is_empty(), "{text}");
    }
    for (text, expected) in [
        ("It (2017) is scary.", "It (2017)"),
        ("**It** is scary.", "It"),
        ("\"It\" is scary.", "It"),
        ("“Her” is sad.", "Her"),
        ("I like Up a lot.", "Up"),
        ("1. Up\n2. Heat", "Up"),
        ("Up: a balloon", "Up"),
        ("It [2017] is scary.", "It"),
        ("\\textit{It} is scary.", "It"),
    ] {
        assert_eq!(named(&titles, text), [expected], "{text}");
    }
}

#[test]
fn names_within_names_cost_no_more_than_the_longest() {
    let depth = 200;
    let name = |words: usize| ["Go"; 200][..words].join(" ");
    let items = (1..=depth).map(|words| ItemNames::new(name(words)));
    let lexicon = Lexicon::new(items, MentionMode::Title).unwrap();
    let text = ["Go"; 5000].join(" ");
    // One occurrence for each word that a name may end with, not one for each name that ends there.
    assert_eq!(lexicon.occurrences(&text).len(), 5000);
    let found = lexicon.find(&text);
    assert_eq!(found.len(), 5000 - depth + 1);
    assert!(found.iter().all(|mention| mention.item == depth - 1));
}

#[test]
fn every_spelling_of_a_title_names_the_item() {
    for (title, text, expected) in [
        (
            "Breakfast Club, The (1985)",
            "The Breakfast Club is",
            "The Breakfast Club",
        ),
        (
            "Breakfast Club, The (1985)",
            "a Breakfast Club fan",
            "Breakfast Club",
        ),
        (
            "Breakfast Club, The (1985)",
            "the breakfast club (1985)",
            "the breakfast club",
        ),
        (
            "Breakfast Club, The (1985)",
            "breakfast club, the (1985)",
            "breakfast club, the (1985)",
        ),
        (
            "The Breakfast Club (1985)",
            "Breakfast Club, The (1985)",
            "Breakfast Club, The",
        ),
        (
            "Lord of the Rings, The: The Two Towers (2002)",
            "The Lord of the Rings: The Two Towers",
            "The Lord of the Rings: The Two Towers",
        ),
        (
            "Lord of the Rings: The Two Towers, The (2002)",
            "the Lord of the Rings: The Two Towers",
            "the Lord of the Rings: The Two Towers",
        ),
        ("Avventura, L' (1960)", "see L’Avventura", "L’Avventura"),
        ("Seven (a.k.a. Se7en) (1995)", "Se7en it is", "Se7en"),
        ("Seven (Se7en) (1995)", "Seven it is", "Seven"),
        (
            "Cité des enfants perdus, La [City of Lost Children, The] (1995)",
            "The City of Lost Children",
            "The City of Lost Children",
        ),
        (
            "Mission_ Impossible (1996)",
            "Mission: Impossible",
            "Mission: Impossible",
        ),
        (
            "Mission: Impossible (1996)",
            "Mission Impossible",
            "Mission Impossible",
        ),
        (
            "Thelma & Louise (1991)",
            "Thelma and Louise",
            "Thelma and Louise",
        ),
        (
            "Pride and Prejudice (1995)",
            "Pride & Prejudice",
            "Pride & Prejudice",
        ),
    ] {
        assert_eq!(named(&[title], text), [expected], "{title} in {text:?}");
    }
}

#[test]
fn other_words_are_no_spelling_of_a_title() {
    for (title, text) in [
        ("Breakfast Club, The (1985)", "breakfast club, the"),
        ("Breakfast Club, The (1985)", "the breakfast club"),
        ("Breakfast Club, The (1985)", "Breakfast Club, The (2015)"),
        ("Breakfast Club, The (1985)", "The Breakfast Club (2015)"),
        ("Edge, The (1997)", "Edge of Tomorrow"),
        ("Rocky (2) (1979)", "2 fights"),
    ] {
        assert!(named(&[title], text).is_empty(), "{title} in {text:?}");
    }
}

#[test]
fn spelling_does_not_matter() {
    assert_eq!(
        named(&["Amelie (2001)"], "Ame\u{301}lie (2001)!"),
        ["Ame\u{301}lie (2001)"]
    );
    assert_eq!(named(&["Amélie"], "voir AMELIE"), ["AMELIE"]);
    assert_eq!(
        named(&["Schindler's List (1993)"], "Schindler’s List"),
        ["Schindler’s List"]
    );
}

#[test]
fn scripts_without_spaces() {
    assert_eq!(
        named(&["英雄", "卧虎藏龙"], "先看英雄，再看《卧虎藏龙》"),
        ["英雄", "卧虎藏龙"]
    );
    assert_eq!(
        named(&["英雄", "英雄本色 (1986)"], "英雄本色很好"),
        ["英雄本色"]
    );
    assert_eq!(named(&["기생충 (2019)"], "기생충은 좋다"), ["기생충"]);
    assert!(named(&["バック"], "バックトゥ").is_empty());
}

#[test]
fn a_failed_longer_name_does_not_hide_a_shorter_one() {
    assert_eq!(named(&["Star", "Star Wars"], "Star Warsaw"), ["Star"]);
}

#[test]
fn substrings_are_literal() {
    let lexicon = Lexicon::new([ItemNames::new("Go")], MentionMode::Substring).unwrap();
    assert_eq!(lexicon.find("Good go Go").len(), 2);
    let lexicon = Lexicon::new([ItemNames::new("É")], MentionMode::SubstringIgnoreCase).unwrap();
    assert_eq!(lexicon.find("été").len(), 2);
}

#[test]
fn a_name_of_nothing_but_accents_is_found_nowhere() {
    assert!(named(&["\u{301}", "\u{301} \u{300}"], "caf\u{e9} e\u{301} x").is_empty());
}

#[test]
fn blank_names_are_refused_and_no_names_find_nothing() {
    let error = Lexicon::new([ItemNames::new(" ")], MentionMode::Title).unwrap_err();
    assert_eq!(
        error.to_string(),
        "name of item 0 must not be blank, got \" \""
    );
    assert!(
        Lexicon::new([], MentionMode::Title)
            .unwrap()
            .find("Heat")
            .is_empty()
    );
}
