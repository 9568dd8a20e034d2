//! Why each step of a judged got its advantage: `cargo run -p rerec-examples --example explain_rollout`.
#![allow(clippy::print_stdout)]

use rerec_advantage::{
    AdvantageEstimator, Credit, CreditAssigner, CreditConfig, Error, Explanation, Groups,
    ItemNames, JudgedAnswer, JudgedResponse, Raae, RolloutBatch, SpreadConfig, TokenRewards,
};

const CANDIDATES: [&str; 4] = [
    "Toy Story (1995)",
    "Jumanji (1995)",
    "Babe (1995)",
    "Casino (1995)",
];

/// Three answers to "an animated film for the whole family, with toys", as a policy may sample them.
const RESPONSES: [(&str, &str); 3] = [
    (
        "The user wants animation, a family audience, and toys.\n\n\
         Casino (1995) is a crime drama, so it is out.\n\n\
         Jumanji comes out of a board game, which is close to a toy, and children play it.\n\n\
         Toy Story (1995) is animated, but I am not sure about the toys’ role.\n\n\
         I choose \\boxed{Jumanji (1995)}",
        "Jumanji (1995)",
    ),
    (
        "Toys that come alive: that is Toy Story.\n\nIt is animated as well.\n\n\\boxed{Toy Story (1995)}",
        "Toy Story (1995)",
    ),
    (
        "Babe (1995) is for families.\n\nIt has no toys, though.\n\n\\boxed{Babe (1995)}",
        "Babe (1995)",
    ),
];

fn main() -> Result<(), Error> {
    let targets = ["Toy Story (1995)"];
    let assigner = CreditAssigner::new(CreditConfig::default())?;
    // Once a query: all names that its responses may use.
    let lexicon = assigner.lexicon(CANDIDATES.map(ItemNames::from_title))?;

    let recommended = RESPONSES.map(|(_, item)| [item]);
    let lengths = RESPONSES.map(|(response, _)| token_byte_lens(response));
    let rollouts: Vec<JudgedResponse<'_>> = (0..RESPONSES.len())
        .map(|i| {
            let (response, item) = RESPONSES[i];
            let is_right = targets.contains(&item);
            let span = response.rfind("\\boxed").map(|start| start..response.len());
            let answer = span.map(|span| JudgedAnswer {
                span,
                items: &recommended[i],
                is_right,
            });
            // Format +0.05 and NDCG@1, as in the paper's reward.
            let reward = 0.05 + f64::from(u8::from(is_right));
            JudgedResponse {
                response,
                token_byte_lens: &lengths[i],
                answer,
                targets: &targets,
                reward,
            }
        })
        .collect();

    let credits: Vec<Credit<'_>> = rollouts
        .iter()
        .map(|judged| assigner.assign(judged, &lexicon))
        .collect::<Result<_, _>>()?;
    let rewards = TokenRewards::from_rows(credits.iter().map(|credit| &credit.token_rewards));
    let groups = Groups::from_sizes(&[RESPONSES.len()])?;
    let batch = RolloutBatch::new(&groups, &rewards)?;
    let advantages = Raae::new(SpreadConfig::default())?
        .estimate(&batch)?
        .into_tokens(&batch);

    for (credit, advantages) in credits.iter().zip(advantages.rows()) {
        println!("{}", Explanation::new(credit, Some(advantages))?);
    }
    Ok(())
}

/// Words with the blanks before them stand in for the tokens of a vocabulary; an end token follows.
fn token_byte_lens(response: &str) -> Vec<u32> {
    let mut starts: Vec<usize> = response
        .match_indices([' ', '\n'])
        .map(|(at, _)| at)
        .collect();
    starts.push(response.len());
    let mut before = 0;
    let mut lengths: Vec<u32> = starts
        .into_iter()
        .map(|end| {
            let length = end - before;
            before = end;
            length as u32
        })
        .collect();
    lengths.push(0);
    lengths
}
