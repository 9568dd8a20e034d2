//! A GPU, with the kernels that were compiled for it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use cudarc::{
    driver::{
        CudaContext, CudaFunction, CudaStream, LaunchConfig, PushKernelArg, sys::CUdevice_attribute,
    },
    nvrtc::Ptx,
};
use tch::{Kind, Tensor};

use super::{
    compiler::{Build, Source},
    cubins::Cubins,
    describe, library,
};
use crate::{Error, Result};

/// A GPU by its place. Its context is libtorch's own.
#[derive(Debug)]
pub(super) struct Device {
    ordinal: usize,
    context: Arc<CudaContext>,
    architecture: String,
    /// How many blocks of threads run side by side at least.
    pub(super) multiprocessors: i64,
    functions: Mutex<HashMap<(Build, &'static str), CudaFunction>>,
}

/// An argument of a kernel, as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument {
    Address(u64),
    Integer(i64),
    Real(f64),
    /// A structure of integers.
    Integers([i64; 8]),
}

impl From<&Tensor> for Argument {
    fn from(tensor: &Tensor) -> Self {
        Self::Address(tensor.data_ptr() as u64)
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Argument {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// A kernel and how it is spread over the GPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launch {
    pub(super) build: Build,
    /// Name of the function in the source.
    pub(super) entry: &'static str,
    pub(super) grid: (i64, i64),
    pub(super) block: (i64, i64),
}

impl Device {
    /// The one that `x` lies on, for kernels on elements of its kind.
    ///
    /// # Errors
    /// [`Error::InvalidTensorArgument`] where `x` is on none or not f32 or bf16; [`Error::Cuda`].
    pub(super) fn of(name: &'static str, x: &Tensor) -> Result<Arc<Self>> {
        match (x.device(), x.kind()) {
            (tch::Device::Cuda(ordinal), Kind::Float | Kind::BFloat16) => Self::at(ordinal),
            (device, kind) => Err(Error::InvalidTensorArgument {
                name,
                got: describe(&x.size(), kind, device),
                expected: "f32 or bf16 on a GPU".to_owned(),
            }),
        }
    }

    fn at(ordinal: usize) -> Result<Arc<Self>> {
        static DEVICES: LazyLock<Mutex<HashMap<usize, Arc<Device>>>> =
            LazyLock::new(Mutex::default);
        let mut devices = lock(&DEVICES);
        if let Some(device) = devices.get(&ordinal) {
            return Ok(device.clone());
        }
        let device = Arc::new(Self::open(ordinal)?);
        devices.insert(ordinal, device.clone());
        Ok(device)
    }

    fn open(ordinal: usize) -> Result<Self> {
        // Retains the device's primary context, which libtorch uses too: addresses of its tensors are valid in it.
        let context = CudaContext::new(ordinal)?;
        let (major, minor) = context.compute_capability()?;
        let multiprocessors =
            context.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        Ok(Self {
            ordinal,
            context,
            architecture: format!("sm_{major}{minor}"),
            multiprocessors: multiprocessors.into(),
            functions: Mutex::default(),
        })
    }

    /// Puts a kernel on libtorch's current stream. An empty grid is no work.
    ///
    /// # Safety
    /// The arguments are those of the kernel, in order, and every address points to as much memory of this device as the
    /// kernel reads or writes there.
    pub(super) unsafe fn launch(&self, launch: Launch, arguments: &[Argument]) -> Result<()> {
        if launch.grid.0 * launch.grid.1 == 0 {
            return Ok(());
        }
        let function = self.function(launch.build, launch.entry)?;
        let stream = self.stream();
        let mut builder = stream.launch_builder(&function);
        for argument in arguments {
            match argument {
                Argument::Address(address) => builder.arg(address),
                Argument::Integer(number) => builder.arg(number),
                Argument::Real(number) => builder.arg(number),
                Argument::Integers(numbers) => builder.arg(numbers),
            };
        }
        let three = |(x, y): (i64, i64)| (x as u32, y as u32, 1);
        // SAFETY: by this function's contract.
        unsafe {
            builder.launch(LaunchConfig {
                grid_dim: three(launch.grid),
                block_dim: three(launch.block),
                shared_mem_bytes: 0,
            })?;
        }
        Ok(())
    }

    fn stream(&self) -> Arc<CudaStream> {
        // Asked for each launch, since the current stream may change; work on another stream would not be ordered behind that of
        // libtorch.
        let stream = library::current_stream(self.ordinal as i32);
        // SAFETY: a stream of libtorch's, in the same context; libtorch never destroys its streams.
        unsafe { self.context.wrap_borrowed_stream(stream.cast()) }
    }

    fn function(&self, build: Build, entry: &'static str) -> Result<CudaFunction> {
        // Held while a kernel is compiled, so that two threads do not compile the same one.
        let mut functions = lock(&self.functions);
        if let Some(function) = functions.get(&(build, entry)) {
            return Ok(function.clone());
        }
        let toolkit = library::toolkit()?;
        let name = build.identity(toolkit, &self.architecture);
        let code = Cubins::of_user().get(&name, || build.compile(toolkit, &self.architecture))?;
        let module = self.context.load_module(Ptx::from_binary(code))?;
        let function = module.load_function(entry)?;
        functions.insert((build, entry), function.clone());
        Ok(function)
    }
}

/// Bytes of that GPU's memory that are taken, by this process and all others.
pub(in crate::torch) fn bytes_taken(ordinal: usize) -> Result<u64> {
    let (free, total) = Device::at(ordinal)?.context.mem_get_info()?;
    Ok((total - free) as u64)
}

/// A kernel on elements of the kind of `x`.
pub(super) fn build(source: Source, x: &Tensor) -> Build {
    Build {
        source,
        bf16: x.kind() == Kind::BFloat16,
        attention: None,
    }
}

/// Elements of `x` in 16 bytes, which a thread takes at once.
pub(super) fn pack(x: &Tensor) -> i64 {
    if x.kind() == Kind::BFloat16 { 8 } else { 4 }
}

/// `a / b`, rounded up.
pub(super) fn ceil(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// What was written under the lock is whole even where a thread died with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
