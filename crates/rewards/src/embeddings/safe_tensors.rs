//! safetensors with one tensor, `embeddings`, and the ids as a JSON list in the metadata's `ids`.

use std::collections::HashMap;

use ndarray::Array2;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::EmbeddingTable;
use super::scalar::Scalar;
use crate::fault::{Fault, Place};

const TENSOR: &str = "embeddings";
const IDS: &str = "ids";

/// Ids and their `[rows, d]` matrix.
pub(super) fn parse(bytes: &[u8]) -> Result<(Vec<String>, Array2<f32>), Fault> {
    let header = |reason: String| Fault::new(Place::Header, reason);
    // `deserialize` drops the metadata, in which the ids are.
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| header(error.to_string()))?;
    let ids = metadata
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(IDS));
    let ids = ids.ok_or_else(|| header(format!("no `{IDS}` in the metadata")))?;
    // The format's metadata are strings by name, so that a list has to be JSON within one.
    let ids = serde_json::from_str(ids)
        .map_err(|error| header(format!("`{IDS}` is not a list of strings: {error}")))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| header(error.to_string()))?;
    let tensor = tensors
        .tensor(TENSOR)
        .map_err(|error| header(error.to_string()))?;
    let &[rows, columns] = tensor.shape() else {
        return Err(header(format!(
            "shape {:?}, need [rows, d]",
            tensor.shape()
        )));
    };
    let values = scalar(tensor.dtype())
        .map_err(header)?
        .decode(tensor.data());
    let values = Array2::from_shape_vec((rows, columns), values)
        .map_err(|error| Fault::new(Place::Data, error.to_string()))?;
    Ok((ids, values))
}

fn scalar(dtype: Dtype) -> Result<Scalar, String> {
    match dtype {
        Dtype::F16 => Ok(Scalar::F16),
        Dtype::BF16 => Ok(Scalar::Bf16),
        Dtype::F32 => Ok(Scalar::F32),
        Dtype::F64 => Ok(Scalar::F64),
        _ => Err(format!("dtype {dtype}, need F16, BF16, F32 or F64")),
    }
}

pub(super) fn write(table: &EmbeddingTable) -> Result<Vec<u8>, SafeTensorError> {
    let ids = serde_json::to_string(table.ids()).map_err(SafeTensorError::JsonError)?;
    let data: Vec<u8> = table
        .values()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let shape = vec![table.len(), table.dimension()];
    let tensor = TensorView::new(Dtype::F32, shape, &data)?;
    safetensors::serialize(
        [(TENSOR, tensor)],
        Some(HashMap::from([(IDS.to_owned(), ids)])),
    )
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn message(bytes: &[u8]) -> String {
        let fault = parse(bytes).unwrap_err();
        format!("{}: {}", fault.place, fault.reason)
    }

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            data,
        ]
        .concat()
    }

    #[test]
    fn what_is_written_is_read() {
        let values = array![[1.5, -1e-30], [f32::MAX, 0.1]];
        let ids = vec!["Alien \"Director's Cut\"".to_owned(), "2".to_owned()];
        let table = EmbeddingTable::new(ids.clone(), values.clone()).unwrap();
        assert_eq!(parse(&write(&table).unwrap()).unwrap(), (ids, values));
    }

    #[test]
    fn faults_name_the_header() {
        let tensor = |dtype: &str, shape: &str, end: usize| {
            format!(
                r#"{{"__metadata__":{{"ids":"[\"a\"]"}},"embeddings":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#
            )
        };
        assert!(parse(&file(&tensor("F32", "[1,1]", 4), &[0; 4])).is_ok());
        assert!(
            message(&file(&tensor("I32", "[1,1]", 4), &[0; 4])).contains("dtype I32, need F16")
        );
        assert!(message(&file(&tensor("F32", "[1]", 4), &[0; 4])).contains("shape [1], need"));
        // Shapes and offsets beyond the data.
        for (shape, end) in [
            ("[1,1]", 400),
            ("[9,9]", 4),
            ("[18446744073709551615,2]", 4),
        ] {
            assert!(message(&file(&tensor("F32", shape, end), &[0; 4])).starts_with("header: "));
        }
        let unnamed = r#"{"x":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#;
        assert_eq!(
            message(&file(unnamed, &[0; 4])),
            "header: no `ids` in the metadata"
        );
        let mut liar = file("{}", &[]);
        liar[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(message(&liar).starts_with("header: "));
    }
}
