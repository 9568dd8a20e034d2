//! From the sources of the kernels to machine code.

use std::{
    ffi::{CStr, CString, c_char},
    ptr,
};

use cudarc::nvrtc::{result, sys};
use sha2::{Digest, Sha256};

use super::library::Toolkit;
use crate::{Error, Result};

/// A source file in `kernels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    RmsNorm,
    Rotate,
    Swiglu,
    Select,
    Draw,
    DecodeAttention,
}

/// A source and what it is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Build {
    pub(super) source: Source,
    /// bf16 elements, else f32.
    pub(super) bf16: bool,
    /// Width of a head and queries that a warp holds, for attention alone.
    pub(super) attention: Option<(i64, i64)>,
}

impl Source {
    fn file(self) -> (&'static str, &'static str) {
        macro_rules! file {
            ($name:literal) => {
                ($name, include_str!(concat!("../../../kernels/", $name)))
            };
        }
        match self {
            Self::RmsNorm => file!("rms_norm.cu"),
            Self::Rotate => file!("rotate.cu"),
            Self::Swiglu => file!("swiglu.cu"),
            Self::Select => file!("select.cu"),
            Self::Draw => file!("draw.cu"),
            Self::DecodeAttention => file!("decode_attention.cu"),
        }
    }
}

/// What every source includes.
const HEADER: (&CStr, &str) = (c"common.cuh", include_str!("../../../kernels/common.cuh"));

impl Build {
    /// A name that changes with everything that decides what [`Build::compile`] gives.
    pub(super) fn identity(self, toolkit: &Toolkit, architecture: &str) -> String {
        let (name, text) = self.source.file();
        let options = self.options(toolkit, architecture);
        // Zero bytes, which no part holds, keep neighbours apart.
        let all = format!("{text}\0{}\0{options:?}\0{:?}", HEADER.1, toolkit.version);
        let digest = Sha256::digest(all);
        let digits = digest.iter().map(|byte| format!("{byte:02x}"));
        format!("{name}-{architecture}-{}", digits.collect::<String>())
    }

    /// Machine code for an architecture such as `sm_90`.
    ///
    /// # Errors
    /// [`Error::Kernel`] with the compiler's log.
    pub(super) fn compile(self, toolkit: &Toolkit, architecture: &str) -> Result<Vec<u8>> {
        let (name, text) = self.source.file();
        let failed = |log: String| Error::Kernel {
            name,
            architecture: architecture.to_owned(),
            log,
        };
        let program = Program::new(name, text).map_err(|e| failed(e.to_string()))?;
        let options = self.options(toolkit, architecture);
        // SAFETY: the program is alive; no option holds a zero byte, which `options` makes sure of.
        match unsafe { result::compile_program(program.0, &options) } {
            Ok(()) => program.machine_code().map_err(|e| failed(e.to_string())),
            Err(e) => Err(failed(program.log().unwrap_or_else(|_| e.to_string()))),
        }
    }

    fn options(self, toolkit: &Toolkit, architecture: &str) -> Vec<String> {
        let mut options = vec![
            format!("--gpu-architecture={architecture}"),
            "--std=c++17".to_owned(),
            // What is below 2^-126 counts as 0, for two thirds of an exponential's instructions. Nothing else is less exact.
            "--ftz=true".to_owned(),
            format!("--include-path={}", toolkit.include.display()),
        ];
        if self.bf16 {
            options.push("-DBF16".to_owned());
        }
        if let Some((head, queries)) = self.attention {
            options.extend([format!("-DHEAD={head}"), format!("-DQUERIES={queries}")]);
        }
        options
    }
}

/// A program of NVRTC's.
struct Program(sys::nvrtcProgram);

impl Program {
    fn new(name: &str, text: &str) -> Result<Self, result::NvrtcError> {
        let [name, text, header] =
            [name, text, HEADER.1].map(|text| CString::new(text).unwrap_or_default());
        let mut program = ptr::null_mut();
        // SAFETY: every text ends in a zero byte and outlives the call, which copies them.
        unsafe {
            sys::nvrtcCreateProgram(
                &mut program,
                text.as_ptr(),
                name.as_ptr(),
                1,
                &header.as_ptr(),
                &HEADER.0.as_ptr(),
            )
            .result()?;
        }
        Ok(Self(program))
    }

    fn machine_code(&self) -> Result<Vec<u8>, result::NvrtcError> {
        let mut size = 0;
        // SAFETY: the program is alive and compiled; the buffer has the size that NVRTC asks for.
        unsafe {
            sys::nvrtcGetCUBINSize(self.0, &mut size).result()?;
            let mut code = vec![0u8; size];
            sys::nvrtcGetCUBIN(self.0, code.as_mut_ptr().cast::<c_char>()).result()?;
            Ok(code)
        }
    }

    fn log(&self) -> Result<String, result::NvrtcError> {
        // SAFETY: the program is alive.
        let log = unsafe { result::get_program_log(self.0) }?;
        let bytes = log.iter().map(|&c| c as u8).take_while(|&c| c != 0);
        Ok(String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the program is alive, and nobody has it afterwards. There is nothing to do about a failure.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::cuda::library::toolkit;

    fn builds() -> impl Iterator<Item = Build> {
        let attention = [(64, 3), (80, 1), (128, 7), (256, 8)];
        let attention = attention.map(|shape| (Source::DecodeAttention, Some(shape)));
        let others = [
            Source::RmsNorm,
            Source::Rotate,
            Source::Swiglu,
            Source::Select,
            Source::Draw,
        ];
        let all = others
            .map(|source| (source, None))
            .into_iter()
            .chain(attention);
        all.flat_map(|(source, attention)| {
            [false, true].map(|bf16| Build {
                source,
                bf16,
                attention,
            })
        })
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    fn every_kernel_compiles_for_sm_80_and_sm_90() {
        let toolkit = match toolkit() {
            Ok(toolkit) => toolkit,
            Err(e) => return eprintln!("skipped, no kernel was compiled: {e}"),
        };
        for build in builds() {
            for architecture in ["sm_80", "sm_90"] {
                let code = build.compile(toolkit, architecture).unwrap();
                assert!(code.starts_with(b"\x7fELF"), "{build:?} {architecture}");
            }
        }
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    fn a_refused_kernel_comes_with_the_compilers_words() {
        let toolkit = match toolkit() {
            Ok(toolkit) => toolkit,
            Err(e) => return eprintln!("skipped, no kernel was compiled: {e}"),
        };
        // Half a vector register of bf16 is no head.
        let build = Build {
            source: Source::DecodeAttention,
            bf16: true,
            attention: Some((4, 1)),
        };
        let refused = build.compile(toolkit, "sm_90").unwrap_err().to_string();
        assert!(refused.contains("decode_attention.cu"), "{refused}");
        assert!(
            refused.contains("a head is a multiple of 16 bytes"),
            "{refused}"
        );
    }

    #[test]
    fn the_identity_changes_with_all_that_decides() {
        let toolkit = |include: &str, minor| Toolkit {
            include: include.into(),
            version: (13, minor),
        };
        let mut names: Vec<String> = builds()
            .map(|b| b.identity(&toolkit("a", 0), "sm_90"))
            .collect();
        let one = Build {
            source: Source::Draw,
            bf16: false,
            attention: None,
        };
        names.push(one.identity(&toolkit("a", 1), "sm_90"));
        names.push(one.identity(&toolkit("b", 0), "sm_90"));
        names.push(one.identity(&toolkit("a", 0), "sm_80"));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
