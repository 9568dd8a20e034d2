//! A leaf, since set-up and its errors both name the version.

/// The version that the bindings, tch 0.24, are made for.
pub const TORCH_VERSION: &str = "2.11.0";
