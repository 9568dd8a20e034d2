//! Answers as language models write them, and titles as catalogues have them, by kind.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rerec_rewards::{
    AnswerChoice, AnswerReader, Catalogue, Flag, Item, TitleLookup, TitleMatch, TitleMatcher,
    answer_box,
};

fn reader(titles: &[impl AsRef<str>]) -> AnswerReader {
    let items = titles.iter().enumerate();
    let items = items.map(|(at, title)| Item::new(at.to_string(), title.as_ref()));
    let catalogue = Arc::new(Catalogue::new(items.collect()).unwrap());
    AnswerReader::new(catalogue, TitleMatch::Title, AnswerChoice::Last)
}

/// The positions of the items that a box lists; none for what stands for no item.
fn listed(reader: &AnswerReader, content: &str) -> Vec<Option<usize>> {
    let answer = reader.read(&format!("So \\boxed{{{content}}}"), None);
    let items = answer.map(|answer| answer.items).unwrap_or_default();
    items
        .iter()
        .map(|item| item.index.map(|index| index.position()))
        .collect()
}

/// Each answer stands for the first of the titles alone.
fn all_mean_the_first(titles: &[&str], answers: &[&str]) {
    let reader = reader(titles);
    for answer in answers {
        assert_eq!(
            listed(&reader, answer),
            [Some(0)],
            "{answer} among {titles:?}"
        );
    }
}

fn none_means_anything(titles: &[&str], answers: &[&str]) {
    let reader = reader(titles);
    for answer in answers {
        assert_eq!(listed(&reader, answer), [None], "{answer} among {titles:?}");
    }
}

#[test]
fn a_copy_is_its_title_whatever_resembles_it() {
    for titles in [
        &["Up", "Up!", "UP", "Up (2009)"][..],
        &[
            "Heat",
            "Heat (1995)",
            "Heat (1986)",
            "Heat, The",
            "The Heat",
        ],
        &["Résumé", "Resume", "resumé", "RÉSUMÉ"],
        &["F.E.A.R.", "Fear (1996)", "Fear"],
        &[
            "The Hunger Games",
            "Catching Fire (The Hunger Games)",
            "Hunger Games",
        ],
        &[
            "Alien (1979)",
            "Alien (1979) (Director's Cut)",
            "Alien (Director's Cut)",
            "Alien³",
        ],
        &["8½", "8 1/2", "8 1/2 (1963)"],
        &["M*A*S*H", "MASH", "M.A.S.H."],
        &["$Heat$", "Heat", "**Heat**", "{Heat}", "`Heat`", "Heat."],
        &["Tom & Jerry", "Tom &amp; Jerry", "Tom and Jerry"],
        &["A; B", "A", "B"],
        &["...", "…", "?", "!"],
        &["WALL-E", "WALL·E", "WALL−E", "Wall-E"],
        &["Item Title", "Answer", "<answer>"],
    ] {
        let reader = reader(titles);
        for (at, title) in titles.iter().enumerate() {
            assert_eq!(
                listed(&reader, title),
                [Some(at)],
                "{title} among {titles:?}"
            );
            let markup = format!(r"\text{{\textbf{{{title}}}}}");
            assert_eq!(
                listed(&reader, &markup),
                [Some(at)],
                "{markup} among {titles:?}"
            );
        }
    }
}

#[test]
fn case_goes_before_folding() {
    all_mean_the_first(&["Up!", "Up"], &["UP!", "up!", "\"up!\"", "**UP!**."]);
    all_mean_the_first(
        &["Heat (1995)", "Heat"],
        &["HEAT (1995)", "heat (1995)", "Heat 1995", "Heat, 1995 film"],
    );
    all_mean_the_first(&["Heat", "Heat (1995)"], &["HEAT", "heat.", "“heat”"]);
    all_mean_the_first(
        &["Résumé", "Resume"],
        &[
            "RÉSUMÉ",
            "re\u{301}sume\u{301}",
            r"R\'esum\'e",
            "R&eacute;sum&eacute;",
        ],
    );
    all_mean_the_first(
        &["The Hunger Games", "Catching Fire (The Hunger Games)"],
        &["the hunger games", "Hunger Games, The"],
    );
    all_mean_the_first(
        &["The Ring (2002)", "Ring (The Ring) (1998)"],
        &["The Ring", "Ring, The (2002)", "The Ring [2002]"],
    );
    none_means_anything(&["Up!", "Up?"], &["Up", "up"]);
    none_means_anything(
        &["Solaris (1972)", "Solaris (2002)"],
        &["Solaris", "solaris"],
    );
}

#[test]
fn brackets_name_an_item_only_where_they_hold_another_title() {
    none_means_anything(
        &[
            "Merlin (1998) (TV)",
            "Alien (1979) (Director's Cut)",
            "Rocky (2) (1979)",
            "Ran (1985) [Blu-ray]",
            "Dune (Book 1)",
        ],
        &[
            "1998",
            "TV",
            "tv",
            "Director's Cut",
            "directors cut",
            "2",
            "Merlin (2008)",
            "Merlin, 2008",
            "Merlin 2008",
            "Merlin (TV) (2008)",
            "Alien (2003)",
            "Alien [2003]",
            "Blu-ray",
            "Book 1",
            "1",
        ],
    );
    all_mean_the_first(
        &["Merlin (1998) (TV)", "Heat (1995)"],
        &[
            "Merlin",
            "merlin (1998)",
            "Merlin (TV)",
            "Merlin (TV) (1998)",
            "Merlin 1998",
            "Merlin (1998 TV series)",
            "Merlin [TV]",
        ],
    );
    all_mean_the_first(
        &["Seven (a.k.a. Se7en) (1995)"],
        &["Se7en", "Seven", "Seven (Se7en)", "Se7en (1995)"],
    );
}

#[test]
fn the_year_is_read_wherever_it_stands() {
    all_mean_the_first(
        &["Solaris (1972)", "Solaris (2002)"],
        &[
            "Solaris (1972 film)",
            "Solaris (1972, dir. Tarkovsky)",
            "Solaris (1972)[1]",
            "Solaris [1972]",
            "Solaris（1972）",
            "Solaris（1972年）",
            "Solaris, 1972",
            "Solaris 1972",
            "Solaris – 1972",
            "Solaris (1972 version)",
            "Solaris (film, 1972)",
            "Solaris (Andrei Tarkovsky, 1972)",
            "Solaris (1972) by Andrei Tarkovsky",
            "Solaris (1972).",
            "*Solaris* (1972)",
            r"\textit{Solaris} (1972)",
            "“Solaris” (1972)",
            "Solaris (1972) [2]",
            "Solaris (TV, 1972)",
            "Solaris: 1972",
        ],
    );
    all_mean_the_first(
        &["Titanic (1997 film)", "Titanic (1953 film)"],
        &["Titanic (1997)", "Titanic, 1997", "Titanic (film, 1997)"],
    );
    none_means_anything(
        &["Solaris (1972)", "Solaris (2002)"],
        &[
            "Solaris (1971)",
            "Solaris (1971 film)",
            "Solaris, 1971",
            "Solaris [1971]",
            "Solaris（1971年）",
            "Solaris (1971) [1]",
        ],
    );
}

#[test]
fn signs_are_read_as_people_type_them() {
    for (title, answers) in [
        (
            "8½ (1963)",
            &[
                "8 1/2",
                "8 ½ (1963)",
                "8-1/2",
                "8½",
                "8 1⁄2",
                r"8\frac{1}{2}",
                "8&frac12;",
            ][..],
        ),
        ("8 1/2 (1963)", &["8½ (1963)", "8½"]),
        (
            "Naked Gun 2 1/2: The Smell of Fear, The (1991)",
            &["The Naked Gun 2½: The Smell of Fear (1991)"],
        ),
        ("Naked Gun 33 1/3", &["Naked Gun 33⅓"]),
        (
            "Alien³ (1992)",
            &[
                "Alien 3 (1992)",
                "Alien3",
                "Alien^3",
                "Alien$^3$",
                "Alien^{3}",
            ],
        ),
        ("E=mc² (2005)", &["E=mc2", "E=mc 2", "E=mc²"]),
        ("Rocky IV (1985)", &["Rocky Ⅳ", "rocky ⅳ (1985)"]),
        (
            "Sid Meier's Civilization® VI",
            &[
                "Sid Meier's Civilization VI",
                "Sid Meier’s Civilization(R) VI",
            ],
        ),
        (
            "Horizon™ West",
            &[
                "Horizon West",
                "Horizon(TM) West",
                "HORIZON WEST",
                "Horizon\\texttrademark{} West",
            ],
        ),
        (
            "I ❤ Huckabees",
            &["I ❤\u{fe0f} Huckabees", "I\u{200b} ❤ Huckabees"],
        ),
        (
            "Heat (1995)",
            &[
                "Heat\u{fe0f} (1995)",
                "H\u{200d}eat",
                "Heat\u{20dd}",
                "\u{feff}Heat",
                "Heat (19\u{2060}95)",
            ],
        ),
        (
            "WALL-E (2008)",
            &[
                "WALL−E (2008)",
                "WALL—E",
                "WALL‐E",
                "WALL\u{2011}E",
                "WALL﹣E",
                "WALL·E",
            ],
        ),
        ("الرِسالة", &["الرسالة", "الرســالة"]),
        ("שָׁלוֹם", &["שלום"]),
        (
            "千と千尋の神隠し (2001)",
            &[
                "千と千尋の神隠し（２００１）",
                "《千と千尋の神隠し》（2001年）",
            ],
        ),
    ] {
        all_mean_the_first(&[title], answers);
    }
    none_means_anything(&["ガラス (2001)"], &["カラス"]);
}

#[test]
fn markup_around_and_inside_a_title_changes_nothing() {
    for (title, answers) in [
        ("100% Wolf (2020)", &[r"100\% Wolf (2020)"][..]),
        ("C# in Depth", &[r"C\# in Depth", r"\text{C\# in Depth}"]),
        (
            "Les Misérables (2012)",
            &[
                r"Les Mis\'erables (2012)",
                r"Les Mis\'{e}rables",
                "Les Mis&eacute;rables",
            ],
        ),
        ("Mañana", &[r"Ma\~nana", r"\text{Ma\~{n}ana}"]),
        ("François", &[r"Fran\c{c}ois", r"Fran\c cois"]),
        (
            "...And Justice for All (1979)",
            &[r"\ldots And Justice for All (1979)", "…And Justice for All"],
        ),
        (
            "Schindler's List (1993)",
            &[
                r"Schindler{'}s List (1993)",
                r"Schindler\'s List",
                "Schindler&#39;s List",
            ],
        ),
        (
            "Tom & Jerry (1992)",
            &[
                r"Tom \& Jerry (1992)",
                "Tom &amp; Jerry (1992)",
                "Tom &amp;amp; Jerry",
                "Tom and Jerry",
            ],
        ),
        (
            "Tom &amp; Jerry (1992)",
            &["Tom & Jerry (1992)", r"Tom \& Jerry"],
        ),
        (
            "Ca$h Mon$y",
            &["**Ca$h Mon$y**", r"\text{Ca\$h Mon\$y}", "$Ca$h Mon$y$"],
        ),
        (
            "Mission_ Impossible (1996)",
            &[
                "Mission: Impossible",
                r"Mission\_ Impossible",
                "_Mission: Impossible_ (1996)",
            ],
        ),
    ] {
        all_mean_the_first(&[title, "Heat (1995)"], answers);
    }
}

#[test]
fn lists_keep_their_titles_whole() {
    let reader = reader(&["Steins;Gate", "Heat (1995)", "Tom & Jerry", "Up"]);
    for (content, expected) in [
        ("Steins;Gate", &[Some(0)][..]),
        ("Steins;Gate; Heat", &[Some(0), Some(1)]),
        ("Heat;Steins;Gate;Up", &[Some(1), Some(0), Some(3)]),
        ("Tom &amp; Jerry; Heat", &[Some(2), Some(1)]),
        (r"\text{Heat}\;; \text{Up}\;", &[Some(1), Some(3)]),
        (r"**Heat; Up**", &[Some(1), Some(3)]),
        (r"\textcolor{red}{Heat; Up}", &[Some(1), Some(3)]),
        ("1. **Heat** (1995)\n2. *Up*", &[Some(1), Some(3)]),
        ("Heat; Alien; Up", &[Some(1), None, Some(3)]),
    ] {
        assert_eq!(listed(&reader, content), expected, "{content}");
    }
    let titles = |text: &str| reader.list(text, None).len();
    assert_eq!(
        (
            titles("Steins;Gate"),
            titles("Chaos;Head"),
            titles("Heat;Up"),
            titles("Heat; Alien")
        ),
        (1, 1, 2, 2)
    );
}

#[test]
fn a_box_that_quotes_the_instructions_is_blank() {
    for quoted in [
        "...",
        "…",
        r"\ldots",
        "",
        " ",
        r"\text{...}",
        "item title",
        "Item Title",
        "<answer>",
        "<your answer here>",
        "title",
        "your final answer",
        "[item title]",
        "**answer**",
        "item 1; item 2",
        "___",
        r"\text{item title}",
        "movie title",
    ] {
        let response = format!(r"So \boxed{{Heat}}, in the form \boxed{{{quoted}}}.");
        let found = answer_box(&response, AnswerChoice::Last).unwrap();
        assert_eq!(&response[found.content], "Heat", "{quoted}");
        let alone = format!(r"\boxed{{{quoted}}}");
        assert_eq!(answer_box(&alone, AnswerChoice::First), None, "{quoted}");
    }
    for answer in [
        "Heat",
        "[REC]",
        "The Name of the Rose",
        "Book of Eli",
        "; ;",
        "1984",
        "?",
    ] {
        let response = format!(r"\boxed{{{answer}}}");
        assert!(
            answer_box(&response, AnswerChoice::Last).is_some(),
            "{answer}"
        );
    }
}

#[test]
fn what_is_reported_has_no_markup() {
    let reader = reader(&["Heat (1995)"]);
    let answer = reader
        .read(r"\boxed{\text{Casino} (1995); \textbf{Heat}}", None)
        .unwrap();
    let texts: Vec<_> = answer.items.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(texts, ["Casino (1995)", "Heat"]);
    assert_eq!(answer.items[0].flag, Some(Flag::UnknownItem));
}

/// Titles of words, signs and years, such that many resemble each other.
fn title() -> impl Strategy<Value = String> {
    let words = vec![
        "Up",
        "up",
        "Heat",
        "Résumé",
        "Resume",
        "8½",
        "The",
        "A",
        "Ca$h",
        "A$AP",
        "M*A*S*H",
        "Steins;Gate",
        "&",
        "R&D",
        "100%",
        "C#",
        "(1995)",
        "(TV)",
        "[1]",
        "1984",
        "千と",
        "שָׁלוֹם",
        "F.E.A.R.",
        "WALL-E",
        "snake_case",
        "~",
        "Alien³",
        "®",
    ];
    let signs = select(vec!["", "!", "?", "...", "'s"]);
    let title = (vec(select(words), 1..5), signs).prop_map(|(words, sign)| words.join(" ") + sign);
    title.prop_filter("nothing but a blank of LaTeX", |title| {
        title.contains(char::is_alphanumeric)
    })
}

fn wrapper() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        (r"\text{", "}"),
        (r"\textbf{", "}"),
        (r"\mathrm{", "}"),
        (r"\emph{", "}"),
        (r"\mbox{", "}"),
        (r"\operatorname{", "}"),
        (r"\text {", " }"),
        ("{", "}"),
        (r"{\bf ", "}"),
        (r"\displaystyle ", ""),
        (r"\large ", ""),
        ("$", "$"),
        (r"\(", r"\)"),
        (r"\[", r"\]"),
        ("", r"\,"),
        (r"\quad ", ""),
        ("", r"\;"),
        ("~", "~"),
        ("**", "**"),
        ("`", "`"),
        (" ", " "),
        ("", "."),
        ("\"", "\""),
        ("“", "”"),
        (r"\\text{", "}"),
    ])
}

proptest! {
    #[test]
    fn a_copy_of_any_title_is_that_title_alone(titles in vec(title(), 1..12)) {
        let mut distinct = titles;
        distinct.sort();
        distinct.dedup();
        let reader = reader(&distinct);
        for (at, title) in distinct.iter().enumerate() {
            let found = reader.matcher().lookup(title, None);
            let is_it = matches!(found, TitleLookup::Found(index) if index.position() == at);
            prop_assert!(is_it, "{title:?} among {distinct:?}: {found:?}");
            prop_assert_eq!(listed(&reader, title), [Some(at)]);
        }
    }

    #[test]
    fn markup_around_a_title_changes_nothing(
        title in title(),
        others in vec(title(), 0..6),
        wrappers in vec(wrapper(), 0..4),
    ) {
        let mut titles = vec![title.clone()];
        // A title that is another one with signs around it is a case of its own.
        titles.extend(others.into_iter().filter(|other| !title.contains(other.as_str()) && !other.contains(&title)));
        // A formula holds no formula.
        let formulas = wrappers.iter().filter(|(open, _)| matches!(*open, "$" | r"\(" | r"\[")).count();
        prop_assume!(formulas < 2);
        let wrapped = wrappers.iter().fold(title, |inside, (open, close)| format!("{open}{inside}{close}"));
        let items = listed(&reader(&titles), &wrapped);
        prop_assert_eq!(items, [Some(0)], "{} among {:?}", wrapped, titles);
    }
}

/// Pieces that parsers look for, repeated many times over: superlinear work would take minutes.
#[test]
fn no_input_makes_parsing_superlinear() {
    let pieces = [
        r"\text{",
        "{",
        "}",
        "$",
        "$a",
        r"\(",
        "**",
        "*",
        "_",
        "`",
        "~",
        r"\'",
        r"\'{",
        "\\",
        r"\\",
        "&amp;",
        "&",
        "amp;",
        "<b",
        "<",
        ";",
        "; ",
        "(",
        ")",
        "(1995)",
        "(1995) ",
        "[1]",
        "a (b) ",
        ", The",
        ",",
        " , ",
        "1995 ",
        "1. ",
        " 2. ",
        "\n",
        "^{1",
        r"\c ",
        r"\frac{1}{",
        r"\color{",
        r"\quad",
        r"\boxed{",
        r"\boxed{}",
        "(r)",
        "\u{301}",
        "e\u{301}",
        "½",
        "³",
        "\u{200b}",
        "a;",
        "\"",
        "“",
        ".",
        "...",
        "item ",
        "#",
        "（",
        "film ",
        "(TV)",
    ];
    let reader = reader(&["Heat (1995)", "a", "Steins;Gate"]);
    for piece in pieces {
        for open in [r"\boxed{", r"\boxed{Heat "] {
            let many = piece.repeat(30_000 / piece.len());
            let answer = reader.read(&format!("{open}{many}}}"), None);
            let known = TitleMatcher::new(
                &Catalogue::new(vec![Item::new("1", format!("{many}x"))]).unwrap(),
                TitleMatch::Title,
            );
            let _ = (answer, known.lookup(&many, None), reader.list(&many, None));
        }
    }
}
