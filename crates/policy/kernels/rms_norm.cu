// RMSNorm: y = x / sqrt(mean(x^2) + eps) * weight, for every row of n.
//
// Bound by memory: each element is read once and written once, 2 sizeof(Element) bytes; the second look at a row finds
// it in the L1 cache. Statistics are f32; the normalised value is rounded to the element type before it is multiplied
// by the weight, as Hugging Face's models do.
#include "common.cuh"

constexpr int THREADS = 256;

// Sum over the threads that share a row: one warp, or the whole block.
__device__ inline float row_sum(float x) {
    x = warp_sum(x);
    // A warp for each row passes no barrier, so warps without a row may have returned before.
    if (blockDim.x == WARP) return x;
    __shared__ float parts[THREADS / WARP];
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = x;
    __syncthreads();
    x = 0;
    // In the same order in every thread, so that all scale their elements by the same number.
    for (int i = 0; i < THREADS / WARP; ++i) x += parts[i];
    return x;
}

// blockDim is (32, 8), a row for each warp, or (256, 1), a row for the block.
extern "C" __global__ void __launch_bounds__(THREADS)
    rms_norm(const Element* x, const Element* weight, Element* y, long long rows, long long n, double eps) {
    const long long row = static_cast<long long>(blockIdx.x) * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    x += row * n;
    y += row * n;
    float values[WIDTH], weights[WIDTH];

    float squares = 0;
    for (int pack = threadIdx.x; pack < packs(n); pack += blockDim.x) {
        load(x, pack * WIDTH, n, 0, values);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) squares += values[i] * values[i];
    }
    const float scale = 1 / sqrtf(row_sum(squares) / n + static_cast<float>(eps));

    for (int pack = threadIdx.x; pack < packs(n); pack += blockDim.x) {
        load(x, pack * WIDTH, n, 0, values);
        load(weight, pack * WIDTH, n, 0, weights);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) values[i] = widen(narrow(values[i] * scale)) * weights[i];
        store(y, pack * WIDTH, n, values);
    }
}
