//! Builds the dual-graph reward for a catalogue of one's own:
//! `cargo run -p rerec-examples --example dual_graph_reward`.
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use ndarray::array;
use rerec_rewards::{
    Attribute, AttributeGraph, Catalogue, DualGraphConfig, DualGraphReward, EmbeddingTable, Error,
    Item, ItemEmbeddings, MixedReward, Reward, RewardSummary, Sample, SimilarityConfig, per_sample,
};

fn film(id: &str, title: &str, director: &str, genres: &[&str]) -> Item {
    let fact = |relation: &str, value: &str| Attribute {
        relation: relation.into(),
        value: value.into(),
    };
    let mut attributes = vec![fact("director", director)];
    attributes.extend(genres.iter().map(|genre| fact("genre", genre)));
    Item {
        attributes,
        ..Item::new(id, title)
    }
}

fn main() -> Result<(), Error> {
    let catalogue = Arc::new(Catalogue::new(vec![
        film(
            "m1",
            "Lantern Keeper, The (1987)",
            "Ines Okafor",
            &["drama", "mystery"],
        ),
        film("m2", "Salt Road (1991)", "Ines Okafor", &["drama"]),
        film(
            "m3",
            "Café Meridian (2004)",
            "Tomas Lindqvist",
            &["comedy", "romance"],
        ),
        film("m4", "Night Ferry (1999)", "Tomas Lindqvist", &["mystery"]),
    ])?);

    // What items are: facts that they share. AttributeGraph::read takes GEXF, TSV and JSON Lines.
    let graph = AttributeGraph::from_catalogue(&catalogue)?;
    // Who likes what: vectors of a recommender, by item id. LightGcn trains them from interactions.
    let ids = ["m1", "m2", "m3", "m4"].map(str::to_owned).to_vec();
    let vectors = array![[0.9, 0.1], [0.8, 0.3], [-0.2, 0.9], [0.5, -0.4]];
    let table = EmbeddingTable::new(ids, vectors)?;
    let embeddings = ItemEmbeddings::new(&catalogue, &table, SimilarityConfig::default())?;

    let config = DualGraphConfig::paper();
    let (graph, embeddings) = (Some(Arc::new(graph)), Some(Arc::new(embeddings)));
    let reward = DualGraphReward::new(config, catalogue.clone(), graph, embeddings)?;
    // A reward of one's own mixes in by name and weight.
    let words = per_sample("words", (0.0, 1000.0), |scored| {
        let words = scored.sample.response.split_whitespace().count();
        Ok(words.min(1000) as f64)
    });
    let reward = MixedReward::new(reward).with_term(-0.001, words)?;

    let targets = catalogue.indices_of(["m1"])?;
    let candidates: Vec<_> = catalogue.iter().map(|(index, _)| index).collect();
    let responses = [
        r"A slow mystery by Okafor: \boxed{The Lantern Keeper}",
        r"By Okafor at least: \boxed{Salt Road (1991)}",
        r"Something funny? \boxed{Cafe Meridian}",
        r"\boxed{Casablanca (1942)}",
        "I would take The Lantern Keeper.",
    ];
    let batch = responses.map(|response| Sample {
        query: "a mystery by Ines Okafor",
        response,
        targets: &targets,
        candidates: Some(&candidates),
    });

    let scored = reward.score(&batch);
    println!(
        "{:>7} {:>6} {:>6} {:>6} {:>6}",
        "format", "ndcg", "query", "pref.", "total"
    );
    for (scored, response) in scored.iter().zip(responses) {
        match scored {
            Ok(reward) => println!(
                "{:7.2} {:6.2} {:6.2} {:6.2} {:6.3}  {:?}  {response}",
                reward.format,
                reward.ndcg,
                reward.query_alignment.unwrap_or(f64::NAN),
                reward.preference_alignment.unwrap_or(f64::NAN),
                reward.total,
                reward.flags,
            ),
            // A sample that cannot be scored is left out, not taken for 0.
            Err(error) => println!("left out: {error}"),
        }
    }
    let summary = RewardSummary::of(&scored);
    println!(
        "{} of {} right, {} failed",
        summary.hits, summary.scored, summary.failed
    );
    Ok(())
}
