/* meter.h: an allocator that counts, fails where it is told, fills what it gives, and notices a release of another
 * size than was taken. */
#ifndef TESTS_METER_H
#define TESTS_METER_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/base.h"

typedef struct meter {
    pthread_mutex_t lock;
    int64_t calls, fail_at; /* -1: never */
    int persistent;         /* 1: from there on */
    int64_t live, live_bytes, most_bytes;
} meter;
#define METER \
    { .lock = PTHREAD_MUTEX_INITIALIZER, .fail_at = -1 }

static void *meter_take(void *user, size_t bytes) {
    meter *m = user;
    pthread_mutex_lock(&m->lock);
    int64_t call = m->calls++;
    int fail = m->fail_at >= 0 && (m->persistent ? call >= m->fail_at : call == m->fail_at);
    char *p = fail ? NULL : aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (p) {
        memcpy(p, &bytes, sizeof bytes); /* what meter_give has to name again */
        p += 64;
        memset(p, 0xFF, bytes); /* NaN to whoever reads it before writing */
        m->live++;
        m->live_bytes += (int64_t)bytes;
        if (m->live_bytes > m->most_bytes) m->most_bytes = m->live_bytes;
    }
    pthread_mutex_unlock(&m->lock);
    return p;
}
static void meter_give(void *user, void *memory, size_t bytes) {
    meter *m = user;
    pthread_mutex_lock(&m->lock);
    m->live--;
    m->live_bytes -= (int64_t)bytes;
    pthread_mutex_unlock(&m->lock);
    size_t own;
    memcpy(&own, (char *)memory - 64, sizeof own);
    if (own != bytes) abort();
    free((char *)memory - 64);
}
static inline ct_allocator meter_hook(meter *m) { return (ct_allocator){meter_take, meter_give, m}; }

#endif
