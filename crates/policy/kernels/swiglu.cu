// SwiGLU: y = gate / (1 + exp(-gate)) * up, where a row holds `wide` gates and then `wide` ups.
//
// The activation is rounded to the element type before it is multiplied, as libtorch's two operations do.
//
// Bound by memory: two elements are read and one is written, 3 sizeof(Element) bytes for each element of y.
#include "common.cuh"

// gridDim.x is the rows, gridDim.y the blocks a row is cut into.
extern "C" __global__ void swiglu(const Element* gate_up, Element* y, long long wide) {
    const long long row = blockIdx.x;
    const int start = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (start >= wide) return;
    gate_up += row * 2 * wide;
    float gate[WIDTH], up[WIDTH];
    load(gate_up, start, wide, 0, gate);
    load(gate_up + wide, start, wide, 0, up);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) gate[i] = widen(narrow(gate[i] / (1 + expf(-gate[i])))) * up[i];
    store(y + row * wide, start, wide, gate);
}
