//! The C++ functions of `shim/shim.cpp`.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, c_char},
    ptr,
};

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::Result;

unsafe extern "C" {
    fn rerec_gradients(
        output: *mut C_tensor,
        output_gradient: *mut C_tensor,
        inputs: *const *mut C_tensor,
        count: usize,
        gradients: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn rerec_norm(tensors: *const *mut C_tensor, count: usize, norm: *mut f64) -> *mut c_char;
    fn rerec_adamw(
        parameters: *const *mut C_tensor,
        gradients: *const *mut C_tensor,
        first: *const *mut C_tensor,
        second: *const *mut C_tensor,
        count: usize,
        step: f64,
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        epsilon: f64,
        gradient_divisor: f64,
    ) -> *mut c_char;
    fn rerec_dropout_mask(
        like: *mut C_tensor,
        keep: f64,
        seed: u64,
        mask: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn rerec_free(text: *mut c_char);
}

/// `output_gradient * d(output) / d(input)` for every input; none where the output does not depend on it. The graph behind
/// `output` is freed.
pub(super) fn gradients(
    output: &Tensor,
    output_gradient: &Tensor,
    inputs: &[&Tensor],
) -> Result<Vec<Option<Tensor>>> {
    let handles = handles(inputs.iter().copied());
    // The shim fills it only when all gradients are there, so nothing leaks on an error.
    let mut found = vec![ptr::null_mut(); inputs.len()];
    // SAFETY: all handles are of living tensors; `found` has room for one handle per input, each owned by us or null.
    unsafe {
        check(rerec_gradients(
            handle(output),
            handle(output_gradient),
            handles.as_ptr(),
            handles.len(),
            found.as_mut_ptr(),
        ))?;
        Ok(found
            .into_iter()
            // `from_ptr` takes the handle over: it is freed with the tensor.
            .map(|t| (!t.is_null()).then(|| Tensor::from_ptr(t)))
            .collect())
    }
}

/// The Euclidean norm of all the numbers of the tensors together, summed in f64.
pub(super) fn norm<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    let handles = handles(tensors);
    let mut norm = 0.0;
    // SAFETY: a list of handles of living tensors.
    unsafe {
        check(rerec_norm(handles.as_ptr(), handles.len(), &mut norm))?;
    }
    Ok(norm)
}

/// One parameter with its gradient and its moments.
pub(super) struct AdamWSlot<'a> {
    pub(super) parameter: &'a Tensor,
    pub(super) gradient: &'a Tensor,
    pub(super) first: &'a Tensor,
    pub(super) second: &'a Tensor,
}

/// The numbers of an AdamW step.
pub(super) struct AdamWStep {
    /// Counted from 1.
    pub(super) number: f64,
    pub(super) learning_rate: f64,
    pub(super) betas: (f64, f64),
    pub(super) weight_decay: f64,
    pub(super) epsilon: f64,
    /// Gradients are divided by it first.
    pub(super) gradient_divisor: f64,
}

/// AdamW on every slot, in place.
pub(super) fn adamw(slots: &[AdamWSlot<'_>], step: &AdamWStep) -> Result<()> {
    let parameters = handles(slots.iter().map(|s| s.parameter));
    let gradients = handles(slots.iter().map(|s| s.gradient));
    let first = handles(slots.iter().map(|s| s.first));
    let second = handles(slots.iter().map(|s| s.second));
    // SAFETY: four lists of `slots.len()` handles of living tensors.
    unsafe {
        check(rerec_adamw(
            parameters.as_ptr(),
            gradients.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            slots.len(),
            step.number,
            step.learning_rate,
            step.betas.0,
            step.betas.1,
            step.weight_decay,
            step.epsilon,
            step.gradient_divisor,
        ))
    }
}

/// A tensor like `like` that is `1 / keep` with probability `keep` and 0 otherwise; it depends on nothing but shape and seed.
pub(super) fn dropout_mask(like: &Tensor, keep: f64, seed: u64) -> Result<Tensor> {
    let mut mask = ptr::null_mut();
    // SAFETY: `like` lives; on success `mask` is a handle that we own.
    unsafe {
        check(rerec_dropout_mask(handle(like), keep, seed, &mut mask))?;
        Ok(Tensor::from_ptr(mask))
    }
}

/// The handle of a tensor, for functions that leave the handle itself as it is.
fn handle(tensor: &Tensor) -> *mut C_tensor {
    tensor.as_ptr().cast_mut()
}

fn handles<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Vec<*mut C_tensor> {
    tensors.map(handle).collect()
}

/// # Safety
/// `message` is null or a text that the shim allocated and handed over.
unsafe fn check(message: *mut c_char) -> Result<()> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: by this function's contract, and nobody else has the text.
    let text = unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        rerec_free(message);
        text
    };
    Err(TchError::Torch(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_gradient_is_weighted_by_that_of_the_output() {
        let x = Tensor::from_slice(&[2f32, 3.0]).set_requires_grad(true);
        let unused = Tensor::from_slice(&[1f32]).set_requires_grad(true);
        let y = &x * &x;
        let found = gradients(&y, &Tensor::from_slice(&[1f32, 10.0]), &[&x, &unused]).unwrap();
        let dx = Vec::<f32>::try_from(found[0].as_ref().unwrap()).unwrap();
        assert_eq!(dx, [4.0, 60.0]);
        assert!(found[1].is_none());
    }

    #[test]
    fn a_c_plus_plus_exception_is_an_error() {
        let x = Tensor::from_slice(&[2f32]);
        let refused = gradients(&x, &x, &[&x]);
        assert!(matches!(refused, Err(Error::Torch(_))), "{refused:?}");
    }

    #[test]
    fn a_mask_depends_on_its_seed_alone() {
        let like = Tensor::zeros([100, 100], (tch::Kind::Float, tch::Device::Cpu));
        let a = dropout_mask(&like, 0.75, 7).unwrap();
        assert_eq!(a, dropout_mask(&like, 0.75, 7).unwrap());
        assert_ne!(a, dropout_mask(&like, 0.75, 8).unwrap());
        let kept = a
            .gt(0.0)
            .to_kind(tch::Kind::Double)
            .mean(None)
            .double_value(&[]);
        assert!((kept - 0.75).abs() < 0.02, "{kept}");
        assert!(
            (a.double_value(&[0, 0]) - 4.0 / 3.0).abs() < 1e-6 || a.double_value(&[0, 0]) == 0.0
        );
    }
}
