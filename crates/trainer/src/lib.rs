//! Reinforcement fine-tuning loop that composes rewards, advantages, curriculum and a policy
#![forbid(unsafe_code)]
