//! The state of a curriculum as a file: written whole or not at all, refused when damaged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rerec_files::Draft;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{STATE_VERSION, State, check_version, v1};
use crate::{Curriculum, Error, Result};

/// Bytes written and read at once.
const BUFFER: usize = 1 << 18;

/// The first line of a file. Before version 3 the whole state is this line.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    /// XXH3-64 of all that follows the line, 16 hexadecimal digits.
    #[serde(default)]
    xxh3: String,
}

impl Header {
    fn write(sum: u64, output: &mut impl Write) -> io::Result<()> {
        let header = Self {
            version: STATE_VERSION,
            xxh3: hexadecimal(sum),
        };
        serde_json::to_writer(&mut *output, &header)?;
        output.write_all(b"\n")
    }
}

fn hexadecimal(sum: u64) -> String {
    format!("{sum:016x}")
}

/// Sums up what passes through to a file.
struct Summing<'a> {
    file: &'a mut Draft,
    sum: Xxh3,
}

impl Write for Summing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Curriculum {
    /// Writes the state to a file of JSON: whole, or not at all.
    ///
    /// The first line holds the version and a checksum of the second, which is the state.
    ///
    /// # Errors
    /// The file cannot be written; whatever it held before is still there.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut draft = Draft::create(path)?;
        self.write_to(&mut draft).map_err(failed("write", path))?;
        Ok(draft.finish()?)
    }

    fn write_to(&self, file: &mut Draft) -> io::Result<()> {
        // The place of the header; its sum is known at the end, and has as many digits as 0.
        Header::write(0, file)?;
        let sum = Xxh3::new();
        let mut body = BufWriter::with_capacity(BUFFER, Summing { file, sum });
        serde_json::to_writer(&mut body, self)?;
        body.write_all(b"\n")?;
        let Summing { file, sum } = body.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Header::write(sum.digest(), file)
    }

    /// Reads a state that [`save`](Self::save) wrote; it continues exactly where that one stood.
    ///
    /// # Errors
    /// The file cannot be read, is cut short or damaged, contradicts itself, or comes from a later version.
    pub fn load(path: &Path) -> Result<Self> {
        let failed = || failed("read", path);
        let malformed = |cause| Error::StateFormat {
            path: path.to_owned(),
            cause,
        };
        let file = File::open(path).map_err(failed())?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        let mut first = Vec::new();
        file.read_until(b'\n', &mut first).map_err(failed())?;
        let header: Header = serde_json::from_slice(&first).map_err(malformed)?;
        check_version(header.version)?;
        // The sum is checked before the state is parsed: a flipped digit is still JSON, and would be believed.
        if header.version >= 3 {
            let found = hexadecimal(sum_of_rest(&mut file).map_err(failed())?);
            if header.xxh3 != found {
                return Err(Error::Checksum {
                    path: path.to_owned(),
                    expected: header.xxh3,
                    found,
                });
            }
            return read_state(file, first.len()).map_err(malformed)?.restore();
        }
        file.read_to_end(&mut first).map_err(failed())?;
        let state = match header.version {
            1 => serde_json::from_slice::<v1::State>(&first).map(State::from),
            _ => serde_json::from_slice(&first),
        };
        state.map_err(malformed)?.restore()
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| {
        Error::File(rerec_files::Error::Io {
            action,
            path,
            source,
        })
    }
}

fn sum_of_rest(file: &mut BufReader<File>) -> io::Result<u64> {
    let mut sum = Xxh3::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(sum.digest());
        }
        sum.update(bytes);
        let length = bytes.len();
        file.consume(length);
    }
}

/// Reads the state that begins at a byte of the file, query by query.
fn read_state(mut file: BufReader<File>, start: usize) -> serde_json::Result<State> {
    file.seek(SeekFrom::Start(start as u64))
        .map_err(serde_json::Error::io)?;
    let mut json = serde_json::Deserializer::from_reader(file);
    let state = State::deserialize(&mut json)?;
    json.end()?;
    Ok(state)
}
