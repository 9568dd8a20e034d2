// Log-probability of one token per row under softmax(logits / T), the row's normaliser and entropy; and the gradient.
#include "common.cuh"

constexpr int THREADS = 512;
// Base-2 logarithm of what counts as nothing beside the maximum; finite, so that 0 times it is 0.
constexpr float NOTHING = -1e4f;

// Sums over some logits x, relative to the greatest: with d = (x - max) log2(e) / T, of 2^d and of d 2^d.
struct Sums {
    float max, sum, weighted;

    // The same sums relative to a greater maximum; scale is log2(e) / T.
    __device__ void rise(float to, float scale) {
        const float shift = fmaxf((max - to) * scale, NOTHING);
        const float factor = exp2f(shift);
        // (d + shift) 2^(d + shift), summed over d, is (weighted + sum shift) 2^shift.
        weighted = (weighted + sum * shift) * factor;
        sum *= factor;
        max = to;
    }

    __device__ void take(const float (&x)[WIDTH], float scale) {
        float top = max;
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) top = fmaxf(top, x[i]);
        if (top > max) rise(top, scale);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            const float d = (x[i] - max) * scale, e = exp2f(d);
            sum += e;
            weighted += e * fmaxf(d, NOTHING);
        }
    }

    __device__ void merge(Sums other, float scale) {
        const float top = fmaxf(max, other.max);
        rise(top, scale);
        other.rise(top, scale);
        sum += other.sum;
        weighted += other.weighted;
    }
};

// The sums of all threads of a block, in thread 0.
__device__ inline Sums block_merge(Sums own, float scale) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        own.merge({__shfl_xor_sync(ALL_LANES, own.max, offset), __shfl_xor_sync(ALL_LANES, own.sum, offset),
                   __shfl_xor_sync(ALL_LANES, own.weighted, offset)},
                  scale);
    __shared__ Sums parts[THREADS / WARP];
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = own;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int i = 1; i < THREADS / WARP; ++i) own.merge(parts[i], scale);
    return own;
}

// A block for each row. A target outside the vocabulary has no log-probability: NaN.
//
// Bound by memory: one pass that reads each logit once, sizeof(Element) bytes. Products with 1/T stand for divisions by
// T, here and in the other kernels over the vocabulary, so that all agree on a probability.
extern "C" __global__ void __launch_bounds__(THREADS)
    select(const Element* logits, const long long* targets, const float* temperatures, float* log_probs,
           float* normalisers, float* entropies, long long vocab) {
    const long long row = blockIdx.x;
    logits += row * vocab;
    const float inverse = 1 / temperatures[row], scale = inverse * LOG2_E;
    Sums sums = {LOWEST, 0, 0};
    for (int pack = threadIdx.x; pack < packs(vocab); pack += THREADS) {
        float x[WIDTH];
        load(logits, pack * WIDTH, vocab, negative_infinity(), x);
        sums.take(x, scale);
    }
    sums = block_merge(sums, scale);
    if (threadIdx.x != 0) return;
    const long long target = targets[row];
    const bool exists = target >= 0 && target < vocab;
    // NaN by its bits, since NVRTC defines no NAN.
    const float logit = exists ? widen(logits[target]) : __int_as_float(0x7fffffff);
    // With p = 2^d / sum, ln p = d ln 2 - ln sum, so the entropy -sum(p ln p) is ln sum - ln 2 weighted / sum.
    const float rest = logf(sums.sum);
    log_probs[row] = (logit - sums.max) * inverse - rest;
    normalisers[row] = sums.max * inverse + rest;
    entropies[row] = rest - LN_2 * sums.weighted / sums.sum;
}

// In place: slope / T * (1[v = target] - exp(logit / T - normaliser)).
//
// Bound by memory: each logit is read once and written once, 2 sizeof(Element) bytes.
// gridDim.x is the rows, gridDim.y the blocks a row is cut into.
extern "C" __global__ void logits_gradient(Element* logits, const float* normalisers, const long long* targets,
                                           const float* slopes, const float* temperatures, long long vocab) {
    const long long row = blockIdx.x;
    const int start = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (start >= vocab) return;
    logits += row * vocab;
    const float inverse = 1 / temperatures[row], slope = slopes[row] * inverse, normaliser = normalisers[row];
    const long long target = targets[row];
    float x[WIDTH];
    load(logits, start, vocab, 0, x);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i)
        x[i] = slope * ((start + i == target ? 1.f : 0.f) - expf(x[i] * inverse - normaliser));
    store(logits, start, vocab, x);
}
