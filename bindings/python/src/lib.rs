//! The extension module of the Python package `rerec`; `README.md` shows what it is for.
#![forbid(unsafe_code)]

mod advantages;
mod arguments;
mod arrays;
mod assessor;
mod catalogue;
mod credit;
mod curriculum;
mod datasets;
mod embeddings;
mod error;
mod graph;
mod lightgcn;
mod pool;
mod questions;
mod ranking;
mod reward;
mod tokens;

#[pyo3::pymodule]
mod _rerec {
    #[pymodule_export]
    use crate::advantages::advantages;
    #[pymodule_export]
    use crate::assessor::{Assessment, Assessor};
    #[pymodule_export]
    use crate::catalogue::Catalogue;
    #[pymodule_export]
    use crate::credit::{Credit, StepCredits};
    #[pymodule_export]
    use crate::curriculum::Curriculum;
    #[pymodule_export]
    use crate::datasets::{Dataset, read_queries};
    #[pymodule_export]
    use crate::embeddings::ItemEmbeddings;
    #[pymodule_export]
    use crate::graph::AttributeGraph;
    #[pymodule_export]
    use crate::lightgcn::{FittedLightGcn, LightGcn};
    #[pymodule_export]
    use crate::ranking::evaluate;
    #[pymodule_export]
    use crate::reward::{Breakdown, DualGraphReward, Rewards};
    #[pymodule_export]
    use crate::tokens::TokenBytes;
}
