/* memory.c: the one door to the heap.
 *
 * Every allocation of the library goes through a ct_allocator, so that a test can fail the k-th one and a
 * host program can count or place them. Memory is aligned to a cache line (and to the widest vector) and
 * zeroed: results never depend on what a buffer held before.
 *
 * Big blocks of the default allocator are mapped by themselves and ask for huge pages: with pages of 4 KB a
 * convolution misses the address cache at every row of every plane (docs/decisions.md). */
#include "cotan/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64u
#define HUGE_PAGE ((size_t)2 << 20)
#if defined(__SANITIZE_ADDRESS__)
#define BIG ((size_t)PTRDIFF_MAX) /* the sanitizer watches the heap alone */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BIG ((size_t)PTRDIFF_MAX)
#endif
#endif
#ifndef BIG
#define BIG HUGE_PAGE
#endif

static size_t pages(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

/* Zeroed, at a multiple of HUGE_PAGE; what was mapped around it for that is given back. */
static void *map_big(size_t bytes) {
    size_t want = pages(bytes), all = want + HUGE_PAGE;
    char *base = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)base % HUGE_PAGE) % HUGE_PAGE;
    if (before) munmap(base, before);
    if (all > before + want) munmap(base + before + want, all - before - want);
    madvise(base + before, want, MADV_HUGEPAGE);
    return base + before;
}

/* The hook never sees a size of zero, so that "zero bytes" is a pointer like any other. */
static size_t asked(size_t bytes) { return bytes ? bytes : 1; }

void *ct_new(const ct_allocator *a, size_t bytes) {
    size_t n = asked(bytes);
    void *memory;
    if (n > (size_t)PTRDIFF_MAX - 2 * HUGE_PAGE) return NULL;
    if (a && a->allocate)
        memory = a->allocate(a->user, n);
    else if (n >= BIG)
        return map_big(n);
    else
        memory = aligned_alloc(ALIGNMENT, (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (memory) memset(memory, 0, n);
    return memory;
}

void *ct_new_array(const ct_allocator *a, uint64_t count, uint64_t size) {
    uint64_t bytes;
    if (!ct_mul_ok(count, size, &bytes) || bytes > (uint64_t)PTRDIFF_MAX) return NULL;
    return ct_new(a, (size_t)bytes);
}

void ct_delete(const ct_allocator *a, void *memory, size_t bytes) {
    if (!memory) return;
    if ((!a || !a->allocate) && asked(bytes) >= BIG)
        munmap(memory, pages(bytes));
    else if (!a || !a->allocate)
        free(memory);
    else if (a->release)
        a->release(a->user, memory, asked(bytes));
}

void *ct_resize(const ct_allocator *a, void *memory, size_t old_bytes, size_t bytes) {
    void *fresh = ct_new(a, bytes);
    if (!fresh || !memory) return fresh;
    memcpy(fresh, memory, old_bytes < bytes ? old_bytes : bytes);
    ct_delete(a, memory, old_bytes);
    return fresh;
}
