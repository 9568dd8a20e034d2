//! Models from the Hugging Face hub.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hf_hub::{
    Repo, RepoType,
    api::{
        RepoInfo,
        sync::{ApiBuilder, ApiRepo},
    },
};
use serde::Deserialize;

use crate::error::{Error, Result, check};

/// Every model has them.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", "tokenizer_config.json"];
const OPTIONAL: [&str; 6] = [
    "chat_template.jinja",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    // Adapters beside a model are part of what was published.
    "adapter_config.json",
    "adapter_model.safetensors",
];
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Fetches what [`DecoderPolicy::from_folder`](crate::DecoderPolicy::from_folder) reads of a model, `owner/name`, all of it at one commit:
/// that of `revision`, a branch, tag or commit, by default `main`. Returns the folder.
///
/// The files lie in the cache that other programs of Hugging Face share; what is there already is not fetched again. The environment
/// variables `HF_HOME` (the cache) and `HF_ENDPOINT` are heeded, and the token that `huggingface-cli login` left.
///
/// # Errors
/// [`Error::Hub`] and [`Error::NotOnHub`] name the model and the file; [`Error::InvalidSetting`] for a name that no model can have.
pub fn download_from_hub(repo: &str, revision: Option<&str>) -> Result<PathBuf> {
    download(ApiBuilder::from_env(), repo, revision.unwrap_or("main"))
}

#[cfg(feature = "torch")]
impl crate::DecoderPolicy {
    /// Loads a model from the Hugging Face hub: [`download_from_hub`], then [`from_folder`](Self::from_folder).
    ///
    /// ```no_run
    /// use rerec_policy::{DecoderPolicy, DecoderPolicyConfig};
    ///
    /// let config = DecoderPolicyConfig::default();
    /// let policy = DecoderPolicy::from_hub("HuggingFaceTB/SmolLM2-135M-Instruct", None, config)?;
    /// # Ok::<(), rerec_policy::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the two.
    pub fn from_hub(
        repo: &str,
        revision: Option<&str>,
        config: crate::DecoderPolicyConfig,
    ) -> Result<Self> {
        Self::from_folder(&download_from_hub(repo, revision)?, config)
    }
}

fn download(hub: ApiBuilder, repo: &str, revision: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    check(
        // The name becomes part of a URL.
        !repo.is_empty() && repo.chars().all(plain),
        "the model's name",
        repo,
        "owner/name, of letters, digits, '-', '_' and '.'",
    )?;
    let snapshot = Snapshot::new(hub, repo, revision)?;
    let folder = snapshot.fetch(NEEDED[0])?;
    for name in &NEEDED[1..] {
        snapshot.fetch(name)?;
    }
    for name in OPTIONAL.iter().filter(|name| snapshot.has(name)) {
        snapshot.fetch(name)?;
    }
    snapshot.fetch_weights()?;
    Ok(folder)
}

/// A model at one commit.
struct Snapshot<'a> {
    repo: &'a str,
    revision: &'a str,
    files: ApiRepo,
    info: RepoInfo,
}

/// Broken connections that are taken up again.
const RETRIES: usize = 3;

impl<'a> Snapshot<'a> {
    fn new(hub: ApiBuilder, repo: &'a str, revision: &'a str) -> Result<Self> {
        let fault = |source| Error::Hub {
            repo: repo.to_owned(),
            file: "the list of files".to_owned(),
            source: Box::new(source),
        };
        let hub = hub.with_progress(false).with_retries(RETRIES);
        let hub = hub.build().map_err(fault)?;
        let at = |revision: &str| {
            let (repo, revision) = (repo.to_owned(), revision.to_owned());
            hub.repo(Repo::with_revision(repo, RepoType::Model, revision))
        };
        let info = at(revision).info().map_err(fault)?;
        Ok(Self {
            repo,
            revision,
            // By the commit, not the branch: a push in between would mix files of two versions.
            files: at(&info.sha),
            info,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.info.siblings.iter().any(|file| file.rfilename == name)
    }

    /// Fetches a file. Returns the folder it is in.
    fn fetch(&self, name: &str) -> Result<PathBuf> {
        let (repo, file) = (self.repo.to_owned(), name.to_owned());
        if !self.has(name) {
            let revision = self.revision.to_owned();
            return Err(Error::NotOnHub {
                repo,
                revision,
                file,
            });
        }
        match self.files.get(name) {
            Ok(path) => Ok(path.parent().unwrap_or(&path).to_owned()),
            Err(source) => Err(Error::Hub {
                repo,
                file,
                source: Box::new(source),
            }),
        }
    }

    fn fetch_weights(&self) -> Result<()> {
        if !self.has(INDEX) {
            return self.fetch(WEIGHTS).map(drop);
        }
        for shard in shards(&self.fetch(INDEX)?.join(INDEX))? {
            self.fetch(&shard)?;
        }
        Ok(())
    }
}

/// The files that an index names, each once.
fn shards(index: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = rerec_files::read_json(index)?;
    let mut shards: Vec<String> = index.weight_map.into_values().collect();
    shards.sort();
    shards.dedup();
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// Serves the model `tests/<name of the folder>` as the hub does, without the file `hidden`.
    fn serve(folder: PathBuf, hidden: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &folder, hidden);
            }
        });
        endpoint
    }

    fn answer(mut stream: TcpStream, folder: &Path, hidden: &str) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let request = lines.next().unwrap().unwrap();
        let headers: Vec<String> = lines
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let listed = format!("/api/models/tests/{name}/revision/main");
        let files = format!("/tests/{name}/resolve/{COMMIT}/");
        let reply = match path.strip_prefix(&files) {
            Some(file) => part(&fs::read(folder.join(file)).unwrap(), file, &headers),
            None if path == listed => whole(&list(folder, hidden)),
            None => {
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
            }
        };
        stream.write_all(&reply).unwrap();
    }

    fn list(folder: &Path, hidden: &str) -> String {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let siblings: Vec<_> = names
            .filter(|name| name != hidden)
            .map(|name| serde_json::json!({ "rfilename": name }))
            .collect();
        serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string()
    }

    fn whole(text: &str) -> Vec<u8> {
        let len = text.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{text}")
            .into_bytes()
    }

    /// The bytes that `Range: bytes=first-last` asks for.
    fn part(bytes: &[u8], file: &str, headers: &[String]) -> Vec<u8> {
        let headers = headers.iter().map(|line| line.to_ascii_lowercase());
        let mut range =
            headers.filter_map(|line| line.strip_prefix("range: bytes=").map(str::to_owned));
        let range = range.next_back().unwrap();
        let (first, last) = range.split_once('-').unwrap();
        let first: usize = first.parse().unwrap();
        let last = last.parse().unwrap_or(bytes.len() - 1);
        let body = &bytes[first..=last];
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{}\r\n\
             ETag: \"{file}-etag\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
            body.len(),
            bytes.len()
        );
        [head.as_bytes(), body].concat()
    }

    fn checkpoint(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/checkpoints")
            .join(name)
    }

    fn fetch(name: &str, hidden: &'static str, cache: &Path) -> Result<PathBuf> {
        let endpoint = serve(checkpoint(name), hidden);
        let hub = ApiBuilder::from_cache(hf_hub::Cache::new(cache.to_owned()));
        download(
            hub.with_endpoint(endpoint),
            &format!("tests/{name}"),
            "main",
        )
    }

    #[test]
    fn a_snapshot_holds_what_a_model_is_loaded_from() {
        for (name, weights) in [
            ("qwen2", vec![WEIGHTS]),
            (
                "llama3-sharded",
                vec![
                    INDEX,
                    "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors",
                ],
            ),
        ] {
            let cache = tempfile::tempdir().unwrap();
            let folder = fetch(name, "", cache.path()).unwrap();
            assert!(folder.ends_with(COMMIT), "{}", folder.display());
            let mut expected = [&NEEDED[..], &OPTIONAL, &weights].concat();
            let entries = fs::read_dir(&folder).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            expected.sort();
            names.sort();
            assert_eq!(names, expected);
            for file in names {
                let bytes = |folder: &Path| fs::read(folder.join(&file)).unwrap();
                assert!(bytes(&folder) == bytes(&checkpoint(name)), "{file}");
            }
            #[cfg(feature = "torch")]
            crate::DecoderPolicy::from_folder(&folder, crate::DecoderPolicyConfig::default())
                .unwrap();
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_model() {
        let cache = tempfile::tempdir().unwrap();
        let refused = |name, hidden| fetch(name, hidden, cache.path()).unwrap_err().to_string();
        assert_eq!(
            refused("qwen2", "tokenizer.json"),
            "model tests/qwen2 at main has no file tokenizer.json"
        );
        assert_eq!(
            refused("llama3-sharded", "model-00002-of-00002.safetensors"),
            "model tests/llama3-sharded at main has no file model-00002-of-00002.safetensors"
        );
        let endpoint = serve(checkpoint("qwen2"), "");
        let other = |repo| {
            let hub = ApiBuilder::from_cache(hf_hub::Cache::new(cache.path().to_owned()));
            download(hub.with_endpoint(endpoint.clone()), repo, "main").unwrap_err()
        };
        let unknown = other("tests/qwen9");
        assert!(matches!(unknown, Error::Hub { .. }), "{unknown:?}");
        assert_eq!(
            unknown.to_string(),
            "cannot fetch the list of files of tests/qwen9 from the Hugging Face hub"
        );
        let odd = other("tests/a b").to_string();
        assert!(
            odd.starts_with("the model's name must be owner/name"),
            "{odd}"
        );
    }
}
