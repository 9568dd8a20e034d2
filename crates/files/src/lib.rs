#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod checksum;
mod draft;
mod error;
mod folder;
mod json;
mod set;
mod text;

pub use checksum::Checksum;
pub use draft::{Draft, HashedFile, check_output, write};
pub use error::{Error, Result};
pub use folder::FolderDraft;
pub use json::{json_cause, read_json};
pub use set::{CHECKSUMS, FileSet, verify};
pub use text::{NotText, lines, read, read_text, text};
