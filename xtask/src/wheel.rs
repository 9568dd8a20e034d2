//! Python wheels pinned to the byte.

/// A file on PyPI and what to take from it. Project, version and tags are those of its name.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// File name: `project-version-python-abi-platform.whl`.
    pub file: &'static str,
    /// sha256 of the file, in hexadecimal.
    pub sha256: &'static str,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Paths inside the wheel to unpack; one that ends in `/` stands for a whole folder.
    pub take: &'static [&'static str],
    /// Size of what is unpacked, in bytes.
    pub unpacked: u64,
}

impl Wheel {
    /// What pip is asked for: `project==version`.
    ///
    /// ```
    /// assert_eq!(xtask::RECBOLE.requirement(), "recbole==1.2.1");
    /// ```
    pub fn requirement(&self) -> String {
        let mut parts = self.file.split('-');
        let (project, version) = (parts.next(), parts.next());
        format!(
            "{}=={}",
            project.unwrap_or_default(),
            version.unwrap_or_default()
        )
    }

    /// The platform tag to name to pip, which matches it exactly; the first where the file has several.
    ///
    /// ```
    /// assert_eq!(xtask::RECBOLE.platform(), "any");
    /// ```
    pub fn platform(&self) -> &'static str {
        let stem = self.file.trim_end_matches(".whl");
        let tags = stem.rsplit('-').next().unwrap_or_default();
        tags.split('.').next().unwrap_or_default()
    }

    /// Whether `path` inside the wheel is among those to unpack.
    pub(crate) fn takes(&self, path: &str) -> bool {
        self.take.iter().any(|wanted| covers(wanted, path))
    }
}

/// Whether `path` is the file `wanted`, or in it where that ends in `/`.
pub(crate) fn covers(wanted: &str, path: &str) -> bool {
    match wanted.ends_with('/') {
        true => path.starts_with(wanted) && !path.ends_with('/'),
        false => path == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins;

    #[test]
    fn tags_come_from_the_file_name() {
        let [torch, .., runtime] = pins::LIBTORCH_CPU.wheels else {
            panic!("three wheels")
        };
        assert_eq!(torch.requirement(), "torch==2.11.0");
        assert_eq!(torch.platform(), "manylinux_2_28_x86_64");
        assert_eq!(runtime.platform(), "manylinux2014_x86_64");
    }

    #[test]
    fn a_trailing_slash_takes_the_files_of_a_folder() {
        assert!(covers("a/", "a/b/c.h"));
        assert!(!covers("a/", "a/b/"));
        assert!(!covers("a/b", "a/b.so"));
        assert!(covers("a/b.so", "a/b.so"));
    }
}
