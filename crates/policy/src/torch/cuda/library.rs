//! The shared libraries of CUDA, opened at run time.

use std::{
    env,
    ffi::{CStr, CString, OsStr, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    sync::{LazyLock, Once},
};

use crate::{Error, Result};

/// NVRTC, open, and what belongs to it.
#[derive(Debug)]
pub(super) struct Toolkit {
    /// Folder of CUDA's headers.
    pub(super) include: PathBuf,
    /// Major and minor.
    pub(super) version: (i32, i32),
}

/// Opens libtorch_cuda.so beside the libtorch in use, if it is there. libtorch looks for CUDA once: whoever asks it for GPUs
/// has to call this before.
pub(in crate::torch) fn load_libtorch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Some(folder) = libtorch_folder() {
            open(&folder.join("libtorch_cuda.so"));
        }
    });
}

/// NVRTC of the folder in `REREC_NVRTC`, else the one beside libtorch.
///
/// # Errors
/// [`Error::NoCuda`] where there is none.
pub(super) fn toolkit() -> Result<&'static Toolkit> {
    static TOOLKIT: LazyLock<Option<Toolkit>> =
        LazyLock::new(|| folders().iter().find_map(|folder| Toolkit::open(folder)));
    TOOLKIT.as_ref().ok_or_else(|| Error::NoCuda {
        what: format!("lib/libnvrtc.so.13 is in none of {:?}", folders()),
    })
}

fn folders() -> Vec<PathBuf> {
    let own = env::var_os("REREC_NVRTC").map(PathBuf::from);
    let beside = libtorch_folder().map(|folder| folder.join("../../nvidia/cu13"));
    own.into_iter().chain(beside).collect()
}

impl Toolkit {
    fn open(folder: &Path) -> Option<Self> {
        let lib = folder.join("lib");
        // NVRTC finds its builtins only where they are open already.
        let all = ["libnvrtc-builtins.so.13.0", "libnvrtc.so.13"];
        all.iter().all(|name| open(&lib.join(name))).then(|| Self {
            include: folder.join("include"),
            version: version(),
        })
    }
}

fn version() -> (i32, i32) {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: NVRTC is open, and both places take a number. A failure leaves them 0.
    unsafe {
        let _ = cudarc::nvrtc::sys::nvrtcVersion(&mut major, &mut minor);
    }
    (major, minor)
}

/// The stream that libtorch works on now; null, the default stream, where it cannot tell.
pub(super) fn current_stream(device: i32) -> *mut c_void {
    type Getter = unsafe extern "C" fn(i32, *mut *mut c_void) -> i32;
    static GETTER: LazyLock<Option<Getter>> = LazyLock::new(|| {
        let found = symbol(c"aoti_torch_get_current_cuda_stream");
        // SAFETY: the signature is that of libtorch's stable C interface; an absent symbol is null and becomes none.
        unsafe { std::mem::transmute::<*mut c_void, Option<Getter>>(found) }
    });
    let mut stream = ptr::null_mut();
    if let Some(getter) = *GETTER {
        // SAFETY: `stream` has room for the handle. A failure leaves it null.
        unsafe { getter(device, &mut stream) };
    }
    stream
}

/// The folder that libtorch was loaded from.
fn libtorch_folder() -> Option<PathBuf> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr takes any address and fills `info` if it returns non-zero; the name then lives as long as the library.
    let path = unsafe {
        if libc::dladdr(symbol(c"aoti_torch_device_type_cpu"), info.as_mut_ptr()) == 0 {
            return None;
        }
        CStr::from_ptr(info.assume_init().dli_fname)
    };
    let path = Path::new(OsStr::from_bytes(path.to_bytes())).canonicalize();
    Some(path.ok()?.parent()?.to_owned())
}

/// A function of the libraries that are open for all; null where there is none.
fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: a look-up by a terminated name.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Opens a library for all, until the process ends.
fn open(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // RTLD_GLOBAL makes its symbols part of the scope that `symbol` searches.
    // SAFETY: the initialisers of the CUDA libraries are sound.
    !unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) }.is_null()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        // Something of libtorch has to be in use for the linker to keep it.
        assert!(tch::get_num_threads() > 0);
        let folder = libtorch_folder().unwrap();
        assert!(folder.join("libtorch_cpu.so").is_file(), "{folder:?}");
    }
}
