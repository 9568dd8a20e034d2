//! Recommendation queries, catalogues and worlds to train on
#![forbid(unsafe_code)]
