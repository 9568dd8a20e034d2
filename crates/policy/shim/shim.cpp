// What libtorch offers in C++ and tch does not bind: gradients of given outputs, norms summed in f64, the fused AdamW step,
// and random masks from a generator of their own. A function that fails returns the reason, which the caller frees.
#include <cstring>
#include <exception>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace {

using Handle = at::Tensor *;

// Copies of the handles share the tensors: no numbers are copied.
std::vector<at::Tensor> gather(const Handle *handles, size_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (size_t i = 0; i < count; ++i) tensors.push_back(*handles[i]);
  return tensors;
}

// An exception that left an extern "C" function would unwind Rust's frames, which is undefined behaviour. The text is
// allocated by malloc, so that rerec_free may free it.
template <typename F>
char *catching(F body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}

}  // namespace

extern "C" {

// gradients[i] = sum over output of output_gradient * d(output) / d(inputs[i]), or null where it does not depend on it.
char *rerec_gradients(Handle output, Handle output_gradient, const Handle *inputs, size_t count, Handle *gradients) {
  return catching([&] {
    auto found = torch::autograd::grad({*output}, gather(inputs, count), {*output_gradient},
                                       /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < count; ++i) gradients[i] = found[i].defined() ? new at::Tensor(found[i]) : nullptr;
  });
}

// The Euclidean norm of all the numbers of the tensors together, summed in f64.
char *rerec_norm(const Handle *tensors, size_t count, double *norm) {
  return catching([&] {
    c10::NoGradGuard no_grad;
    *norm = 0;
    if (count == 0) return;
    std::vector<at::Tensor> norms;
    for (const auto &tensor : gather(tensors, count)) {
      norms.push_back(at::linalg_vector_norm(tensor, 2, at::OptionalIntArrayRef(), false, at::kDouble));
    }
    // The norm of norms is that of all numbers; `item` is the only wait for the device.
    *norm = at::linalg_vector_norm(at::stack(norms)).item<double>();
  });
}

// One AdamW step in place. `step` counts from 1; gradients are divided by `gradient_divisor`.
char *rerec_adamw(const Handle *parameters, const Handle *gradients, const Handle *first, const Handle *second,
                  size_t count, double step, double learning_rate, double beta1, double beta2, double weight_decay,
                  double epsilon, double gradient_divisor) {
  return catching([&] {
    if (count == 0) return;
    c10::NoGradGuard no_grad;
    auto self = gather(parameters, count);
    auto number = self[0].options().dtype(at::kFloat);
    // One tensor for all parameters: the operation reads the steps and leaves counting to its caller.
    std::vector<at::Tensor> steps(count, at::full({}, step, number));
    at::_fused_adamw_(self, gather(gradients, count), gather(first, count), gather(second, count), {}, steps,
                      learning_rate, beta1, beta2, weight_decay, epsilon, /*amsgrad=*/false, /*maximize=*/false,
                      at::full({}, gradient_divisor, number), std::nullopt);
  });
}

// A tensor like `like` that is 1 / keep with probability `keep` and 0 otherwise, drawn from `seed` alone.
char *rerec_dropout_mask(Handle like, double keep, uint64_t seed, Handle *mask) {
  return catching([&] {
    c10::NoGradGuard no_grad;
    // A copy, since the default generator is shared: seeding it would change what others draw.
    auto generator = at::globalContext().defaultGenerator(like->device()).clone();
    generator.set_current_seed(seed);
    *mask = new at::Tensor(at::empty_like(*like).bernoulli_(keep, generator).div_(keep));
  });
}

void rerec_free(char *text) { free(text); }
}
