//! Online curriculum over stable query ids: difficulty, schedule, sampler, state
#![forbid(unsafe_code)]
