//! Queries built from a table of items and one of ratings.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use rerec_datasets::{
    CatalogueConfig, CatalogueFile, DataSource, Dataset, Error, GroupsFile, Negatives,
    NumberColumn, PromptConfig, Query, QueryClass, QueryConfig, RatingsFile, RelationWording,
    Wording,
};
use tempfile::TempDir;

const INGREDIENTS: [&str; 6] = ["lentils", "spinach", "rice", "saffron", "leeks", "lime"];
const CUISINES: [&str; 3] = ["Indian", "Italian", "Thai"];

/// Sixty recipes with two or three ingredients, a cuisine and a time each.
fn recipes() -> String {
    let mut table = "id,title,cuisine,ingredients,minutes\n".to_owned();
    for n in 0..60 {
        let mut ingredients = vec![INGREDIENTS[n % 6], INGREDIENTS[(n / 6 + 1 + n) % 6]];
        if n % 4 == 0 {
            ingredients.push(INGREDIENTS[(n + 3) % 6]);
        }
        ingredients.dedup();
        let (cuisine, minutes) = (CUISINES[n / 2 % 3], 10 + n * 7 % 80);
        table += &format!(
            "r{n},Dish {n},{cuisine},{},{minutes}\n",
            ingredients.join("|")
        );
    }
    table
}

fn ratings() -> String {
    let mut table = "user,recipe,stars\n".to_owned();
    for n in 0..60 {
        for user in 0..4 {
            let stars = if (n + user) % 3 == 0 { 2 } else { 5 };
            table += &format!("u{},r{n},{stars}\n", (n / 3 + user) % 6);
        }
    }
    table
}

fn config(folder: &Path) -> CatalogueConfig {
    fs::write(folder.join("recipes.csv"), recipes()).unwrap();
    fs::write(folder.join("ratings.csv"), ratings()).unwrap();
    let relation = |relation: &str, named: &str| RelationWording {
        named: Some(named.to_owned()),
        ..RelationWording::plain(relation)
    };
    let minutes = NumberColumn {
        relation: Some("time".into()),
        unit: "minutes".into(),
        thresholds: vec![30.0, 60.0],
        ..NumberColumn::default()
    };
    CatalogueConfig {
        items: CatalogueFile {
            file: folder.join("recipes.csv"),
            attributes: [("cuisine", "cuisine"), ("ingredients", "ingredient")]
                .map(|(column, relation)| (column.to_owned(), relation.to_owned()))
                .into(),
            numbers: [("minutes".to_owned(), minutes)].into(),
            ..CatalogueFile::default()
        },
        ratings: Some(RatingsFile {
            file: folder.join("ratings.csv"),
            item: "recipe".into(),
            rating: Some("stars".into()),
            ..RatingsFile::default()
        }),
        wording: Wording {
            between: " ".into(),
            relations: vec![
                RelationWording {
                    before_noun: true,
                    ..relation("cuisine", "{{ values }}")
                },
                RelationWording {
                    shared_several: Some("that shares an ingredient with {{ anchor }}".into()),
                    ..relation("ingredient", "with {{ values }}")
                },
                RelationWording {
                    mistakable: false,
                    ..relation("time range", "that takes {{ values }}")
                },
            ],
            ..Wording::plain("recipe", [])
        },
        queries: QueryConfig {
            train: 60,
            validation: 6,
            test: 6,
            candidates: 5,
            ..QueryConfig::default()
        },
        ..CatalogueConfig::default()
    }
}

fn load(config: CatalogueConfig) -> Result<Dataset, Error> {
    DataSource::Catalogue(Box::new(config)).load(3)
}

fn said(query: &Query) -> &str {
    query.conversation[0].content.split('\n').next().unwrap()
}

#[test]
fn two_tables_become_queries_in_the_words_of_the_domain() {
    let folder = TempDir::new().unwrap();
    let dataset = load(config(folder.path())).unwrap();
    assert_eq!(
        dataset.remarks,
        ["no demographics queries: there are no groups of users"]
    );
    let train = &dataset.splits.train;
    assert_eq!(train.len(), 60);
    let words: Vec<&str> = train.iter().map(said).collect();
    let any = |part: &str| words.iter().any(|said| said.contains(part));
    assert!(any("recipe with "), "{words:?}");
    assert!(any("that takes under 30 minutes"), "{words:?}");
    assert!(any("that shares an ingredient with \"Dish "), "{words:?}");
    assert!(words.iter().all(|said| !said.contains('{')), "{words:?}");
    let prompt = &train[0].conversation[0].content;
    assert!(
        prompt.contains("Think step by step") && prompt.contains("\\boxed{"),
        "{prompt}"
    );
    let classes = [
        QueryClass::EXPLICIT,
        QueryClass::IMPLICIT,
        QueryClass::MISINFORMED,
        QueryClass::INTEREST,
    ];
    for class in classes {
        assert_eq!(train.iter().filter(|q| q.class == class).count(), 15);
    }
    // Five stars are choices, two are not.
    assert_eq!(dataset.choices().count(), 160);
}

/// A hidden value of an item that has several: no wrong candidate may share any of them.
#[test]
fn any_value_of_the_anchor_is_meant_where_it_has_several() {
    let folder = TempDir::new().unwrap();
    let mut config = config(folder.path());
    config.queries.classes = vec![QueryClass::IMPLICIT];
    config.queries.conditions = [1, 1];
    config.wording.relations.remove(2);
    config.wording.relations.remove(0);
    let dataset = load(config).unwrap();
    let catalogue = &dataset.catalogue;
    let values = |title_or_id: &str| {
        let found = catalogue
            .items()
            .iter()
            .find(|item| item.title == title_or_id || item.id == title_or_id)
            .unwrap();
        let of_relation = found
            .attributes
            .iter()
            .filter(|a| a.relation == "ingredient");
        of_relation.map(|a| a.value.clone()).collect::<Vec<_>>()
    };
    for query in &dataset.splits.train {
        let anchor = said(query).split('"').nth(1).unwrap();
        let meant = values(anchor);
        let fits = |id: &str| values(id).iter().any(|value| meant.contains(value));
        let candidates = query.candidates.as_ref().unwrap();
        let fitting: Vec<_> = candidates.iter().filter(|id| fits(id)).collect();
        assert_eq!(fitting, [&query.targets[0]], "{}", said(query));
    }
}

#[test]
fn conditions_are_as_many_and_as_rare_as_asked_for() {
    let folder = TempDir::new().unwrap();
    let mut config = config(folder.path());
    config.queries.classes = vec![QueryClass::EXPLICIT];
    config.queries.conditions = [3, 3];
    config.queries.shared_by = Some(2);
    let dataset = load(config).unwrap();
    for query in &dataset.splits.train {
        let said = said(query);
        let named = CUISINES.iter().chain(&INGREDIENTS);
        let named = named.filter(|value| said.contains(**value)).count();
        assert_eq!(named + said.matches("minutes").count(), 3, "{said}");
    }
    let mut rare = self::config(folder.path());
    rare.queries.classes = vec![QueryClass::EXPLICIT];
    rare.queries.conditions = [1, 1];
    rare.queries.shared_by = Some(1);
    let message = load(rare).unwrap_err().to_string();
    assert!(
        message.contains("more items than `shared_by` allows met all conditions"),
        "{message}"
    );
}

/// Shares of wrong candidates that meet at least one of two named ingredients, under each way of drawing them.
#[test]
fn wrong_candidates_are_as_hard_as_asked_for() {
    let near = |negatives: Negatives| {
        let folder = TempDir::new().unwrap();
        let mut config = config(folder.path());
        config.queries.classes = vec![QueryClass::EXPLICIT];
        config.queries.negatives = negatives;
        config.wording.relations.remove(2);
        config.wording.relations.remove(0);
        let dataset = load(config).unwrap();
        let (mut near, mut all) = (0, 0);
        for query in &dataset.splits.train {
            let named: Vec<&&str> = INGREDIENTS
                .iter()
                .filter(|i| said(query).contains(**i))
                .collect();
            assert_eq!(named.len(), 2);
            for id in query
                .candidates
                .iter()
                .flatten()
                .filter(|id| **id != query.targets[0])
            {
                let item = dataset
                    .catalogue
                    .get(dataset.catalogue.index_of(id).unwrap());
                let met = named
                    .iter()
                    .filter(|n| item.attributes.iter().any(|a| a.value == ***n));
                let met = met.count();
                assert!(met < 2, "{id} fits {}", said(query));
                (near, all) = (near + met, all + 1);
            }
        }
        near as f64 / f64::from(all)
    };
    // The retriever finds nothing but items that hold one of the words.
    assert_eq!(near(Negatives::Retriever), 1.0);
    let (conditions, random) = (near(Negatives::Conditions), near(Negatives::Random));
    assert!((0.5..=0.8).contains(&conditions), "{conditions}");
    assert!(near(Negatives::Popularity) < 1.0 && random < 1.0);
}

#[test]
fn groups_of_users_are_asked_about_where_there_are_some() {
    let folder = TempDir::new().unwrap();
    let mut config = config(folder.path());
    fs::write(
        folder.path().join("groups.csv"),
        "group,user\nnight cooks,u0\nnight cooks,u1\nearly birds,u2\n",
    )
    .unwrap();
    config.groups = Some(GroupsFile {
        file: folder.path().join("groups.csv"),
        ..GroupsFile::default()
    });
    config.queries.classes = vec![QueryClass::DEMOGRAPHICS];
    let dataset = load(config).unwrap();
    let names = ["night cooks", "early birds"];
    for query in &dataset.splits.train {
        assert!(names.iter().any(|name| said(query).contains(name)));
    }
}

#[test]
fn without_ratings_there_are_no_histories_and_the_remarks_say_so() {
    let folder = TempDir::new().unwrap();
    let config = CatalogueConfig {
        ratings: None,
        ..config(folder.path())
    };
    let dataset = load(config).unwrap();
    assert!(dataset.splits.train.iter().all(|q| q.history.is_empty()));
    assert_eq!(
        dataset.remarks,
        [
            "no interest queries: there are no ratings",
            "no demographics queries: there are no ratings",
            "no histories in the prompts: there are no ratings",
        ]
    );
}

/// A catalogue of which only a few queries can be formed is used as far as it goes.
#[test]
fn options_can_show_what_is_known_of_them() {
    let folder = TempDir::new().unwrap();
    let config = CatalogueConfig {
        prompt: PromptConfig {
            shown: vec!["ingredient".into(), "time".into()],
            ..PromptConfig::default()
        },
        ..config(folder.path())
    };
    let dataset = load(config).unwrap();
    let prompt = &dataset.splits.train[0].conversation[0].content;
    let option = prompt
        .lines()
        .find(|line| line.starts_with("[1] Dish"))
        .unwrap();
    assert!(
        option.contains("(ingredient ") && option.ends_with(" minutes)"),
        "{option}"
    );
}

#[test]
fn a_misspelt_relation_is_refused_with_those_there_are() {
    let folder = TempDir::new().unwrap();
    let mut config = config(folder.path());
    config.wording.relations[1].relation = "ingredeint".into();
    assert_eq!(
        load(config).unwrap_err().to_string(),
        "no item has the relation \"ingredeint\"; the relations of the catalogue are cuisine, ingredient, time, time range"
    );
}
