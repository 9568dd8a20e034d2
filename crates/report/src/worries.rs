//! What to worry about in a run, in words.

use rerec_trainer::{Evaluation, MetricsRecord, Phase};
use serde::Serialize;

use crate::rollouts::{CUT_OFF, NOT_SCORED, Scores};
use crate::statistics::wilson;

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worry {
    /// In a few words.
    pub title: String,
    /// What was seen, and what may help.
    pub text: String,
    /// What the browser of rollouts shows of it: one of its filters and the value, `flag=no box`.
    pub(crate) filter: Option<String>,
}

impl Worry {
    fn shown_by(self, name: &str, value: &str) -> Self {
        let filter = Some(format!("{name}={value}"));
        Self { filter, ..self }
    }
}

/// Steps at the end that are looked at: of each number the mean.
const LAST: usize = 10;
/// Share of groups that teach nothing from which it is said.
const SATURATED: f64 = 0.5;
/// Share of responses with a flag, or cut off, from which it is said.
const OFTEN: f64 = 0.1;
/// KL to the warm start from which it is said, in nats per token.
const FAR: f64 = 0.5;
/// Share of clipped tokens from which it is said.
const CLIPPED: f64 = 0.2;
/// Share of the first steps' entropy below which it is said.
const COLLAPSED: f64 = 0.1;
/// How much higher right answers' preference scores must be than wrong ones', so that the score tells them apart.
const CONTRAST: f64 = 0.1;

/// What stands out in the steps so far, judged by the last ten: idle groups, flags, answers that were cut off, drift, clipping, collapsed
/// entropy.
pub fn worries_of_steps(metrics: &[MetricsRecord]) -> Vec<Worry> {
    let mut found = Vec::new();
    if !metrics.is_empty() {
        of_groups(metrics, &mut found);
        of_responses(metrics, &mut found);
        of_policy(metrics, &mut found);
    }
    found
}

/// Everything that stands out.
pub(crate) fn worries(
    metrics: &[MetricsRecord],
    evaluations: &[Evaluation],
    preference: [Scores; 2],
) -> Vec<Worry> {
    let mut found = worries_of_steps(metrics);
    found.extend(flat_preference(preference));
    of_classes(evaluations, &mut found);
    found
}

fn worry(title: &str, text: String) -> Worry {
    Worry {
        title: title.to_owned(),
        text,
        filter: None,
    }
}

fn last(metrics: &[MetricsRecord]) -> &[MetricsRecord] {
    &metrics[metrics.len().saturating_sub(LAST)..]
}

fn mean(metrics: &[MetricsRecord], value: impl Fn(&MetricsRecord) -> f64) -> f64 {
    metrics.iter().map(value).sum::<f64>() / metrics.len().max(1) as f64
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn of_groups(metrics: &[MetricsRecord], found: &mut Vec<Worry>) {
    let last = last(metrics);
    let idle = mean(last, |m| {
        m.groups_without_signal as f64 / m.queries.max(1) as f64
    });
    if idle > SATURATED {
        found.push(worry(
            "Saturated groups",
            format!(
                "In the last {} steps {} of the groups taught nothing: all of their responses got the same reward. \
                 Harder queries, more samples or a higher temperature give them something to differ in.",
                last.len(),
                percent(idle)
            ),
        ).shown_by("kind", "without_signal"));
    }
    let shaped = mean(last, |m| {
        m.groups_shaped_only as f64 / m.queries.max(1) as f64
    });
    if shaped > SATURATED {
        found.push(worry(
            "Groups without a right answer",
            format!(
                "In the last {} steps {} of the groups had no right answer, and learned from shaping and penalties alone, \
                 which are blown up to unit variance there.",
                last.len(),
                percent(shaped)
            ),
        ).shown_by("kind", "shaped_only"));
    }
}

fn of_responses(metrics: &[MetricsRecord], found: &mut Vec<Worry>) {
    let last = last(metrics);
    let flags: std::collections::BTreeSet<_> = last
        .iter()
        .flat_map(|m| m.reward.flags.keys().copied())
        .collect();
    for flag in flags {
        let count = |m: &MetricsRecord| m.reward.flags.get(&flag).copied().unwrap_or(0) as f64;
        let share = mean(last, |m| count(m) / m.reward.scored.max(1) as f64);
        if share > OFTEN {
            let name = flag.name().replace('_', " ");
            found.push(
                worry(
                    &format!("Flag: {name}"),
                    format!(
                        "{} of the responses of the last {} steps have it.",
                        percent(share),
                        last.len()
                    ),
                )
                .shown_by("flag", &name),
            );
        }
    }
    let cut = mean(last, |m| m.truncated);
    if cut > OFTEN {
        found.push(worry(
            "Cut off",
            format!(
                "{} of the responses of the last {} steps ran into the token limit; raise reinforcement.max_new_tokens, or look \
                 whether the model has stopped ending its answers.",
                percent(cut),
                last.len()
            ),
        ).shown_by("flag", CUT_OFF));
    }
    let failed: usize = metrics.iter().map(|m| m.reward.failed).sum();
    if failed > 0 {
        found.push(worry(
            "Not scored",
            format!(
                "{failed} responses could not be scored, because data of their queries are at fault. They took no part in training."
            ),
        ).shown_by("flag", NOT_SCORED));
    }
}

fn of_policy(metrics: &[MetricsRecord], found: &mut Vec<Worry>) {
    let (first, last) = (&metrics[..metrics.len().min(LAST)], last(metrics));
    let kl = mean(last, |m| m.update.kl);
    if kl > FAR {
        found.push(worry(
            "Drift",
            format!("The policy is {kl:.2} nats per token away from the warm start."),
        ));
    }
    let clipped = mean(last, |m| m.update.clip_fraction);
    if clipped > CLIPPED {
        found.push(worry(
            "Clipping",
            format!(
                "{} of the tokens of the last {} steps had their ratio clipped; a lower learning rate or fewer updates of one step's \
                 rollouts keep closer to it.",
                percent(clipped),
                last.len()
            ),
        ));
    }
    let (before, after) = (mean(first, |m| m.entropy), mean(last, |m| m.entropy));
    if after < COLLAPSED * before {
        found.push(worry(
            "Entropy collapsed",
            format!(
                "It fell from {before:.3} to {after:.3} nats per token: the samples of a group are nearly alike."
            ),
        ));
    }
}

fn flat_preference([right, wrong]: [Scores; 2]) -> Option<Worry> {
    let mean = |scores: Scores| scores.sum / scores.count.max(1) as f64;
    let (high, low) = (mean(right), mean(wrong));
    let is_flat = right.count > 0 && wrong.count > 0 && high - low < CONTRAST;
    is_flat.then(|| {
        worry(
            "Flat preference score",
            format!(
                "Wrong answers have a mean preference alignment of {low:.2}, right ones of {high:.2}: it hardly tells them apart. \
                 Centred cosines or embeddings trained longer may."
            ),
        )
    })
}

/// Classes that reinforcement made worse, beyond what their intervals leave to chance.
fn of_classes(evaluations: &[Evaluation], found: &mut Vec<Worry>) {
    let of = |phase| evaluations.iter().rev().find(|e| e.phase == phase);
    let before = of(Phase::WarmStart).or_else(|| of(Phase::Untrained));
    let (Some(before), Some(after)) = (before, of(Phase::Final)) else {
        return;
    };
    for (class, was) in &before.classes {
        let is = after.classes.get(class).copied().unwrap_or_default();
        let (lowest_before, highest_after) =
            (wilson(was.right, was.asked).0, wilson(is.right, is.asked).1);
        if is.asked > 0 && highest_after < lowest_before {
            found.push(worry(
                &format!("Forgotten: {class}"),
                format!(
                    "Accuracy on {class} queries fell from {:.1} to {:.1} % during reinforcement; the 95 % intervals do not overlap.",
                    100.0 * was.share(),
                    100.0 * is.share()
                ),
            ).shown_by("class", class.label()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(change: impl Fn(&mut MetricsRecord)) -> MetricsRecord {
        let mut record: MetricsRecord = serde_json::from_value(serde_json::json!({
            "step": 1, "epoch": 1, "queries": 4, "learning_rate": 0.1, "accuracy": 0.5,
            "groups_with_hit": 4, "groups_shaped_only": 0, "groups_without_signal": 0, "steps_penalised": 0,
            "mean_tokens": 9.0, "truncated": 0.0, "entropy": 1.0, "loss": 0.0, "kl": 0.0, "clip_fraction": 0.0,
            "max_log_ratio": 0.0, "grad_norm": 1.0,
            "reward": {"scored": 10, "failed": 0, "hits": 5, "flags": {}, "total": 0.5, "format": 0.5, "ndcg": 0.5,
                "ranking": 0.5, "query_alignment": null, "preference_alignment": null},
        }))
        .unwrap();
        change(&mut record);
        record
    }

    fn titles(
        metrics: &[MetricsRecord],
        evaluations: &[Evaluation],
        preference: [Scores; 2],
    ) -> Vec<String> {
        let found = worries(metrics, evaluations, preference);
        found.into_iter().map(|worry| worry.title).collect()
    }

    fn scores(mean: f64) -> Scores {
        Scores {
            sum: 10.0 * mean,
            count: 10,
        }
    }

    #[test]
    fn a_sound_run_worries_nobody() {
        let preference = [scores(0.9), scores(0.2)];
        assert!(titles(&[step(|_| {}), step(|_| {})], &[], preference).is_empty());
        assert!(titles(&[], &[], Default::default()).is_empty());
    }

    #[test]
    fn each_worry_is_told_by_its_number() {
        let of = |change: fn(&mut MetricsRecord)| titles(&[step(change)], &[], Default::default());
        assert_eq!(of(|m| m.groups_without_signal = 3), ["Saturated groups"]);
        assert_eq!(
            of(|m| m.groups_shaped_only = 3),
            ["Groups without a right answer"]
        );
        assert_eq!(of(|m| m.truncated = 0.2), ["Cut off"]);
        assert_eq!(of(|m| m.reward.failed = 1), ["Not scored"]);
        assert_eq!(of(|m| m.update.kl = 0.6), ["Drift"]);
        assert_eq!(of(|m| m.update.clip_fraction = 0.3), ["Clipping"]);
        let outside = |m: &mut MetricsRecord| {
            m.reward
                .flags
                .insert(rerec_rewards::Flag::OutsideCandidates, 2);
        };
        assert_eq!(of(outside), ["Flag: outside candidates"]);
        let found = worries(&[step(outside)], &[], Default::default());
        assert_eq!(found[0].filter.as_deref(), Some("flag=outside candidates"));
        let mut steps = vec![step(|_| {}); 10];
        steps.extend(vec![step(|m| m.entropy = 0.05); 10]);
        assert_eq!(
            titles(&steps, &[], Default::default()),
            ["Entropy collapsed"]
        );
        let flat = [scores(0.95), scores(0.9)];
        assert_eq!(titles(&[], &[], flat), ["Flat preference score"]);
    }

    #[test]
    fn a_class_is_forgotten_only_beyond_chance() {
        let evaluation = |phase, right| {
            let mut evaluation = crate::comparison::evaluation(phase);
            let class = evaluation.classes.entry("interest".into()).or_default();
            (class.right, class.asked) = (right, 80);
            evaluation
        };
        let fell_to = |right| {
            let evaluations = [
                evaluation(Phase::WarmStart, 60),
                evaluation(Phase::Final, right),
            ];
            titles(&[], &evaluations, Default::default())
        };
        // 60/80: [0.645, 0.832]; 50/80: [0.516, 0.723]; 35/80: [0.334, 0.547].
        assert!(fell_to(50).is_empty());
        assert_eq!(fell_to(35), ["Forgotten: interest"]);
    }
}
