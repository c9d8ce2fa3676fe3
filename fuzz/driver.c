/* driver.c: fuzzing without libFuzzer: seeds and mutations of them, the same ones for the same seed.
 *
 *     fuzz_TARGET [RUNS [SEED]]        default 3000 runs of seed 0
 *     fuzz_TARGET write FOLDER         the corpus as files, for libFuzzer
 * What fails is found again by its number: it is printed before the process ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cotan/base.h"
#include "fuzz.h"

#define MOST_SEEDS 512
#define MOST_BYTES (1 << 16)

typedef struct corpus {
    uint8_t *data[MOST_SEEDS];
    size_t bytes[MOST_SEEDS];
    int count;
    const char *folder;
} corpus;

static char running[64];
static void tell_run(int number) {
    ssize_t ignored = write(STDERR_FILENO, running, strlen(running));
    (void)ignored;
    signal(number, SIG_DFL);
    raise(number);
}

static void add(void *user, const void *data, size_t bytes) {
    corpus *c = user;
    if (c->count == MOST_SEEDS || bytes > MOST_BYTES) return;
    c->data[c->count] = malloc(bytes + 1);
    if (!c->data[c->count]) exit(1);
    if (bytes) memcpy(c->data[c->count], data, bytes);
    c->bytes[c->count++] = bytes;
}

/* One change: a byte, a number, bytes in or out, a piece of another seed. */
static size_t mutate(const corpus *c, ct_random *r, uint8_t *x, size_t n) {
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, ' ', ',', '=', ':', '0', 'x'};
    size_t at = n ? (size_t)ct_random_below(r, n) : 0, k = 1 + (size_t)ct_random_below(r, 8);
    switch (ct_random_below(r, 7)) {
        case 0:
            if (n) x[at] ^= (uint8_t)(1 << ct_random_below(r, 8));
            return n;
        case 1:
            if (n) x[at] = odd[ct_random_below(r, sizeof odd)];
            return n;
        case 2:
            for (size_t i = at; i < n && i < at + 4; i++) x[i] = (uint8_t)(ct_random_u32(r) & 1 ? 0xff : 0);
            return n;
        case 3:
            if (n + k > MOST_BYTES) return n;
            memmove(x + at + k, x + at, n - at);
            for (size_t i = 0; i < k; i++) x[at + i] = (uint8_t)ct_random_u32(r);
            return n + k;
        case 4:
            if (k > n - at) k = n - at;
            memmove(x + at, x + at + k, n - at - k);
            return n - k;
        case 5:
            return n ? at : 0;
        default: {
            int other = (int)ct_random_below(r, (uint64_t)c->count);
            size_t from = c->bytes[other] ? (size_t)ct_random_below(r, c->bytes[other]) : 0,
                   m = c->bytes[other] - from;
            if (m > 64) m = 64;
            if (at + m > MOST_BYTES) return n;
            if (m) memcpy(x + at, c->data[other] + from, m);
            return at + m > n ? at + m : n;
        }
    }
}

static int write_corpus(const corpus *c, const char *folder) {
    for (int i = 0; i < c->count; i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%03d", folder, i);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(c->data[i], 1, c->bytes[i], f) != c->bytes[i] || fclose(f)) return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    static corpus c;
    fuzz_seeds(add, &c);
    if (c.count == 0) return 1;
    if (argc > 2 && strcmp(argv[1], "write") == 0) return write_corpus(&c, argv[2]);
    long runs = argc > 1 ? atol(argv[1]) : 3000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    signal(SIGABRT, tell_run);
    for (long run = 0; run < runs + c.count; run++) {
        ct_random r = ct_random_stream(seed, (uint64_t)run);
        int first = run < c.count ? (int)run : (int)ct_random_below(&r, (uint64_t)c.count);
        size_t n = c.bytes[first];
        uint8_t *x = malloc(MOST_BYTES + 16), *exact;
        if (!x) return 1;
        if (n) memcpy(x, c.data[first], n);
        for (uint64_t k = run < c.count ? 0 : 1 + ct_random_below(&r, 4); k > 0; k--)
            n = mutate(&c, &r, x, n);
        exact = malloc(n ? n : 1); /* a read beyond the end is seen */
        if (!exact) return 1;
        memcpy(exact, x, n);
        free(x);
        snprintf(running, sizeof running, "run %ld of seed %llu\n", run, (unsigned long long)seed);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    printf("%d seeds, %ld runs\n", c.count, runs);
    for (int i = 0; i < c.count; i++) free(c.data[i]);
    return 0;
}
