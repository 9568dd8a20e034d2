//! Reasoning-aware advantage estimation: segments, step penalties, token advantages
#![forbid(unsafe_code)]
