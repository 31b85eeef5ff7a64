// Latencies by count, in buckets that are at most 0.8 % wide, so that any number of samples takes the same 60 KiB.

#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <string.h>

enum {
    // Each power of two is cut into 128 buckets; values below 256 have a bucket each.
    SUB_BUCKET_BITS = 7,
    SUB_BUCKETS = 1 << SUB_BUCKET_BITS,
    BUCKETS = (64 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS,
};

struct histogram {
    uint64_t total;
    uint64_t counts[BUCKETS];
};

static inline void histogram_clear(struct histogram *histogram) {
    memset(histogram, 0, sizeof *histogram);
}

static inline unsigned histogram_bucket(uint64_t value) {
    if (value < SUB_BUCKETS) {
        return (unsigned)value;
    }
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - SUB_BUCKET_BITS;
    // `value >> shift` is in [SUB_BUCKETS, 2 * SUB_BUCKETS): its leading one adds the power of two's first row.
    return shift * SUB_BUCKETS + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->counts[histogram_bucket(value)] += 1;
    histogram->total += 1;
}

// The smallest value of the bucket that holds the given share (0 to 1) of the samples.
static inline uint64_t histogram_quantile(const struct histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)(share * (double)histogram->total);
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > wanted) {
            if (bucket < SUB_BUCKETS) {
                return bucket;
            }
            unsigned shift = bucket / SUB_BUCKETS - 1;
            return (uint64_t)(bucket - shift * SUB_BUCKETS) << shift;
        }
    }
    return 0;
}

#endif
