use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a metric measures. In the formulas i is a rank from 1, k the cut-off, R the number of relevant items,
/// L the length of the list, hits the relevant items among the first k. [`Conventions`](crate::Conventions) shows the
/// value of each for one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MetricKind {
    /// DCG / ideal DCG (Järvelin and Kekäläinen 2002).
    Ndcg,
    /// Σ gain_i / log2(i + 1).
    Dcg,
    /// hits / k.
    Precision,
    /// hits / R.
    Recall,
    /// Harmonic mean of precision and recall.
    F1,
    /// 1 if there is a hit, else 0; also called success.
    HitRate,
    /// Number of hits.
    Hits,
    /// 1 / rank of the first hit; its mean is the MRR.
    Mrr,
    /// Σ over hits of precision at their rank, divided as the conventions say; its mean is the MAP.
    Map,
    /// Hits among the first R, divided by R; has no cut-off.
    RPrecision,
    /// Rank-biased precision (1 - p) Σ rel_i p^(i - 1) (Moffat and Zobel 2008).
    Rbp,
    /// Expected reciprocal rank Σ 1/i P_i Π_{j<i} (1 - P_j), P = (2^grade - 1) / 2^max (Chapelle et al. 2009).
    Err,
    /// Σ over hits of 1 - min(n, R) / min(N, R), divided by R, with n the judged non-relevant items above the hit and N
    /// all of them (Buckley and Voorhees 2004); has no cut-off.
    Bpref,
}

impl MetricKind {
    const ALL: [Self; 13] = [
        Self::Ndcg,
        Self::Dcg,
        Self::Precision,
        Self::Recall,
        Self::F1,
        Self::HitRate,
        Self::Hits,
        Self::Mrr,
        Self::Map,
        Self::RPrecision,
        Self::Rbp,
        Self::Err,
        Self::Bpref,
    ];

    /// This metric over the first `k` ranks.
    pub const fn at(self, k: usize) -> Metric {
        Metric {
            kind: self,
            cutoff: Some(k),
        }
    }

    /// This metric over the whole list.
    pub const fn whole(self) -> Metric {
        Metric {
            kind: self,
            cutoff: None,
        }
    }

    /// The name used in text, such as `ndcg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndcg => "ndcg",
            Self::Dcg => "dcg",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
            Self::HitRate => "hit_rate",
            Self::Hits => "hits",
            Self::Mrr => "mrr",
            Self::Map => "map",
            Self::RPrecision => "r_precision",
            Self::Rbp => "rbp",
            Self::Err => "err",
            Self::Bpref => "bpref",
        }
    }

    const fn takes_cutoff(self) -> bool {
        !matches!(self, Self::RPrecision | Self::Bpref)
    }
}

/// A metric and its cut-off, written `ndcg@10` or, over the whole list, `ndcg`.
///
/// ```
/// # use rerec_rewards::{Metric, MetricKind};
/// let metric: Metric = "ndcg@10".parse()?;
/// assert_eq!(metric, MetricKind::Ndcg.at(10));
/// assert_eq!(metric.to_string(), "ndcg@10");
/// assert!("ndcg@0".parse::<Metric>().is_err());
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Metric {
    /// What is measured.
    pub kind: MetricKind,
    /// Number of ranks looked at, at least 1; none for the whole list.
    pub cutoff: Option<usize>,
}

impl Metric {
    pub(super) fn validated(self) -> Result<Self> {
        let fits = match self.cutoff {
            None => true,
            Some(k) => k > 0 && self.kind.takes_cutoff(),
        };
        if fits {
            Ok(self)
        } else {
            Err(unknown(&self.to_string()))
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::UnknownMetric {
        name: name.to_owned(),
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        self.cutoff.map_or(Ok(()), |k| write!(f, "@{k}"))
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, cutoff) = match text.split_once('@') {
            Some((name, k)) => (name, Some(k.parse().map_err(|_| unknown(text))?)),
            None => (text, None),
        };
        let kind = MetricKind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| unknown(text))?;
        Self { kind, cutoff }.validated()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl TryFrom<String> for Metric {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
