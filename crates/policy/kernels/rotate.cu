// Rotary position embedding in the half-split layout: y_low = x_low cos_low + x_high sin_low, and y_high = x_high cos_high
// + x_low sin_high, for every head of a token. The sign of the rotation is in the tables.
//
// Bound by memory: each element is read once and written once, 2 sizeof(Element) bytes; the tables are read once for all
// heads of a token.
#include "common.cuh"

// A block for each token; a thread turns WIDTH pairs. Tokens of x are `stride` elements apart, those of y are dense.
extern "C" __global__ void rotate(const Element* x, const Element* cos, const Element* sin, Element* y,
                                  long long heads, long long head, long long stride) {
    const long long token = blockIdx.x;
    const int half = head / 2;
    x += token * stride;
    y += token * heads * head;
    cos += token * head;
    sin += token * head;
    for (int at = threadIdx.x; at < heads * packs(half); at += blockDim.x) {
        const int offset = at / packs(half) * head, start = at % packs(half) * WIDTH;
        float low[WIDTH], high[WIDTH], cos_low[WIDTH], cos_high[WIDTH], sin_low[WIDTH], sin_high[WIDTH];
        load(x + offset, start, half, 0, low);
        load(x + offset + half, start, half, 0, high);
        load(cos, start, half, 0, cos_low);
        load(cos + half, start, half, 0, cos_high);
        load(sin, start, half, 0, sin_low);
        load(sin + half, start, half, 0, sin_high);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            const float a = low[i], b = high[i];
            low[i] = a * cos_low[i] + b * sin_low[i];
            high[i] = b * cos_high[i] + a * sin_high[i];
        }
        store(y + offset, start, half, low);
        store(y + offset + half, start, half, high);
    }
}
