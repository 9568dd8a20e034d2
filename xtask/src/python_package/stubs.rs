//! The stubs of the extension module, generated from its code.

use std::fs;
use std::path::Path;

use crate::environment::Environment;
use crate::error::{Error, Result};

/// Below the root of the checkout.
const STUBS: &str = "bindings/python/python/rerec/_rerec.pyi";

/// What reads the stubs out of a library, an example of the package.
const READER: &str = "target/debug/examples/stubs";

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
    fs::write(&path, generate(library, environment)?).map_err(Error::io("write", &path))
}

/// Refuses stubs that are not those of the library.
pub(super) fn check(library: &Path, environment: &Environment) -> Result<()> {
    let path = environment.root.join(STUBS);
    let stubs = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    match stubs == generate(library, environment)? {
        true => Ok(()),
        false => Err(Error::OldStubs { file: STUBS }),
    }
}

fn generate(library: &Path, environment: &Environment) -> Result<String> {
    let failed = |reason: String| Error::Introspection {
        library: library.to_owned(),
        reason,
    };
    super::build(&["--example", "stubs"], environment)?;
    let read = environment
        .command(environment.root.join(READER))
        .arg(library)
        .output();
    let read = read.map_err(|error| failed(error.to_string()))?;
    match read.status.success() {
        true => Ok(format!(
            "{IMPORTS}{}",
            String::from_utf8_lossy(&read.stdout)
        )),
        false => Err(failed(String::from_utf8_lossy(&read.stderr).into_owned())),
    }
}
