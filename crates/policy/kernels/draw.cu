// One token per row from softmax(logits / T): the first whose cumulative probability, in the order of the vocabulary,
// exceeds the row's uniform number. T = 0 takes the greatest logit, the first of equals.
//
// Bound by memory: sizeof(Element) bytes per logit. One pass gives each of 16 parts of the row its sum; then only the part
// with the token in it is looked at, cut in 16 again, and then only one part of that, token by token. The cuts depend on
// the vocabulary alone, so neither batch nor place of a row changes a draw.
#include "common.cuh"

constexpr int PARTS = 16;
// Above every sum.
constexpr float BEYOND = 3.402823466e38f;

// Packs from .. to of a row.
struct Span {
    int from, to;

    __device__ Span part(int index) const {
        const int size = (to - from + PARTS - 1) / PARTS;
        const int start = min(from + index * size, to);
        return {start, min(start + size, to)};
    }
};

struct Row {
    const Element* logits;
    int vocab;
    // log2(e) / T.
    float scale;
    bool greedy;
    float max;

    __device__ void load(int pack, float (&x)[WIDTH]) const {
        ::load(logits, pack * WIDTH, vocab, negative_infinity(), x);
    }

    // Probability of a logit, up to a factor that all share.
    __device__ float weight(float x) const {
        return greedy ? (x == max ? 1.f : 0.f) : exp2f((x - max) * scale);
    }
};

// Greatest logit of a span, and the sum of exp((x - max) / T); over the lanes of a warp.
__device__ inline float2 online_sum(const Row& row, Span span) {
    float max = LOWEST, sum = 0;
    for (int pack = span.from + threadIdx.x % WARP; pack < span.to; pack += WARP) {
        float x[WIDTH], top = max;
        row.load(pack, x);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) top = fmaxf(top, x[i]);
        sum *= exp2f((max - top) * row.scale);
        max = top;
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) sum += exp2f((x[i] - max) * row.scale);
    }
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        const float top = fmaxf(max, __shfl_xor_sync(ALL_LANES, max, offset));
        sum *= exp2f((max - top) * row.scale);
        max = top;
        sum += __shfl_xor_sync(ALL_LANES, sum, offset);
    }
    return {max, sum};
}

__device__ inline float weight_sum(const Row& row, Span span) {
    float sum = 0;
    for (int pack = span.from + threadIdx.x % WARP; pack < span.to; pack += WARP) {
        float x[WIDTH];
        row.load(pack, x);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) sum += row.weight(x[i]);
    }
    return warp_sum(sum);
}

// The part that `level` falls into, and what of the level is left to it. Parts without weight are never taken; where
// rounding puts the level above the sum of all, the last one with weight is.
__device__ inline int pick(const float* weights, float& level) {
    int last = 0;
    for (int i = 0; i < PARTS; ++i) {
        // Written so that NaN is passed over too: the host rejects the row by its log-probability.
        if (!(weights[i] > 0)) continue;
        if (level < weights[i]) return i;
        level -= weights[i];
        last = i;
    }
    level = BEYOND;
    return last;
}

// The token of a span that `level` falls into, by one warp; the last one with weight where rounding put it above all.
__device__ inline int walk(const Row& row, Span span, float level) {
    const int lane = threadIdx.x % WARP;
    float before = 0;
    int last = 0;
    for (int first = span.from; first < span.to; first += WARP) {
        const int pack = first + lane;
        float weights[WIDTH], upto = 0;
        row.load(pack, weights);
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            weights[i] = pack < span.to ? row.weight(weights[i]) : 0.f;
            upto += weights[i];
        }
#pragma unroll
        for (int offset = 1; offset < WARP; offset *= 2) {
            const float left = __shfl_up_sync(ALL_LANES, upto, offset);
            if (lane >= offset) upto += left;
        }
        const float left = __shfl_up_sync(ALL_LANES, upto, 1);
        float cumulative = before + (lane > 0 ? left : 0.f);
        int hit = -1, positive = -1;
#pragma unroll
        for (int i = 0; i < WIDTH; ++i) {
            if (!(weights[i] > 0)) continue;
            cumulative += weights[i];
            positive = pack * WIDTH + i;
            if (hit < 0 && cumulative > level) hit = positive;
        }
        const unsigned hits = __ballot_sync(ALL_LANES, hit >= 0);
        if (hits) return __shfl_sync(ALL_LANES, hit, __ffs(hits) - 1);
        const unsigned positives = __ballot_sync(ALL_LANES, positive >= 0);
        if (positives) last = __shfl_sync(ALL_LANES, positive, WARP - 1 - __clz(positives));
        before += __shfl_sync(ALL_LANES, upto, WARP - 1);
    }
    return last;
}

// A block for each row, a warp for each part.
extern "C" __global__ void __launch_bounds__(PARTS* WARP)
    draw(const Element* logits, const float* uniform, long long* ids, float* log_probs, long long vocab,
         double temperature) {
    __shared__ float maxima[PARTS], sums[PARTS], weights[PARTS];
    const int warp = threadIdx.x / WARP;
    const bool greedy = temperature == 0;
    const float inverse = greedy ? 1.f : 1 / static_cast<float>(temperature);
    Row row = {logits + blockIdx.x * vocab, static_cast<int>(vocab), inverse * LOG2_E, greedy, LOWEST};
    const Span whole = {0, packs(vocab)};

    const float2 online = online_sum(row, whole.part(warp));
    if (threadIdx.x % WARP == 0) {
        maxima[warp] = online.x;
        sums[warp] = online.y;
    }
    __syncthreads();
    for (int i = 0; i < PARTS; ++i) row.max = fmaxf(row.max, maxima[i]);
    float sum = 0;
    for (int i = 0; i < PARTS; ++i) {
        const float part = sums[i] * exp2f((maxima[i] - row.max) * row.scale);
        // Greedy, a part weighs 1 where it has the maximum, and the level 0 falls into the first of those.
        if (threadIdx.x == 0) weights[i] = greedy ? row.weight(maxima[i]) : part;
        sum += part;
    }
    __syncthreads();

    // The barrier was for `sums` too: every thread has read them before they are overwritten below.
    float level = greedy ? 0.f : uniform[blockIdx.x] * sum;
    const Span outer = whole.part(pick(weights, level));
    const float weight = weight_sum(row, outer.part(warp));
    if (threadIdx.x % WARP == 0) sums[warp] = weight;
    __syncthreads();
    if (warp != 0) return;
    const Span inner = outer.part(pick(sums, level));
    const int id = walk(row, inner, level);
    if (threadIdx.x != 0) return;
    ids[blockIdx.x] = id;
    log_probs[blockIdx.x] = (widen(row.logits[id]) - row.max) * inverse - logf(sum);
}
