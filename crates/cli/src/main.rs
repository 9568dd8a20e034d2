//! The `rerec` command.
#![forbid(unsafe_code)]
fn main() {}
