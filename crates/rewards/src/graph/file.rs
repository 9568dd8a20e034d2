use std::path::{Path, PathBuf};

use rerec_files::read;

use super::gexf::{self, Network};
use super::triples::{self, Triple};
use crate::fault::text;
use crate::{Error, Result};

/// How a file of item attributes is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphFormat {
    /// `.gexf`: items and attributes are nodes, told apart by their ids. An edge's relation is its attribute titled
    /// "relation", with its default, or else its label, its kind, or the key of a networkx multigraph.
    Gexf,
    /// `.tsv`: `item<TAB>attribute` or `item<TAB>relation<TAB>attribute` per line, without quoting; a first line of column
    /// names such as `head relation tail` is a header.
    Tsv,
    /// `.jsonl`: `{"item": …, "relation": …, "attribute": …}` per line; the relation may be absent.
    Jsonl,
}

/// A file of item attributes, read but not yet joined to a catalogue.
///
/// ```
/// # use rerec_rewards::{GraphFile, GraphFormat};
/// let text = br#"{"item": "Heat", "relation": "director", "attribute": "Mann"}"#;
/// let file = GraphFile::parse(text, GraphFormat::Jsonl, "facts.jsonl".as_ref())?;
/// assert_eq!(file.triples(|_| false)?[0].attribute.value, "Mann");
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GraphFile {
    path: PathBuf,
    header: Option<String>,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Network(Network),
    Triples(Vec<Triple>),
}

impl GraphFormat {
    /// The format that a file's ending names.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`].
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gexf") => Ok(Self::Gexf),
            Some("tsv") => Ok(Self::Tsv),
            Some("jsonl") => Ok(Self::Jsonl),
            _ => Err(Error::UnknownFormat {
                path: path.to_owned(),
                allowed: ".gexf, .tsv or .jsonl",
            }),
        }
    }
}

impl GraphFile {
    /// Reads a file by the format that its ending names.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::File`], [`Error::Malformed`] with the place.
    pub fn read(path: &Path) -> Result<Self> {
        let format = GraphFormat::of(path)?;
        Self::parse(&read(path)?, format, path)
    }

    /// Reads the bytes of a file; the path is only named in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the place.
    pub fn parse(bytes: &[u8], format: GraphFormat, path: &Path) -> Result<Self> {
        let text = text(bytes, path)?;
        let parsed = match format {
            GraphFormat::Gexf => gexf::parse(text).map(|network| (None, Content::Network(network))),
            GraphFormat::Tsv => triples::parse_tsv(text)
                .map(|(header, triples)| (header, Content::Triples(triples))),
            GraphFormat::Jsonl => {
                triples::parse_jsonl(text).map(|triples| (None, Content::Triples(triples)))
            }
        };
        let (header, content) = parsed.map_err(|fault| fault.in_file(path))?;
        let path = path.to_owned();
        Ok(Self {
            path,
            header,
            content,
        })
    }

    /// The first line of a TSV file, where it was taken for the names of the columns and not for a fact.
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The facts of the file, in its order.
    ///
    /// A GEXF file does not say which nodes are items. Each connected part has two sides; the items'
    /// is the one with more names that `known_item` knows or, where that does not tell, the side of
    /// the source of the part's first edge.
    ///
    /// # Errors
    /// [`Error::Malformed`] if an edge of a GEXF file joins two nodes of one side.
    pub fn triples(&self, known_item: impl Fn(&str) -> bool) -> Result<Vec<Triple>> {
        self.triples_of(|_, label, _| known_item(label))
    }

    /// The same, where an item may be known by the id of its node too: by id, label, and whether several have the label.
    pub(super) fn triples_of(
        &self,
        known_item: impl Fn(&str, &str, bool) -> bool,
    ) -> Result<Vec<Triple>> {
        match &self.content {
            Content::Triples(triples) => Ok(triples.clone()),
            Content::Network(network) => network
                .triples(known_item)
                .map_err(|fault| fault.in_file(&self.path)),
        }
    }
}
