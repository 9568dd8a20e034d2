//! Ranking metrics, title matching and the dual-graph reward for recommendation
#![forbid(unsafe_code)]
