//! What is known of a model before its weights are read.

use super::gguf_model;
use crate::{
    DecoderPolicy, GgufFile, ModelConfig, ModelSource, Tokenizer, TokenizerConfig,
    error::{Error, Result},
};

impl DecoderPolicy {
    /// Shape and tokenizer of a model, without its weights. `corpus` is for a model that is drawn afresh: what its tokenizer is trained
    /// on. A model on the hub is downloaded.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn outline<'t>(
        source: &ModelSource,
        corpus: impl Iterator<Item = &'t str> + Send,
    ) -> Result<(ModelConfig, Tokenizer)> {
        match source {
            ModelSource::Fresh(fresh) => {
                let vocab_size = fresh.vocab_size;
                let tokenizer = Tokenizer::train(&TokenizerConfig { vocab_size }, corpus)?;
                let model = fresh.config(tokenizer.vocab_size());
                model.validate()?;
                Ok((model, tokenizer))
            }
            ModelSource::Folder { path, .. } => Ok((
                ModelConfig::from_folder(path)?,
                Tokenizer::from_folder(path)?,
            )),
            ModelSource::Gguf { path, .. } => {
                let file = GgufFile::open(path)?;
                Ok((gguf_model::config(&file)?, gguf_model::tokenizer(&file)?))
            }
            #[cfg(feature = "hub")]
            ModelSource::Hub { repo, revision, .. } => {
                let path = crate::download_from_hub(repo, revision.as_deref())?;
                Ok((
                    ModelConfig::from_folder(&path)?,
                    Tokenizer::from_folder(&path)?,
                ))
            }
            #[cfg(not(feature = "hub"))]
            ModelSource::Hub { .. } => Err(Error::no_hub()),
        }
    }
}
