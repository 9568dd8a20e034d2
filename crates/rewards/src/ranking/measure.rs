use super::judged::{Judged, Placed};
use super::{
    Conventions, Gain, Metric, MetricKind, NegativeGrades, PrecisionDenominator, PrecisionNorm,
    discount,
};

/// One metric of one list.
pub(super) fn measure(metric: Metric, judged: &Judged, conventions: &Conventions) -> f64 {
    Measured {
        k: metric.cutoff.unwrap_or(usize::MAX),
        judged,
        conventions,
    }
    .value(metric.kind)
}

struct Measured<'a> {
    /// Largest where the whole list counts.
    k: usize,
    judged: &'a Judged,
    conventions: &'a Conventions,
}

impl Measured<'_> {
    fn value(&self, kind: MetricKind) -> f64 {
        let relevant = self.judged.relevant as f64;
        match kind {
            MetricKind::Ndcg => ratio(self.dcg(), self.ideal_dcg()),
            MetricKind::Dcg => self.dcg(),
            MetricKind::Precision => self.precision(),
            MetricKind::Recall => ratio(self.hits().count() as f64, relevant),
            MetricKind::F1 => harmonic_mean(self.precision(), self.value(MetricKind::Recall)),
            MetricKind::HitRate => f64::from(u8::from(self.hits().next().is_some())),
            MetricKind::Hits => self.hits().count() as f64,
            MetricKind::Mrr => self
                .hits()
                .next()
                .map_or(0.0, |hit| 1.0 / (hit.position + 1) as f64),
            MetricKind::Map => self.average_precision(),
            // Its cut-off is R.
            MetricKind::RPrecision => {
                let hits = self
                    .relevant()
                    .filter(|hit| hit.position < self.judged.relevant);
                ratio(hits.count() as f64, relevant)
            }
            MetricKind::Rbp => self.rank_biased_precision(),
            MetricKind::Err => self.expected_reciprocal_rank(),
            MetricKind::Bpref => self.bpref(),
        }
    }

    /// Judged items among the first k.
    fn within(&self) -> impl Iterator<Item = &Placed> {
        self.judged
            .placed
            .iter()
            // Positions ascend: behind the first one beyond k there is none within it.
            .take_while(|placed| placed.position < self.k)
    }

    fn is_relevant(&self, placed: &Placed) -> bool {
        placed.grade >= self.conventions.relevant_from
    }

    fn relevant(&self) -> impl Iterator<Item = &Placed> {
        self.judged
            .placed
            .iter()
            .filter(|placed| self.is_relevant(placed))
    }

    fn hits(&self) -> impl Iterator<Item = &Placed> {
        self.within().filter(|placed| self.is_relevant(placed))
    }

    fn gain(&self, grade: f64) -> f64 {
        match self.conventions.gain {
            Gain::Binary => f64::from(u8::from(grade >= self.conventions.relevant_from)),
            Gain::Linear => grade.max(0.0),
            Gain::Exponential => grade.max(0.0).exp2() - 1.0,
        }
    }

    fn dcg(&self) -> f64 {
        self.within().fold(0.0, |sum, placed| {
            sum + self.gain(placed.grade) * discount(placed.position)
        })
    }

    fn ideal_dcg(&self) -> f64 {
        let best = self.judged.pool.iter().take(self.k).enumerate();
        best.fold(0.0, |sum, (position, &grade)| {
            sum + self.gain(grade) * discount(position)
        })
    }

    fn precision(&self) -> f64 {
        // Without a cut-off the list itself is all there is to divide by.
        let whole = self.k == usize::MAX;
        let ranks = match self.conventions.precision {
            PrecisionDenominator::Cutoff if !whole => self.k,
            _ => self.k.min(self.judged.listed),
        };
        ratio(self.hits().count() as f64, ranks as f64)
    }

    fn average_precision(&self) -> f64 {
        let precisions = self
            .hits()
            .zip(1u32..)
            .map(|(hit, hits)| f64::from(hits) / (hit.position + 1) as f64);
        let (sum, hits) = precisions.fold((0.0, 0), |(sum, hits), precision| {
            (sum + precision, hits + 1)
        });
        let norm = match self.conventions.average_precision {
            PrecisionNorm::Relevant => self.judged.relevant,
            PrecisionNorm::RelevantOrCutoff => self.judged.relevant.min(self.k),
            PrecisionNorm::Hits => hits,
        };
        ratio(sum, norm as f64)
    }

    fn rank_biased_precision(&self) -> f64 {
        let persistence = self.conventions.persistence;
        let weight = |hit: &Placed| {
            if self.conventions.graded_rbp {
                hit.grade
            } else {
                1.0
            }
        };
        let sum = self.hits().fold(0.0, |sum, hit| {
            // Behind rank 2^31 a rank weighs nothing.
            let exponent = i32::try_from(hit.position).unwrap_or(i32::MAX);
            sum + weight(hit) * persistence.powi(exponent)
        });
        (1.0 - persistence) * sum
    }

    fn expected_reciprocal_rank(&self) -> f64 {
        let max = self.conventions.max_grade;
        let (mut sum, mut reaches) = (0.0, 1.0);
        for placed in self.within() {
            let stops = (placed.grade.clamp(0.0, max).exp2() - 1.0) / max.exp2();
            sum += reaches * stops / (placed.position + 1) as f64;
            // The probability that a user who stops at rank i with probability P_i reaches the next
            // rank.
            reaches *= 1.0 - stops;
        }
        sum
    }

    fn bpref(&self) -> f64 {
        let (relevant, not_relevant) = (self.judged.relevant, self.judged.not_relevant);
        let (mut sum, mut above) = (0.0, 0);
        for placed in &self.judged.placed {
            if self.is_relevant(placed) {
                sum += 1.0
                    - ratio(
                        above.min(relevant) as f64,
                        not_relevant.min(relevant) as f64,
                    );
            } else if placed.grade >= 0.0
                || self.conventions.negative_grades == NegativeGrades::NotRelevant
            {
                above += 1;
            }
        }
        ratio(sum, relevant as f64)
    }
}

/// 0 where there is nothing to divide by.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn harmonic_mean(a: f64, b: f64) -> f64 {
    ratio(2.0 * a * b, a + b)
}
