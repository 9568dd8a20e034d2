//! Compiles the C++ shim over libtorch, and lets this crate's test binaries find libtorch at run time without
//! `LD_LIBRARY_PATH`.
use std::env;
#[cfg(feature = "torch")]
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim/shim.cpp");
    // Set by torch-sys, and absent when the crate is built without torch or documented without libtorch.
    let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") else {
        return;
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    #[cfg(feature = "torch")]
    compile_shim(Path::new(&lib));
}

#[cfg(feature = "torch")]
fn compile_shim(lib: &Path) {
    if env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() {
        return;
    }
    let include = lib.with_file_name("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .file("shim/shim.cpp")
        .compile("rerec_shim");
}
