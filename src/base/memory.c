/* memory.c: the one door to the heap.
 *
 * Every allocation of the library goes through a ct_allocator, so that a test can fail the k-th one and a
 * host program can count or place them. Memory is aligned to a cache line (and to the widest vector) and
 * zeroed: results never depend on what a buffer held before. */
#include "cotan/base.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u

/* The hook never sees a size of zero, so that "zero bytes" is a pointer like any other. */
static size_t asked(size_t bytes) { return bytes ? bytes : 1; }

void *ct_new(const ct_allocator *a, size_t bytes) {
    size_t n = asked(bytes);
    void *memory;
    if (n > (size_t)PTRDIFF_MAX - ALIGNMENT) return NULL;
    if (a && a->allocate)
        memory = a->allocate(a->user, n);
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
    if (!a || !a->allocate)
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
