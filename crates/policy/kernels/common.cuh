// What the kernels share: the element type, access by 16 bytes, sums over a warp.
//
// Every source is compiled for one element type at a time: f32, or bf16 where BF16 is defined. All arithmetic is f32.
#pragma once

#ifdef BF16
#include <cuda_bf16.h>
using Element = __nv_bfloat16;
__device__ inline float widen(Element x) { return __bfloat162float(x); }
__device__ inline Element narrow(float x) { return __float2bfloat16_rn(x); }
#else
using Element = float;
__device__ inline float widen(Element x) { return x; }
__device__ inline Element narrow(float x) { return x; }
#endif

constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffff;
// Elements in 16 bytes, the widest access there is.
constexpr int WIDTH = 16 / sizeof(Element);

constexpr float LOG2_E = 1.44269504088896341f;
constexpr float LN_2 = 0.69314718055994531f;
// Where a maximum starts: finite, so that no difference of two of them is inf - inf.
constexpr float LOWEST = -3.402823466e38f;

__device__ inline float negative_infinity() { return __int_as_float(0xff800000); }

__device__ inline bool is_aligned(const void* address) {
    return reinterpret_cast<unsigned long long>(address) % 16 == 0;
}

// The 16 bytes at an aligned address, as f32.
__device__ inline void load_aligned(const Element* address, float (&x)[WIDTH]) {
    const uint4 bytes = *reinterpret_cast<const uint4*>(address);
    const Element* parts = reinterpret_cast<const Element*>(&bytes);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) x[i] = widen(parts[i]);
}

// Elements start .. start + WIDTH of a row of n; behind its end stands `rest`.
//
// Rows that do not lie on 16 bytes are read one element at a time into the same places, so that no sum depends on
// where a row lies.
__device__ inline void load(const Element* row, int start, int n, float rest, float (&x)[WIDTH]) {
    if (is_aligned(row) && start + WIDTH <= n) return load_aligned(row + start, x);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) x[i] = start + i < n ? widen(row[start + i]) : rest;
}

// The way back from `load`.
__device__ inline void store(Element* row, int start, int n, const float (&x)[WIDTH]) {
    if (is_aligned(row) && start + WIDTH <= n) {
        uint4 bytes;
        Element* parts = reinterpret_cast<Element*>(&bytes);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) parts[i] = narrow(x[i]);
        *reinterpret_cast<uint4*>(row + start) = bytes;
        return;
    }
#pragma unroll
    for (int i = 0; i < WIDTH; ++i)
        if (start + i < n) row[start + i] = narrow(x[i]);
}

__device__ inline int packs(int n) { return (n + WIDTH - 1) / WIDTH; }

// Every lane gets the same bits: the two sides of an exchange add the same two numbers.
__device__ inline float warp_sum(float x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2) x += __shfl_xor_sync(ALL_LANES, x, offset);
    return x;
}
