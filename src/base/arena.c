/* arena.c: allocations that live and die together.
 *
 * A graph is thousands of small records with one lifetime. They are cut from chunks that form a list;
 * freeing is a walk over the chunks. Chunks grow with what is in use, so that their number stays about
 * logarithmic; a request larger than the next chunk gets a chunk of its own. */
#include "cotan/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct ct_arena_chunk {
    struct ct_arena_chunk *next;
    uint64_t bytes; /* of the allocation, this header included */
    uint64_t used;
    uint64_t reserved; /* keeps the header a multiple of 16 */
} ct_arena_chunk;

#define FIRST_CHUNK 4096u
#define LARGEST_STEP (UINT64_C(1) << 20)

/* A chunk with room for `bytes`, put in front; when the request is large the old front keeps its place, as
 * it still has room for small ones. */
static ct_arena_chunk *chunk_new(ct_arena *a, uint64_t bytes) {
    uint64_t step = a->bytes < FIRST_CHUNK ? FIRST_CHUNK : a->bytes < LARGEST_STEP ? a->bytes : LARGEST_STEP;
    uint64_t total = sizeof(ct_arena_chunk) + bytes;
    int large = total > step;
    if (!large) total = step;
    if (total > (uint64_t)PTRDIFF_MAX) return NULL;
    ct_arena_chunk *c = ct_new(a->allocator, (size_t)total);
    if (!c) return NULL;
    c->bytes = total;
    c->used = sizeof *c;
    a->bytes += total;
    if (large && a->chunk) {
        c->next = a->chunk->next;
        a->chunk->next = c;
    } else {
        c->next = a->chunk;
        a->chunk = c;
    }
    return c;
}

void *ct_arena_new(ct_arena *a, uint64_t bytes) {
    if (bytes > (uint64_t)PTRDIFF_MAX / 2) return NULL;
    uint64_t wanted = bytes ? (bytes + 15) / 16 * 16 : 16;
    ct_arena_chunk *c = a->chunk;
    if (!c || c->bytes - c->used < wanted) c = chunk_new(a, wanted);
    if (!c) return NULL;
    void *memory = (char *)c + c->used;
    c->used += wanted;
    return memory;
}

void *ct_arena_array(ct_arena *a, uint64_t count, uint64_t size) {
    uint64_t bytes;
    return ct_mul_ok(count, size, &bytes) ? ct_arena_new(a, bytes) : NULL;
}

char *ct_arena_text(ct_arena *a, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = ct_arena_new(a, bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *ct_arena_format(ct_arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) return NULL;
    char *text = ct_arena_new(a, (uint64_t)n + 1);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

void ct_arena_free(ct_arena *a) {
    ct_arena_chunk *c = a->chunk;
    while (c) {
        ct_arena_chunk *next = c->next;
        ct_delete(a->allocator, c, (size_t)c->bytes);
        c = next;
    }
    a->chunk = NULL;
    a->bytes = 0;
}
