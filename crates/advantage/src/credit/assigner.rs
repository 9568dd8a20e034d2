//! Segments, mentions and rules put together.

use std::ops::Range;

use rerec_text::{ItemNames, TokenSpans};

use super::config::{CreditConfig, RuleConfig};
use super::{Annotated, CreditRule, ItemTable, JudgedResponse, Ratios};
use crate::error::{Error, Result};
use crate::mention::MentionMode;
use crate::mention::lexicon::Lexicon;
use crate::segment::nested::Nested;
use crate::segment::{Segmenter, check_tiling, cut_answer, join_inside};

/// Gives each token of a response the part of the reward that its step earned.
///
/// ```
/// use rerec_advantage::{JudgedAnswer, CreditAssigner, CreditConfig, ItemNames, JudgedResponse};
///
/// let assigner = CreditAssigner::new(CreditConfig::default())?;
/// let items = ["Toy Story (1995)", "Jumanji (1995)"].map(ItemNames::from_title);
/// let lexicon = assigner.lexicon(items)?;
/// let judged = JudgedResponse {
///     response: "Toys come alive.\nJumanji has animals.\n\\boxed{Jumanji}",
///     token_byte_lens: &[4, 12, 1, 7, 13, 1, 15, 0],
///     answer: Some(JudgedAnswer { span: 38..53, items: &["Jumanji (1995)"], is_right: false }),
///     targets: &["Toy Story (1995)"],
///     reward: 0.5,
/// };
/// let credit = assigner.assign(&judged, &lexicon)?;
/// // The second line names the wrong answer: 0.7 of 0.5. The box and the line ends keep 0.5.
/// assert_eq!(credit.token_rewards, [0.5, 0.5, 0.5, 0.35, 0.35, 0.5, 0.5, 0.5]);
/// assert!(credit.steps[1].penalised);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug)]
pub struct CreditAssigner {
    segmenter: Box<dyn Segmenter>,
    mentions: MentionMode,
    rules: Vec<Box<dyn CreditRule>>,
}

/// What each step and each token of a response earned.
#[derive(Debug)]
pub struct Credit<'a> {
    /// The response in steps, with the items they name.
    pub annotated: Annotated<'a>,
    /// One entry per segment of [`Annotated::segments`].
    pub steps: Vec<StepCredit>,
    /// The reward of each token.
    pub token_rewards: Vec<f64>,
}

/// What a step earned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepCredit {
    /// What the step keeps of the reward: the product of the rules' ratios, where a rule judges
    /// tokens the mean over the step's tokens.
    pub ratio: f64,
    /// Whether a rule gave the step less than it gives to tokens outside all steps.
    pub penalised: bool,
}

impl CreditAssigner {
    /// Builds the splitters and rules that a configuration names.
    ///
    /// # Errors
    /// No splitter, or a setting of a rule outside its range.
    pub fn new(config: CreditConfig) -> Result<Self> {
        let segmenter = Box::new(Nested::of(&config.split)?);
        let rules = config
            .rules
            .into_iter()
            .map(RuleConfig::build)
            .collect::<Result<_>>()?;
        Ok(Self::from_parts(segmenter, config.mentions, rules))
    }

    /// Combines a custom splitter and custom rules.
    pub fn from_parts(
        segmenter: Box<dyn Segmenter>,
        mentions: MentionMode,
        rules: Vec<Box<dyn CreditRule>>,
    ) -> Self {
        Self {
            segmenter,
            mentions,
            rules,
        }
    }

    /// Prepares the search for the items of a query; responses to the query share it.
    ///
    /// # Errors
    /// As [`Lexicon::new`].
    pub fn lexicon(&self, items: impl IntoIterator<Item = ItemNames>) -> Result<Lexicon> {
        Lexicon::new(items, self.mentions)
    }

    /// Splits a response, finds the items it names and gives each token its reward.
    ///
    /// Targets and recommended items that the lexicon does not have are searched for as well, by
    /// their title with or without the year. A token that holds bytes of several steps takes the
    /// lowest of their ratios; special tokens and line ends belong to no step.
    ///
    /// # Errors
    /// A reward that is not finite, token lengths that do not add up, an answer outside the
    /// response, a blank name, or a splitter or rule that breaks its contract.
    pub fn assign<'a>(
        &self,
        judged: &'a JudgedResponse<'a>,
        lexicon: &'a Lexicon,
    ) -> Result<Credit<'a>> {
        if !judged.reward.is_finite() {
            return Err(Error::NonFiniteReward {
                value: judged.reward,
            });
        }
        let annotated = self.annotate(judged, lexicon)?;
        // Neutral elements: the ratios of all rules are multiplied into them.
        let mut steps = vec![
            StepCredit {
                ratio: 1.0,
                penalised: false
            };
            annotated.segments.len()
        ];
        let mut tokens = vec![1.0; annotated.tokens.len()];
        for rule in &self.rules {
            let ratios = rule.ratios(&annotated);
            check_ratios(&**rule, &ratios, &annotated)?;
            apply(ratios, &annotated, &mut steps, &mut tokens);
        }
        // r + (q - 1) |r|, in the form that rounds once.
        let reward = judged.reward;
        let scale = |q: f64| if reward < 0.0 { 2.0 - q } else { q };
        let token_rewards = tokens.iter().map(|&ratio| reward * scale(ratio)).collect();
        Ok(Credit {
            annotated,
            steps,
            token_rewards,
        })
    }

    fn annotate<'a>(
        &self,
        judged: &'a JudgedResponse<'a>,
        lexicon: &'a Lexicon,
    ) -> Result<Annotated<'a>> {
        let text = judged.response;
        let tokens = TokenSpans::new(text, judged.token_byte_lens)?;
        let mut segments = self.segmenter.segment(text);
        // Splitters are a trait that others implement, and all that follows relies on the tiling.
        check_tiling(text, &segments)?;
        let ItemTable { items, unknown, .. } = ItemTable::new(judged, lexicon);
        let mentions = if unknown.is_empty() {
            lexicon.find(text)
        } else {
            let names = unknown.into_iter().map(ItemNames::from_title);
            lexicon.find_with(&Lexicon::new(names, lexicon.mode())?, text)
        };
        if lexicon.mode() == MentionMode::Title {
            // "Mamma Mia! Here We Go Again" is one name, whatever the splitter knows of it.
            segments = join_inside(text, segments, &mentions);
        }
        // Cut last: an answer is one piece, whatever names lie in it.
        if let Some(answer) = &judged.answer {
            segments = cut_answer(text, segments, answer.span.clone())?;
        }
        Ok(Annotated {
            judged,
            segments,
            items,
            mentions,
            tokens,
        })
    }
}

fn check_ratios(rule: &dyn CreditRule, ratios: &Ratios, response: &Annotated<'_>) -> Result<()> {
    // Rules are a trait that others implement: what they return is input.
    let spans;
    let (all, elsewhere, expected) = match ratios {
        Ratios::Uniform(ratio) => (&[][..], *ratio, 0),
        Ratios::PerSegment { ratios, elsewhere } => {
            (ratios.as_slice(), *elsewhere, response.segments.len())
        }
        Ratios::PerSpan { ratios, elsewhere } => {
            spans = ratios.iter().map(|(_, ratio)| *ratio).collect::<Vec<_>>();
            (spans.as_slice(), *elsewhere, ratios.len())
        }
        Ratios::PerToken(ratios) => (ratios.as_slice(), 1.0, response.tokens.len()),
    };
    let rule = rule.name();
    if all.len() != expected {
        return Err(Error::RatioCount {
            rule,
            expected,
            got: all.len(),
        });
    }
    let mut every = all.iter().copied().chain([elsewhere]);
    match every.find(|ratio| !ratio.is_finite() || *ratio < 0.0) {
        Some(value) => Err(Error::Ratio { rule, value }),
        None => Ok(()),
    }
}

/// Multiplies a rule's ratios into those of the steps and tokens.
fn apply(ratios: Ratios, response: &Annotated<'_>, steps: &mut [StepCredit], tokens: &mut [f64]) {
    match ratios {
        Ratios::Uniform(ratio) => {
            steps.iter_mut().for_each(|step| step.ratio *= ratio);
            tokens.iter_mut().for_each(|token| *token *= ratio);
        }
        Ratios::PerSegment { ratios, elsewhere } => {
            for (step, ratio) in steps.iter_mut().zip(&ratios) {
                step.ratio *= ratio;
                // Not against 1: a `max_ratio` below 1 lowers every step and penalises none.
                step.penalised |= *ratio < elsewhere;
            }
            let contents = response.segments.iter().map(|one| one.content.clone());
            let contents: Vec<_> = contents.zip(ratios).collect();
            let lowest = lowest(&response.tokens, &contents, elsewhere);
            tokens
                .iter_mut()
                .zip(lowest)
                .for_each(|(token, ratio)| *token *= ratio);
        }
        Ratios::PerSpan {
            mut ratios,
            elsewhere,
        } => {
            ratios.sort_by_key(|(span, _)| span.start);
            let ratios = lowest(&response.tokens, &ratios, elsewhere);
            for (step, segment) in steps.iter_mut().zip(&response.segments) {
                let held = &ratios[response.tokens.overlapping(&segment.content)];
                step.penalised |= held.iter().any(|ratio| *ratio < elsewhere);
            }
            apply(Ratios::PerToken(ratios), response, steps, tokens);
        }
        Ratios::PerToken(ratios) => {
            for (step, segment) in steps.iter_mut().zip(&response.segments) {
                let held = &ratios[response.tokens.overlapping(&segment.content)];
                // A step of nothing but line ends holds no token.
                if !held.is_empty() {
                    step.ratio *= held.iter().sum::<f64>() / held.len() as f64;
                }
            }
            tokens
                .iter_mut()
                .zip(ratios)
                .for_each(|(token, ratio)| *token *= ratio);
        }
    }
}

/// For each token, the lowest of the ratios of the spans that it holds at least one byte of, and `elsewhere` for a token that holds
/// none. Spans come by where they begin.
fn lowest(tokens: &TokenSpans, spans: &[(Range<usize>, f64)], elsewhere: f64) -> Vec<f64> {
    let mut first = 0;
    tokens
        .iter()
        .map(|token| {
            // Tokens and spans come in order, so that each span is passed once: linear.
            first += spans[first..]
                .iter()
                .take_while(|(span, _)| span.end <= token.start)
                .count();
            let held = spans[first..]
                .iter()
                .take_while(|(span, _)| span.start < token.end)
                // Spans of a rule may lie within each other, so that one behind `first` may have ended.
                .filter(|(span, _)| span.end > token.start)
                // An empty span holds no byte, wherever it lies.
                .filter(|(span, _)| !token.is_empty() && !span.is_empty());
            held.map(|(_, ratio)| *ratio)
                .reduce(f64::min)
                .unwrap_or(elsewhere)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::step_penalty::{Penalised, StepPenalty, StepPenaltyConfig};
    use crate::segment::nested::Split;
    use crate::{JudgedAnswer, Paragraphs, Segment, SegmentKind};

    #[derive(Debug)]
    struct Fixed(Ratios);

    impl CreditRule for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }

        fn ratios(&self, _: &Annotated<'_>) -> Ratios {
            self.0.clone()
        }
    }

    #[derive(Debug)]
    struct FirstByteOnly;

    impl Segmenter for FirstByteOnly {
        fn segment(&self, text: &str) -> Vec<Segment> {
            vec![Segment::new(text, 0..1, SegmentKind::Reasoning)]
        }
    }

    fn judged<'a>() -> JudgedResponse<'a> {
        JudgedResponse {
            response: "Up.\nI\\boxed{Up}",
            token_byte_lens: &[4, 11],
            answer: Some(JudgedAnswer {
                span: 5..15,
                items: &["Up"],
                is_right: false,
            }),
            targets: &["Heat"],
            reward: -1.0,
        }
    }

    fn assign(segmenter: Box<dyn Segmenter>, rules: Vec<Box<dyn CreditRule>>) -> Result<Vec<f64>> {
        let assigner = CreditAssigner::from_parts(segmenter, MentionMode::Title, rules);
        let lexicon = assigner.lexicon([])?;
        Ok(assigner.assign(&judged(), &lexicon)?.token_rewards)
    }

    #[test]
    fn ratios_of_rules_multiply_and_a_negative_reward_gets_worse() {
        let step_penalty = StepPenalty::new(StepPenaltyConfig::default()).unwrap();
        let halves = Fixed(Ratios::PerToken(vec![0.5, 1.0]));
        let rewards = assign(
            Box::new(Paragraphs),
            vec![Box::new(step_penalty), Box::new(halves)],
        );
        // The first token holds the step that names Up: 0.7 * 0.5 = 0.35, so -1 - 0.65.
        approx::assert_abs_diff_eq!(rewards.unwrap()[..], [-1.65, -1.0], epsilon = 1e-12);
    }

    #[test]
    fn rules_and_splitters_that_break_their_contract_are_named() {
        let fault = |ratios| {
            let rules: Vec<Box<dyn CreditRule>> = vec![Box::new(Fixed(ratios))];
            assign(Box::new(Paragraphs), rules).unwrap_err().to_string()
        };
        let count = fault(Ratios::PerToken(vec![1.0]));
        assert_eq!(count, "rule fixed must return 2 ratios, got 1");
        let value = fault(Ratios::Uniform(-1.0));
        assert_eq!(
            value,
            "rule fixed must return ratios that are finite and at least 0, got -1"
        );
        let tiling = assign(Box::new(FirstByteOnly), vec![])
            .unwrap_err()
            .to_string();
        assert_eq!(
            tiling,
            "segments must tile the response: segment 1 must start at byte 15, got 1"
        );
    }

    /// What each step keeps of the reward where Casino, which is wrong, is the answer.
    fn ratios(split: Vec<Split>, titles: [&str; 2], text: &str) -> Vec<(String, f64)> {
        let assigner = CreditAssigner::new(CreditConfig {
            split,
            ..Default::default()
        })
        .unwrap();
        let lexicon = assigner.lexicon(titles.map(ItemNames::from_title)).unwrap();
        let judged = JudgedResponse {
            response: text,
            token_byte_lens: &[text.len() as u32],
            answer: Some(JudgedAnswer {
                span: text.rfind("\\boxed").unwrap()..text.len(),
                items: &titles[..1],
                is_right: false,
            }),
            targets: &titles[1..],
            reward: 1.0,
        };
        let credit = assigner.assign(&judged, &lexicon).unwrap();
        let steps = credit.annotated.segments.iter().zip(&credit.steps);
        let steps = steps.filter(|(segment, _)| segment.kind == SegmentKind::Reasoning);
        steps
            .map(|(segment, step)| (text[segment.content.clone()].to_owned(), step.ratio))
            .collect()
    }

    #[test]
    fn a_step_for_the_right_film_of_a_name_is_not_punished_for_the_wrong_one() {
        let titles = ["Cinderella (1950)", "Cinderella (2015)"];
        for name in [
            "Cinderella (2015)",
            "**Cinderella** (2015)",
            "\"Cinderella\" [2015]",
            "Cinderella, the 2015 film,",
            "Cinderella（2015）",
        ] {
            let text = format!("{name} is better.\n\\boxed{{Cinderella (1950)}}");
            assert_eq!(
                ratios(vec![Split::Paragraph], titles, &text)[0].1,
                1.0,
                "{text}"
            );
        }
        let text = "**Cinderella** (1950) is better.\n\\boxed{Cinderella (1950)}";
        assert_eq!(ratios(vec![Split::Paragraph], titles, text)[0].1, 0.7);
    }

    #[test]
    fn a_name_belongs_to_one_step_whatever_signs_it_has() {
        for title in [
            "Dr. Strangelove (1964)",
            "Mamma Mia! Here We Go Again (2018)",
            "E.T. the Extra-Terrestrial (1982)",
            "Oh, God! You Devil (1984)",
        ] {
            for name in [title, &title[..title.len() - 7]] {
                let text = format!("I like {name} a lot. Nothing else.\n\\boxed{{{title}}}");
                let steps = ratios(vec![Split::Sentence], [title, "Heat (1995)"], &text);
                let expected = [
                    (format!("I like {name} a lot. "), 0.7),
                    ("Nothing else.".to_owned(), 1.0),
                ];
                assert_eq!(steps, expected);
            }
        }
    }

    #[test]
    fn a_name_counts_in_each_step_that_holds_a_part_of_it() {
        #[derive(Debug)]
        struct Halves;

        impl Segmenter for Halves {
            fn segment(&self, text: &str) -> Vec<Segment> {
                let half = |span| Segment::new(text, span, SegmentKind::Reasoning);
                vec![half(0..4), half(4..text.len())]
            }
        }

        let rule = StepPenalty::new(StepPenaltyConfig::default()).unwrap();
        let assigner = CreditAssigner::from_parts(
            Box::new(Halves),
            MentionMode::Substring,
            vec![Box::new(rule)],
        );
        let lexicon = assigner.lexicon([]).unwrap();
        let judged = JudgedResponse {
            response: "Casino it is. Casino",
            token_byte_lens: &[4, 10, 6],
            answer: Some(JudgedAnswer {
                span: 14..20,
                items: &["Casino"],
                is_right: false,
            }),
            targets: &["Heat"],
            reward: 1.0,
        };
        assert_eq!(
            assigner.assign(&judged, &lexicon).unwrap().token_rewards,
            [0.7, 0.7, 1.0]
        );
    }

    #[test]
    fn a_tag_that_a_thought_speaks_of_hides_no_step() {
        let text =
            "<think>I must use <answer> tags.\nCasino fits best.</think>\n<answer>\\boxed{Casino}";
        let steps = ratios(
            vec![Split::Think, Split::Paragraph],
            ["Casino (1995)", "Heat (1995)"],
            text,
        );
        assert_eq!(steps[1], ("Casino fits best.</think>".to_owned(), 0.7));
    }

    /// Which tokens of a wrong answer's two steps for it are penalised.
    #[test]
    fn a_penalty_may_fall_on_verdicts_or_on_the_first_step_alone() {
        let text = "Casino: crime yes. It fits.\nHeat: crime yes.\nSo Casino.\n\\boxed{Casino}";
        let token_rewards = |on| {
            let config = StepPenaltyConfig {
                min_ratio: 0.5,
                on,
                ..Default::default()
            };
            let rules = vec![RuleConfig::StepPenalty(config)];
            let assigner = CreditAssigner::new(CreditConfig {
                rules,
                ..Default::default()
            });
            let assigner = assigner.unwrap();
            let items = ["Casino (1995)", "Heat (1995)"].map(ItemNames::from_title);
            let lexicon = assigner.lexicon(items).unwrap();
            let judged = JudgedResponse {
                response: text,
                // "Casino: crime yes." " It" " fits.\n" "Heat: crime yes.\n" "So Casino." "\n" and the box
                token_byte_lens: &[18, 3, 7, 17, 10, 1, 14],
                answer: Some(JudgedAnswer {
                    span: 56..70,
                    items: &["Casino (1995)"],
                    is_right: false,
                }),
                targets: &["Heat (1995)"],
                reward: 1.0,
            };
            let credit = assigner.assign(&judged, &lexicon).unwrap();
            let penalised: Vec<bool> = credit.steps.iter().map(|step| step.penalised).collect();
            (credit.token_rewards, penalised)
        };
        assert_eq!(
            token_rewards(Penalised::Steps),
            (
                vec![0.5, 0.5, 0.5, 1.0, 0.5, 1.0, 1.0],
                vec![true, false, true, false]
            )
        );
        assert_eq!(
            token_rewards(Penalised::Verdicts),
            (
                vec![1.0, 0.5, 0.5, 1.0, 0.5, 1.0, 1.0],
                vec![true, false, true, false]
            )
        );
        assert_eq!(
            token_rewards(Penalised::FirstStep),
            (
                vec![0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0],
                vec![true, false, false, false]
            )
        );
    }

    #[test]
    fn configurations_are_checked() {
        let text = "split = ['think', 'sentence']\nmentions = 'substring'\n\
            [[rules]]\nrule = 'decrease'\ndecay = { exponential = 0.03 }\nratios = { min_ratio = 0.5 }\n\
            [[rules]]\nrule = 'rejected_target'\nratio = 0.8";
        let config: CreditConfig = toml::from_str(text).unwrap();
        assert_eq!(config.rules.len(), 2);
        assert!(CreditAssigner::new(config).is_ok());
        assert!(
            toml::from_str::<CreditConfig>("[[rules]]\nrule = 'step_penalty'\nratio = 1").is_err()
        );
        let none = CreditConfig {
            split: vec![],
            ..Default::default()
        };
        let error = CreditAssigner::new(none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "split must be a list of at least 1 splitter, got an empty list"
        );
        let ratios = StepPenaltyConfig {
            min_ratio: -0.1,
            ..Default::default()
        };
        let rules = vec![RuleConfig::StepPenalty(ratios)];
        let error = CreditAssigner::new(CreditConfig {
            rules,
            ..Default::default()
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "min_ratio must be finite and at least 0, got -0.1"
        );
    }

    #[test]
    fn a_token_takes_the_lowest_ratio_it_touches() {
        let text = "ab\ncd\n\nef";
        let segments = crate::Paragraphs.segment(text).into_iter();
        let contents = segments.map(|segment| segment.content);
        let contents: Vec<_> = contents.zip([1.0, 0.5, 0.7]).collect();
        // ab | \nc | d | \n | \n | <special> | ef
        let spans = TokenSpans::new(text, &[2, 2, 1, 1, 1, 0, 2]).unwrap();
        let ratios = lowest(&spans, &contents, 0.9);
        assert_eq!(ratios, [1.0, 0.5, 0.5, 0.9, 0.9, 0.9, 0.7]);
        let spans = TokenSpans::new(text, &[4, 5]).unwrap();
        assert_eq!(lowest(&spans, &contents, 0.9), [0.5, 0.5]);
        // Spans of a rule may lie within each other.
        let spans = TokenSpans::new("abcd", &[1, 1, 1, 1]).unwrap();
        let nested = [(0..3, 0.8), (1..2, 0.5)];
        assert_eq!(lowest(&spans, &nested, 1.0), [0.8, 0.5, 0.8, 1.0]);
    }

    /// Compared with each other these names would take minutes.
    #[test]
    fn a_box_may_list_very_many_items() {
        let names: Vec<String> = (0..100_000).map(|n| format!("item {n}")).collect();
        let response = format!("\\boxed{{{}}}", names.join("; "));
        let items: Vec<&str> = names.iter().map(String::as_str).collect();
        let judged = JudgedResponse {
            response: &response,
            token_byte_lens: &[response.len() as u32],
            answer: Some(JudgedAnswer {
                span: 0..response.len(),
                items: &items,
                is_right: false,
            }),
            targets: &["Heat"],
            reward: 1.0,
        };
        let assigner = CreditAssigner::new(CreditConfig::default()).unwrap();
        let lexicon = assigner.lexicon([ItemNames::from_title("Heat")]).unwrap();
        let credit = assigner.assign(&judged, &lexicon).unwrap();
        assert_eq!(credit.token_rewards, [1.0]);
    }
}
