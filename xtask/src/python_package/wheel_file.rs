//! Wheels as files.

use std::fs;
use std::path::{Path, PathBuf};

use super::PACKAGE;
use crate::disk;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::program::check;

/// The wheel of the package that was written last.
pub(super) fn newest(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let wheels = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_wheel = path.extension().is_some_and(|ending| ending == "whl");
        let written = path.metadata().ok()?.modified().ok()?;
        is_wheel.then_some((written, path))
    });
    let newest = wheels.max().map(|(_, path)| path);
    let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, "no wheel in it");
    newest.ok_or_else(|| Error::io("find a wheel in", folder)(missing()))
}

/// Packs the package around a library that was built already.
pub(super) fn pack(library: &Path, python: &Path, environment: &Environment) -> Result<PathBuf> {
    let folder = environment.root.join("target/python");
    let (unpacked, wheels) = (folder.join("unpacked"), folder.join("wheels"));
    for old in [&unpacked, &wheels] {
        disk::remove(old)?;
        disk::create_folder(old)?;
    }
    let mut describe = environment.command(python);
    describe
        .args([
            "-m",
            "maturin",
            "pep517",
            "write-dist-info",
            "--metadata-directory",
        ])
        .arg(&unpacked);
    describe.current_dir(environment.root.join(PACKAGE));
    check(describe)?;
    copy(
        &environment.root.join(PACKAGE).join("python/rerec"),
        &unpacked.join("rerec"),
    )?;
    copy_file(library, &unpacked.join("rerec/_rerec.abi3.so"))?;
    let mut pack = environment.command(python);
    pack.args(["-m", "wheel", "pack", "--dest-dir"])
        .arg(&wheels)
        .arg(&unpacked);
    check(pack)?;
    newest(&wheels)
}

/// Copies a folder of sources, without what Python keeps beside them.
fn copy(from: &Path, to: &Path) -> Result<()> {
    disk::create_folder(to)?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (path, name) = (entry.path(), entry.file_name());
        match path.is_dir() {
            true if name == "__pycache__" => {}
            true => copy(&path, &to.join(name))?,
            false => copy_file(&path, &to.join(name))?,
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(Error::io("copy", from))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Machine;

    #[test]
    fn the_wheel_that_was_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let missing = newest(folder.path()).unwrap_err().to_string();
        assert!(missing.ends_with("no wheel in it"), "{missing}");
        for (name, age) in [("new.whl", 0), ("old.whl", 60), ("newer.txt", 0)] {
            let path = folder.path().join(name);
            fs::write(&path, name).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            let written = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(written).unwrap();
        }
        let newest = newest(folder.path()).unwrap();
        assert_eq!(newest.file_name().unwrap(), "new.whl");
    }

    /// A Python whose `wheel pack` lists what it would pack.
    #[test]
    fn a_wheel_holds_the_sources_and_the_library() -> Result<()> {
        let machine = Machine::new();
        let listing = "[ \"$2\" = maturin ] || (cd \"$6\" && /usr/bin/find rerec -type f | /usr/bin/sort > \"$5/x.whl\")";
        machine.program("python", listing);
        let sources = machine.environment.root.join(PACKAGE).join("python/rerec");
        for file in ["__init__.py", "verl/agent.py", "__pycache__/x.pyc"] {
            let path = sources.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let library = machine.path("lib.so");
        fs::write(&library, "").unwrap();
        let wheel = pack(&library, &machine.path("bin/python"), &machine.environment)?;
        let packed = fs::read_to_string(wheel).unwrap();
        assert_eq!(
            packed,
            "rerec/__init__.py\nrerec/_rerec.abi3.so\nrerec/verl/agent.py\n"
        );
        Ok(())
    }
}
