// Attention of one new token per row over its prompt, which rows share, and its own response, in one softmax.
//
// Keys are cut into chunks. `attend` gives each (query, chunk) a partial result with its maximum and sum; `combine` adds
// them up. A block holds a chunk of a prompt against all rows that share the prompt, a row for each warp, so those keys
// and values come from DRAM once and from the L1 cache for every further row; each row's own come once.
//
// Bound: 2 HEAD sizeof(Element) bytes for a key and its value, against 4 HEAD operations for each query on it. A response
// has few queries on a key and is bound by memory. A prompt has rows * queries of them, and from about twenty in bf16 on
// the f32 units are the limit.
//
// Compiled for HEAD, the width of a head, and QUERIES, the queries on the same key head that a warp holds.
#include "common.cuh"

constexpr int WARPS = 8;
constexpr int HEAD_PACKS = HEAD / WIDTH;
static_assert(HEAD % WIDTH == 0, "a head is a multiple of 16 bytes");

__device__ constexpr int power_of_two(int n) { return n <= 1 ? 1 : 2 * power_of_two((n + 1) / 2); }

// Lanes that share a key, packs that each has of it, keys that a warp looks at together, and how often before it moves on.
constexpr int GROUP = power_of_two(HEAD_PACKS) < WARP ? power_of_two(HEAD_PACKS) : WARP;
constexpr int LANE_PACKS = (HEAD_PACKS + GROUP - 1) / GROUP;
constexpr int LANE_WIDTH = LANE_PACKS * WIDTH;
constexpr int KEYS = WARP / GROUP;
constexpr int STEPS = 4;

// This lane's part of a head; 0 where it has none.
__device__ inline void load_head(const Element* head, float (&x)[LANE_WIDTH]) {
#pragma unroll
    for (int i = 0; i < LANE_PACKS; ++i) {
        const int pack = i * GROUP + threadIdx.x % GROUP;
        float part[WIDTH] = {};
        if (pack < HEAD_PACKS) load_aligned(head + pack * WIDTH, part);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j) x[i * WIDTH + j] = part[j];
    }
}

// The running softmax of one query: values weighted by 2^(score - max), and the sum of the weights.
struct Partial {
    float max, sum, values[LANE_WIDTH];

    __device__ void rise(float to) {
        const float factor = exp2f(max - to);
        sum *= factor;
#pragma unroll
        for (int i = 0; i < LANE_WIDTH; ++i) values[i] *= factor;
        max = to;
    }

    // Adds what the other groups of lanes saw.
    __device__ void merge() {
#pragma unroll
        for (int offset = GROUP; offset < WARP; offset *= 2) {
            rise(fmaxf(max, __shfl_xor_sync(ALL_LANES, max, offset)));
            // Both lanes have risen to the same maximum, so their sums and values may be added.
            sum += __shfl_xor_sync(ALL_LANES, sum, offset);
#pragma unroll
            for (int i = 0; i < LANE_WIDTH; ++i) values[i] += __shfl_xor_sync(ALL_LANES, values[i], offset);
        }
    }

    __device__ void write(float* out, float2* total) const {
        const int lane = threadIdx.x % WARP;
        if (lane == 0) *total = {max, sum};
#pragma unroll
        for (int i = 0; i < LANE_WIDTH; i += 4) {
            const int at = (i / WIDTH * GROUP + lane) * WIDTH + i % WIDTH;
            if (lane < GROUP && at < HEAD)
                *reinterpret_cast<float4*>(out + at) = {values[i], values[i + 1], values[i + 2], values[i + 3]};
        }
    }
};

// What the results of one launch are laid out by.
struct Shape {
    long long rows, kv_heads, tiles, prompts, slots, capacity, prompt_chunk, own_chunk;

    __device__ int prompt_parts() const { return (slots + prompt_chunk - 1) / prompt_chunk; }
    __device__ int own_parts() const { return (capacity + own_chunk - 1) / own_chunk; }
    __device__ int parts() const { return prompt_parts() + own_parts(); }
    __device__ int heads() const { return kv_heads * tiles * QUERIES; }
};

// Keys and values from .. to of one key head.
struct Chunk {
    const Element *keys, *values;
    int from, to;
};

// Scores of key `key` for all queries, in every lane of the group.
__device__ inline void score_key(const Element* keys, int key, const float (&q)[QUERIES][LANE_WIDTH],
                                 float (&scores)[QUERIES]) {
    float k[LANE_WIDTH];
    load_head(keys + static_cast<long long>(key) * HEAD, k);
#pragma unroll
    for (int query = 0; query < QUERIES; ++query) {
        float dot = 0;
#pragma unroll
        for (int i = 0; i < LANE_WIDTH; ++i) dot += q[query][i] * k[i];
#pragma unroll
        for (int offset = GROUP / 2; offset > 0; offset /= 2) dot += __shfl_xor_sync(ALL_LANES, dot, offset);
        scores[query] = dot;
    }
}

// One warp: the QUERIES queries at q over a chunk. `out` and `totals` are `stride` parts apart.
__device__ inline void attend_chunk(const Element* queries, Chunk chunk, float* out, float2* totals, int stride) {
    // Scores are in units of ln 2, so that 2^x stands for e^x.
    const float scale = LOG2_E / sqrtf(HEAD);
    float q[QUERIES][LANE_WIDTH];
    Partial partials[QUERIES];
#pragma unroll
    for (int query = 0; query < QUERIES; ++query) {
        load_head(queries + query * HEAD, q[query]);
        partials[query] = {LOWEST, 0, {}};
#pragma unroll
        for (int i = 0; i < LANE_WIDTH; ++i) q[query][i] *= scale;
    }
    for (int first = chunk.from; first < chunk.to; first += KEYS * STEPS) {
        const int own = first + threadIdx.x % WARP / GROUP;
        float scores[STEPS][QUERIES];
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            const int key = own + step * KEYS;
            score_key(chunk.keys, min(key, chunk.to - 1), q, scores[step]);
            // Behind the end the last key stands in, without weight.
            if (key >= chunk.to)
#pragma unroll
                for (int query = 0; query < QUERIES; ++query) scores[step][query] = negative_infinity();
        }
#pragma unroll
        for (int query = 0; query < QUERIES; ++query) {
            float top = partials[query].max;
#pragma unroll
            for (int step = 0; step < STEPS; ++step) top = fmaxf(top, scores[step][query]);
            if (top > partials[query].max) partials[query].rise(top);
        }
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            float v[LANE_WIDTH];
            load_head(chunk.values + static_cast<long long>(min(own + step * KEYS, chunk.to - 1)) * HEAD, v);
#pragma unroll
            for (int query = 0; query < QUERIES; ++query) {
                const float weight = exp2f(scores[step][query] - partials[query].max);
                partials[query].sum += weight;
#pragma unroll
                for (int i = 0; i < LANE_WIDTH; ++i) partials[query].values[i] += weight * v[i];
            }
        }
    }
#pragma unroll
    for (int query = 0; query < QUERIES; ++query) {
        partials[query].merge();
        partials[query].write(out + static_cast<long long>(query) * stride * HEAD, totals + query * stride);
    }
}

// gridDim.x is the chunks of prompts and then, by WARPS, those of responses; gridDim.y the key heads times the tiles that
// their queries are cut into.
extern "C" __global__ void __launch_bounds__(WARPS* WARP)
    attend(const Element* q, const Element* prompt_keys, const Element* prompt_values, const long long* prompt_lens,
           const long long* prompt_of, const Element* own_keys, const Element* own_values, const long long* own_lens,
           float* out, float2* totals, Shape shape) {
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int kv_head = blockIdx.y / shape.tiles;
    const auto attend_part = [&](long long row, int part, Chunk chunk) {
        const long long query = (row * gridDim.y + blockIdx.y) * QUERIES, at = query * shape.parts() + part;
        attend_chunk(q + query * HEAD, chunk, out + at * HEAD, totals + at, shape.parts());
    };
    const int prompt_parts = shape.prompt_parts(), prompt_blocks = shape.prompts * prompt_parts;
    if (blockIdx.x < prompt_blocks) {
        const int prompt = blockIdx.x / prompt_parts, part = blockIdx.x % prompt_parts;
        const long long head = (prompt * shape.kv_heads + kv_head) * shape.slots * HEAD;
        const int from = part * shape.prompt_chunk, to = min(from + shape.prompt_chunk, prompt_lens[prompt]);
        // Nothing is written for a part without keys, and `combine` does not read it.
        if (from >= to) return;
        int member = 0;
        for (int first = 0; first < shape.rows; first += WARP) {
            const int row = first + lane;
            // Every warp finds all rows of the prompt; they take them in turns.
            unsigned members = __ballot_sync(ALL_LANES, row < shape.rows && prompt_of[row] == prompt);
            for (; members != 0; members &= members - 1, ++member)
                if (member % WARPS == warp)
                    attend_part(first + __ffs(members) - 1, part, {prompt_keys + head, prompt_values + head, from, to});
        }
    } else {
        const int own_blocks = (shape.own_parts() + WARPS - 1) / WARPS, block = blockIdx.x - prompt_blocks;
        const long long row = block / own_blocks;
        const int part = block % own_blocks * WARPS + warp;
        const long long head = (row * shape.kv_heads + kv_head) * shape.capacity * HEAD;
        const int from = part * shape.own_chunk, to = min(from + shape.own_chunk, own_lens[row]);
        if (from >= to) return;
        attend_part(row, prompt_parts + part, {own_keys + head, own_values + head, from, to});
    }
}

// A warp for each query: the parts that hold keys, weighted by what their maxima are short of the greatest.
extern "C" __global__ void __launch_bounds__(WARPS* WARP)
    combine(const float* parts, const float2* totals, const long long* prompt_lens, const long long* prompt_of,
            const long long* own_lens, Element* y, Shape shape) {
    const int lane = threadIdx.x % WARP;
    const long long query = static_cast<long long>(blockIdx.x) * WARPS + threadIdx.x / WARP;
    if (query >= shape.rows * shape.heads()) return;
    const long long row = query / shape.heads();
    parts += query * shape.parts() * HEAD;
    totals += query * shape.parts();
    const int prompt_parts = (prompt_lens[prompt_of[row]] + shape.prompt_chunk - 1) / shape.prompt_chunk;
    const int count = prompt_parts + (own_lens[row] + shape.own_chunk - 1) / shape.own_chunk;
    // Results are laid out for the longest prompt; parts beyond the end of this one were never written.
    const auto place = [&](int i) { return i < prompt_parts ? i : shape.prompt_parts() + i - prompt_parts; };

    float max = LOWEST;
    for (int i = 0; i < count; ++i) max = fmaxf(max, totals[place(i)].x);
    float sum = 0, values[(HEAD + WARP - 1) / WARP] = {};
    for (int i = 0; i < count; ++i) {
        const float weight = exp2f(totals[place(i)].x - max);
        sum += weight * totals[place(i)].y;
#pragma unroll
        for (int j = 0; j < (HEAD + WARP - 1) / WARP; ++j)
            if (j * WARP + lane < HEAD) values[j] += weight * parts[place(i) * HEAD + j * WARP + lane];
    }
#pragma unroll
    for (int j = 0; j < (HEAD + WARP - 1) / WARP; ++j)
        if (j * WARP + lane < HEAD) y[query * HEAD + j * WARP + lane] = narrow(values[j] / sum);
}
