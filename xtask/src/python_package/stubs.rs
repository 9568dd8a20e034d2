//! The stubs of the extension module, generated from its code.

use std::fs;
use std::path::Path;

use crate::environment::Environment;
use crate::error::{Error, Result};

/// Below the root of the checkout.
const STUBS: &str = "bindings/python/python/rerec/_rerec.pyi";

/// What annotations in the code name, beside the imports that are generated for the others.
const IMPORTS: &str = "\
import collections.abc
import os
import typing

import numpy
import numpy.typing
";

/// Writes the stubs that the library holds.
pub(super) fn write(library: &Path, environment: &Environment) -> Result<()> {
    let path = environment.root.join(STUBS);
    fs::write(&path, generate(library)?).map_err(Error::io("write", &path))
}

/// Refuses stubs that are not those of the library.
pub(super) fn check(library: &Path, environment: &Environment) -> Result<()> {
    let path = environment.root.join(STUBS);
    let stubs = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    match stubs == generate(library)? {
        true => Ok(()),
        false => Err(Error::OldStubs { file: STUBS }),
    }
}

fn generate(library: &Path) -> Result<String> {
    let failed = |reason: String| Error::Introspection {
        library: library.to_owned(),
        reason,
    };
    let module = pyo3_introspection::introspect_cdylib(library, "_rerec");
    let module = module.map_err(|error| failed(format!("{error:#}")))?;
    let files = pyo3_introspection::module_stub_files(&module);
    let stubs = files.into_values().next();
    let stubs = stubs.ok_or_else(|| failed("no module".to_owned()))?;
    Ok(format!("{IMPORTS}{stubs}"))
}
