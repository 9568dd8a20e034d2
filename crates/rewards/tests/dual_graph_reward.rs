//! The dual-graph reward on a catalogue small enough to reckon by hand.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use ndarray::array;
use rerec_rewards::{
    Attribute, AttributeGraph, Catalogue, ConditionCredit, DualGraphConfig, DualGraphReward,
    EmbeddingTable, Error, Flag, Item, ItemEmbeddings, ItemIndex, ListAlignment, MissingPolicy,
    MixedReward, Reward, RewardBreakdown, RewardSummary, RewardTerm, RewardWeights, Sample,
    ScoredSample, SimilarityConfig, per_sample,
};

/// Attributes by item: Heat {crime, mann, 90s}, Thief {crime, mann, 80s}, Casino {crime, 90s}, Alien {horror}.
fn catalogue() -> Arc<Catalogue> {
    let facts = |values: &[&str]| {
        let fact = |value: &&str| Attribute {
            relation: "is".into(),
            value: (*value).into(),
        };
        values.iter().map(fact).collect()
    };
    let item = |title: &str, values: &[&str]| Item {
        attributes: facts(values),
        ..Item::new(title, title)
    };
    let items = vec![
        item("Heat", &["crime", "mann", "90s"]),
        item("Thief", &["crime", "mann", "80s"]),
        item("Casino", &["crime", "90s"]),
        item("Alien", &["horror"]),
    ];
    Arc::new(Catalogue::new(items).unwrap())
}

struct Scorer {
    items: Vec<ItemIndex>,
    reward: DualGraphReward,
}

impl Scorer {
    fn new(config: DualGraphConfig) -> Self {
        let catalogue = catalogue();
        let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue).unwrap());
        let items = catalogue.iter().map(|(index, _)| index).collect();
        Self {
            items,
            reward: DualGraphReward::new(config, catalogue, Some(graph), None).unwrap(),
        }
    }

    fn score(
        &self,
        answer: &str,
        targets: &[usize],
        candidates: Option<&[usize]>,
    ) -> Result<RewardBreakdown, Error> {
        let pick = |positions: &[usize]| {
            positions
                .iter()
                .map(|&at| self.items[at])
                .collect::<Vec<_>>()
        };
        let (targets, candidates) = (pick(targets), candidates.map(pick));
        let response = format!("Well, \\boxed{{{answer}}}");
        let sample = Sample {
            query: "q",
            response: &response,
            targets: &targets,
            candidates: candidates.as_deref(),
        };
        self.reward.score(&[sample]).remove(0)
    }
}

fn config(cutoff: usize, alignment: ListAlignment) -> DualGraphConfig {
    DualGraphConfig {
        cutoff,
        alignment,
        ..DualGraphConfig::paper()
    }
}

fn assert_close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{got} for {expected}");
}

#[test]
fn a_right_answer_gets_every_part() {
    let scored = Scorer::new(DualGraphConfig::paper())
        .score("heat", &[0], None)
        .unwrap();
    assert_close(scored.total, 0.1 * 0.5 + 1.0 + 0.01);
    assert!(scored.hit && scored.flags.is_empty());
    assert_eq!(scored.preference_alignment, None);
    let answer = scored.answer.unwrap();
    assert_eq!(answer.span, 6..18);
    assert_eq!(answer.items[0].id, Some("Heat".into()));
}

#[test]
fn the_alignment_of_a_list_is_a_setting() {
    // Of Heat's three attributes Thief has 2, Alien 0, Casino 2.
    let answer = "Thief; Alien; Casino; Heat";
    let score = |alignment| {
        Scorer::new(config(3, alignment))
            .score(answer, &[0], None)
            .unwrap()
    };
    let alignment = |list| score(list).query_alignment.unwrap();
    assert_close(alignment(ListAlignment::First), 2.0 / 3.0);
    assert_close(alignment(ListAlignment::Mean), 4.0 / 9.0);
    let (second, third) = (1.0 / 3f64.log2(), 0.5);
    assert_close(
        alignment(ListAlignment::Discounted),
        (2.0 / 3.0) * (1.0 + third) / (1.0 + second + third),
    );
    // Heat stands behind the cut-off.
    assert!(!score(ListAlignment::First).hit);
}

#[test]
fn ranks_are_kept_but_for_duplicates() {
    let scorer = Scorer::new(config(3, ListAlignment::First));
    let third = 0.5;
    for (answer, ndcg, flags) in [
        ("Thief; Nosuch; Heat", third, vec![Flag::UnknownItem]),
        ("Thief; Alien; Heat", third, vec![Flag::OutsideCandidates]),
        (
            "Thief; Thief; Casino; Heat",
            third,
            vec![Flag::DuplicateItem],
        ),
        (
            "Nosuch; Nosuch; Nosuch; Heat",
            1.0 / 3f64.log2(),
            vec![Flag::UnknownItem, Flag::DuplicateItem],
        ),
        ("Heat; Heat; Heat", 1.0, vec![Flag::DuplicateItem]),
        (";", 0.0, vec![Flag::EmptyList]),
    ] {
        let scored = scorer.score(answer, &[0], Some(&[0, 1, 2])).unwrap();
        assert_close(scored.ndcg, ndcg);
        assert_eq!(scored.flags, flags, "{answer}");
    }
}

#[test]
fn faults_of_the_data_are_errors_whatever_the_model_wrote() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    for answer in ["Heat", "Nosuch", ""] {
        for (targets, candidates, message) in [
            (
                &[][..],
                None,
                "query `q`: no target given, need at least one",
            ),
            (
                &[0],
                Some(&[1, 2][..]),
                "query `q`: target `Heat` is not among the candidates",
            ),
            (
                &[0, 3],
                None,
                "query `q`: the targets [ItemId(\"Heat\"), ItemId(\"Alien\")] share no attribute in the graph",
            ),
        ] {
            let error = scorer.score(answer, targets, candidates).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}

#[test]
fn a_failed_sample_is_counted_and_left_out() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let brittle = per_sample("brittle", (0.0, 2.0), |scored| {
        let is_bad = scored.sample.query == "bad";
        Ok(if is_bad { f64::NAN } else { 2.0 })
    });
    let reward = MixedReward::new(scorer.reward)
        .with_term(0.5, brittle)
        .unwrap();
    let targets = &scorer.items[..1];
    let sample = |query, response| Sample {
        query,
        response,
        targets,
        candidates: None,
    };
    let batch = [
        sample("good", "none"),
        sample("bad", r"\boxed{Heat}"),
        sample("good", r"\boxed{Heat}"),
    ];
    let scored = reward.score(&batch);
    assert_eq!(
        scored[1].as_ref().unwrap_err().to_string(),
        "query `bad`: reward term `brittle`: gave NaN, outside of its range [0, 2]"
    );
    let summary = RewardSummary::of(&scored);
    assert_eq!((summary.scored, summary.failed, summary.hits), (2, 1, 1));
    assert_eq!(summary.flags[&Flag::NoBox], 1);
    assert_close(summary.total.unwrap(), ((-0.55 + 1.0) + (1.06 + 1.0)) / 2.0);
    assert_eq!(summary.terms["brittle"], 2.0);
}

#[test]
fn a_term_sees_the_answer_and_no_sample_that_the_base_refused() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let items = per_sample("items", (0.0, 5.0), |scored| {
        let answer = scored.breakdown.answer.as_ref();
        Ok(answer.map_or(0.0, |answer| answer.items.len() as f64))
    });
    let reward = MixedReward::new(scorer.reward)
        .with_term(0.1, items)
        .unwrap();
    let sample = |response, targets| Sample {
        query: "q",
        response,
        targets,
        candidates: None,
    };
    let targets = &scorer.items[..1];
    let scored = reward.score(&[
        sample(r"\boxed{Heat; Thief}", &[]),
        sample(r"\boxed{Heat; Thief}", targets),
        sample("none", targets),
    ]);
    assert!(scored[0].is_err());
    let items = |at: usize| scored[at].as_ref().unwrap().terms["items"];
    assert_eq!((items(1), items(2)), (2.0, 0.0));
}

#[test]
fn rewards_lie_in_their_bounds_and_reach_them() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let targets = &scorer.items[..1];
    let sample = |response| Sample {
        query: "q",
        response,
        targets,
        candidates: None,
    };
    let (lowest, highest) = scorer.reward.bounds();
    let batch = ["none", r"\boxed{Heat}", r"\boxed{Thief}", r"\boxed{Nosuch}"].map(sample);
    let totals = |reward: &dyn Reward| -> Vec<f64> {
        let scored = reward.score(&batch).into_iter();
        scored.map(|scored| scored.unwrap().total).collect()
    };
    let got = totals(&scorer.reward);
    assert!(got.iter().all(|total| (lowest..=highest).contains(total)));
    assert_close(got[0], lowest);
    // A weight below 0 turns the ends of a term round.
    let flag = per_sample("flag", (0.0, 3.0), |scored| {
        Ok(3.0 * f64::from(u8::from(scored.breakdown.hit)))
    });
    let mixed = MixedReward::new(scorer.reward)
        .with_term(-1.0, flag)
        .unwrap();
    assert_eq!(mixed.bounds(), (lowest - 3.0, highest));
    let (lowest, highest) = mixed.bounds();
    assert!(
        totals(&mixed)
            .iter()
            .all(|total| (lowest..=highest).contains(total))
    );
}

#[test]
fn a_total_is_the_weighted_sum_of_its_parts() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let items = per_sample("items", (0.0, 5.0), |_| Ok(2.0));
    let reward = MixedReward::new(scorer.reward)
        .with_term(-0.25, items)
        .unwrap();
    let sample = Sample {
        query: "q",
        response: r"\boxed{Casino}",
        targets: &scorer.items[..1],
        candidates: None,
    };
    let scored = reward.score(&[sample]).remove(0).unwrap();
    let parts = reward.parts(&scored);
    // Format, ranking, two of Heat's three attributes, no embeddings, the term.
    let expected = [
        (0.1, Some(0.5)),
        (1.0, Some(0.0)),
        (0.01, Some(2.0 / 3.0)),
        (0.01, None),
        (-0.25, Some(2.0)),
    ];
    let got: Vec<_> = parts.iter().map(|part| (part.weight, part.value)).collect();
    assert_eq!(got, expected);
    let sum = parts
        .iter()
        .map(|part| part.weight * part.value.unwrap_or(0.0))
        .sum::<f64>();
    assert_close(scored.total, sum);
}

#[test]
fn ndcg_lies_between_0_and_1_and_the_ranking_term_has_its_own_name() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let [none, right] = ["", "Heat"].map(|answer| scorer.score(answer, &[0], None).unwrap());
    assert_eq!((none.ndcg, none.ranking), (0.0, -0.5));
    assert_eq!((right.ndcg, right.ranking), (1.0, 1.0));
    let summary = RewardSummary::of(&[Ok(none), Ok(right)]);
    assert_eq!((summary.ndcg, summary.ranking), (Some(0.5), Some(0.25)));
}

#[test]
fn an_error_of_a_sample_tells_its_cause_once() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let error = scorer.score("Heat", &[], None).unwrap_err();
    assert_eq!(error.to_string().matches("no target given").count(), 1);
    assert!(std::error::Error::source(&error).is_none());
}

#[test]
fn samples_of_a_term_are_scored_by_the_thread_pool() {
    let pooled = per_sample("pooled", (0.0, 1.0), |_| {
        Ok(f64::from(u8::from(rayon::current_thread_index().is_some())))
    });
    let sample = Sample {
        query: "q",
        response: "",
        targets: &[],
        candidates: None,
    };
    let breakdown = &RewardBreakdown::default();
    let scored = ScoredSample { sample, breakdown };
    assert_eq!(pooled.score(&[scored; 3])[2].as_ref().unwrap(), &1.0);
}

#[test]
fn terms_are_computed_beside_each_other() {
    let (send, receive) = std::sync::mpsc::channel();
    let receive = std::sync::Mutex::new(receive);
    // The first term waits for what only the second one sends.
    let waits = per_sample("waits", (0.0, 1.0), move |_| {
        let waited = receive
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(20));
        Ok(f64::from(u8::from(waited.is_ok())))
    });
    let sends = per_sample("sends", (0.0, 1.0), move |_| {
        send.send(()).unwrap();
        Ok(1.0)
    });
    let scorer = Scorer::new(DualGraphConfig::paper());
    let reward = MixedReward::new(scorer.reward)
        .with_term(1.0, waits)
        .unwrap();
    let reward = reward.with_term(1.0, sends).unwrap();
    let sample = Sample {
        query: "q",
        response: "",
        targets: &scorer.items[..1],
        candidates: None,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    let scored = pool.install(|| reward.score(&[sample])).remove(0).unwrap();
    assert_eq!(scored.terms["waits"], 1.0);
}

#[test]
fn a_term_needs_a_finite_weight_and_a_name_of_its_own() {
    let words = || per_sample("words", (0.0, 1.0), |_| Ok(1.0));
    let mixed = || MixedReward::new(Scorer::new(DualGraphConfig::paper()).reward);
    let refused = |mixed: Result<MixedReward, Error>| mixed.unwrap_err().to_string();
    assert_eq!(
        refused(mixed().with_term(f64::NAN, words())),
        "reward term `words`: weight must be finite, got NaN"
    );
    for range in [(0.0, f64::INFINITY), (1.0, 0.0), (f64::NAN, 1.0)] {
        let boundless = per_sample("words", range, |_| Ok(0.5));
        let refused = refused(mixed().with_term(1.0, boundless));
        assert!(refused.starts_with("reward term `words`: range must be finite and ascending"));
    }
    assert_eq!(
        refused(
            mixed()
                .with_term(1.0, words())
                .unwrap()
                .with_term(2.0, words())
        ),
        "reward term `words`: another term has this name"
    );
}

#[test]
fn settings_outside_their_range_are_refused() {
    let refused = |config| {
        DualGraphReward::new(config, catalogue(), None, None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(config(0, ListAlignment::First)),
        "cutoff must be at least 1, got 0"
    );
    let config = DualGraphConfig {
        without_answer: f64::NAN,
        ..DualGraphConfig::paper()
    };
    assert_eq!(refused(config), "without_answer must be finite, got NaN");
}

#[test]
fn parts_of_another_catalogue_are_refused() {
    let fewer = Catalogue::new(catalogue().items()[1..].to_vec()).unwrap();
    let graph = Arc::new(AttributeGraph::from_catalogue(&fewer).unwrap());
    let refused = DualGraphReward::new(DualGraphConfig::paper(), catalogue(), Some(graph), None);
    assert!(matches!(
        refused,
        Err(Error::OtherCatalogue { part: "graph" })
    ));
}

#[test]
fn a_breakdown_survives_a_file() {
    let scored = Scorer::new(DualGraphConfig::paper())
        .score("Thief", &[0], None)
        .unwrap();
    let mut read: RewardBreakdown =
        serde_json::from_str(&serde_json::to_string(&scored).unwrap()).unwrap();
    // Positions are no identity and stay out of files.
    assert_eq!(read.answer.as_ref().unwrap().items[0].index, None);
    read.answer = scored.answer.clone();
    assert_eq!(read, scored);
}

/// Vectors Heat (3, 4), Thief (4, 3), Casino (1, 0), none of Alien: cos(Thief, Heat) = 24/25, cos(Thief, Casino) = 4/5.
fn with_embeddings(config: DualGraphConfig, missing: MissingPolicy) -> Scorer {
    let catalogue = catalogue();
    let ids = ["Heat", "Thief", "Casino"].map(str::to_owned).to_vec();
    let vectors = array![[3.0, 4.0], [4.0, 3.0], [1.0, 0.0]];
    let table = EmbeddingTable::new(ids, vectors).unwrap();
    let similarity = SimilarityConfig {
        missing,
        ..SimilarityConfig::default()
    };
    let embeddings = Arc::new(ItemEmbeddings::new(&catalogue, &table, similarity).unwrap());
    let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue).unwrap());
    Scorer {
        items: catalogue.iter().map(|(index, _)| index).collect(),
        reward: DualGraphReward::new(config, catalogue, Some(graph), Some(embeddings)).unwrap(),
    }
}

#[test]
fn preference_alignment_is_the_best_cosine_to_a_target() {
    let config = config(2, ListAlignment::Mean);
    let weights = RewardWeights {
        preference: 0.5,
        ..config.weights
    };
    let scorer = with_embeddings(DualGraphConfig { weights, ..config }, MissingPolicy::Error);
    let scored = scorer.score("Thief; Heat", &[0, 2], None).unwrap();
    // Thief is nearer to Heat than to Casino, and Heat is a target.
    let preference = (0.96 + 1.0) / 2.0;
    assert!((scored.preference_alignment.unwrap() - preference).abs() < 1e-6);
    // Heat and Casino share crime and 90s: Thief has one of the two.
    assert_close(scored.query_alignment.unwrap(), (0.5 + 1.0) / 2.0);
    let ndcg = (1.0 / 3f64.log2()) / (1.0 + 1.0 / 3f64.log2());
    let total = 0.1 * 0.5 + ndcg + 0.01 * 0.75 + 0.5 * preference;
    assert!((scored.total - total).abs() < 1e-6);
}

#[test]
fn what_the_data_lack_is_0_for_an_answer_and_an_error_for_a_target() {
    let scorer = with_embeddings(DualGraphConfig::paper(), MissingPolicy::Error);
    let scored = scorer.score("Alien", &[0], None).unwrap();
    assert_eq!(scored.preference_alignment, Some(0.0));
    assert_eq!(scored.flags, [Flag::NoEmbedding]);
    assert_eq!(
        scorer.score("Heat", &[3], None).unwrap_err().to_string(),
        "query `q`: item `Alien` has no embedding"
    );
    let lenient = with_embeddings(DualGraphConfig::paper(), MissingPolicy::Score(-0.5));
    let scored = lenient.score("Alien", &[0], None).unwrap();
    assert_eq!(scored.preference_alignment, Some(-0.5));
}

#[test]
fn conditions_that_are_asked_for_are_credited() {
    let scorer = Scorer::new(DualGraphConfig::paper());
    let catalogue = catalogue();
    let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue).unwrap());
    let asked = |values: &[&str]| -> Vec<Attribute> {
        let attribute = |value: &&str| Attribute {
            relation: "is".into(),
            value: (*value).into(),
        };
        values.iter().map(attribute).collect()
    };
    let stated = [
        ("both", asked(&["crime", "mann"])),
        ("twice", asked(&["crime", "mann", "crime"])),
        ("one known", asked(&["crime", "noir"])),
        ("unknown", asked(&["noir"])),
    ];
    let credit = ConditionCredit::new(graph, stated.iter().map(|(query, of)| (*query, &**of)));
    let [heat, casino] = [scorer.items[0], scorer.items[2]];
    assert_eq!(credit.share("both", Some(heat)), Some(1.0));
    // Stated twice it counts once.
    assert_eq!(credit.share("twice", Some(casino)), Some(0.5));
    assert_eq!(credit.share("unknown", Some(heat)), None);
    // Of another, larger catalogue.
    let stranger = ItemIndex::from_position(99).unwrap();
    assert_eq!(credit.share("both", Some(stranger)), Some(0.0));
    let reward = MixedReward::new(scorer.reward)
        .with_term(0.1, credit)
        .unwrap();
    let credit = |query, response| {
        let sample = Sample {
            query,
            response,
            targets: &scorer.items[..1],
            candidates: None,
        };
        reward.score(&[sample]).remove(0).unwrap().terms["conditions"]
    };
    for (answer, met) in [
        (r"\boxed{Heat}", 1.0),
        (r"\boxed{Casino}", 0.5),
        (r"\boxed{Alien}", 0.0),
        // No item of the catalogue, and no answer.
        (r"\boxed{Ronin}", 0.0),
        ("none", 0.0),
    ] {
        assert_eq!(credit("both", answer), met, "{answer}");
    }
    assert_eq!(credit("one known", r"\boxed{Casino}"), 1.0);
    // As the query alignment score: two of Heat's three attributes.
    for query in ["unknown", "unheard of"] {
        assert_close(credit(query, r"\boxed{Casino}"), 2.0 / 3.0);
    }
    assert_eq!(credit("unheard of", "none"), 0.0);
}

#[test]
fn conditions_are_credited_by_nothing_else_than_a_graph() {
    let catalogue = catalogue();
    let graph = Arc::new(AttributeGraph::from_catalogue(&catalogue).unwrap());
    let targets = catalogue.indices_of(["Heat"]).unwrap();
    let without = DualGraphReward::new(DualGraphConfig::paper(), catalogue, None, None).unwrap();
    let reward = MixedReward::new(without)
        .with_term(0.1, ConditionCredit::new(graph, []))
        .unwrap();
    let sample = Sample {
        query: "q",
        response: r"\boxed{Heat}",
        targets: &targets,
        candidates: None,
    };
    let error = reward.score(&[sample]).remove(0).unwrap_err().to_string();
    assert!(
        error.ends_with("has no condition that the graph knows, and no query alignment score"),
        "{error}"
    );
}
