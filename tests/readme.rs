//! The examples of the workspace's README, which no package can hold: it lies outside of them.
#![doc = include_str!("../README.md")]
