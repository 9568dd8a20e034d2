//! What is known of a model before its weights are read.

use super::{decoder_policy::base_of, gguf_model};
use crate::{
    DecoderPolicy, DecoderPolicyConfig, GgufFile, ModelConfig, ModelSource, Tokenizer,
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
        config: &DecoderPolicyConfig,
        corpus: impl Iterator<Item = &'t str> + Send,
    ) -> Result<(ModelConfig, Tokenizer)> {
        config.validate()?;
        let (model, tokenizer) = shape_and_tokenizer(source, corpus)?;
        Ok((model, tokenizer.with_template(config.template.clone())?))
    }
}

fn shape_and_tokenizer<'t>(
    source: &ModelSource,
    corpus: impl Iterator<Item = &'t str> + Send,
) -> Result<(ModelConfig, Tokenizer)> {
    match source {
        ModelSource::Fresh(fresh) => {
            let tokenizer = Tokenizer::train(&fresh.tokenizer(), corpus)?;
            let model = fresh.config(tokenizer.vocab_size());
            model.validate()?;
            Ok((model, tokenizer))
        }
        // A checkpoint of adapters points to its model.
        ModelSource::Folder { path, .. } => {
            let path = base_of(path)?;
            Ok((
                ModelConfig::from_folder(&path)?,
                Tokenizer::from_folder(&path)?,
            ))
        }
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
