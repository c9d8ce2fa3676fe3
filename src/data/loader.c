/* loader.c: batches in a fixed order, read ahead by threads.
 *
 * Batches of all epochs form one sequence. A ring of slots holds the next ones: a reader claims the next
 * number under the lock, notes its records (claims are in order, so only the current epoch's permutation is
 * kept), fills the slot without the lock, and marks it ready. ct_next hands slots out in order. Which thread
 * fills which slot changes nothing. */
#include <pthread.h>
#include <string.h>

#include "cotan/data.h"
#include "data/order.h"

#define MAX_THREADS 64

enum { FREE, FILLING, READY };

typedef struct slot {
    int32_t state;
    ct_batch batch;
    void *field[CT_MAX_FIELDS];
    int64_t *record;
    ct_err error;
} slot;

struct ct_loader {
    const ct_allocator *allocator;
    ct_source source;
    ct_loader_options o;
    int64_t batches, rows; /* of an epoch; the most that a batch has */
    ct__order order;
    int64_t claimed, given; /* numbers in the sequence */
    int64_t epoch_given;    /* whose end has not been told */
    int64_t epoch_asked;    /* of which a batch was asked for; evaluation reads no further */
    uint64_t bytes[CT_MAX_FIELDS];
    slot *slot;
    int32_t slots, threads, stop, held;
    pthread_t thread[MAX_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t ready, room;
};

/* Under the lock: note what the next slot holds. */
static slot *claim(ct_loader *l) {
    slot *s = &l->slot[l->claimed % l->slots];
    if (s->state != FREE) return NULL;
    if (l->o.evaluate && l->claimed / l->batches > l->epoch_asked) return NULL;
    int64_t epoch = l->claimed / l->batches, position = l->claimed % l->batches,
            first = position * l->o.batch;
    int64_t rows = l->source.count - first < l->o.batch ? l->source.count - first : l->o.batch;
    ct__order_epoch(&l->order, epoch);
    for (int64_t r = 0; r < rows; r++) s->record[r] = ct__order_record(&l->order, first + r);
    s->batch.rows = rows;
    s->batch.epoch = epoch;
    s->batch.position = position;
    s->state = FILLING;
    l->claimed++;
    return s;
}

static void fill(ct_loader *l, slot *s) {
    ct_status status = CT_OK;
    for (int64_t r = 0; r < s->batch.rows && !status; r++) {
        void *out[CT_MAX_FIELDS];
        for (int32_t i = 0; i < l->source.fields; i++)
            out[i] = (char *)s->field[i] + (uint64_t)r * l->bytes[i];
        status = l->source.read(l->source.user, s->record[r], l->o.evaluate ? -1 : s->batch.epoch, l->o.seed,
                                out, &s->error);
    }
    if (status && !s->error.status) ct_fail(&s->error, status, "data: reading failed without a text");
}

static void *reader(void *data) {
    ct_loader *l = data;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        slot *s = claim(l);
        if (!s) {
            pthread_cond_wait(&l->room, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        fill(l, s);
        pthread_mutex_lock(&l->lock);
        s->state = READY;
        pthread_cond_broadcast(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static int slot_new(ct_loader *l, slot *s) {
    for (int32_t i = 0; i < l->source.fields; i++) {
        uint64_t bytes = 0;
        if (!ct_mul_ok(l->bytes[i], (uint64_t)l->rows, &bytes)) return 0;
        s->field[i] = ct_new(l->allocator, bytes + 64);
        if (!s->field[i]) return 0;
        s->batch.field[i] = s->field[i];
    }
    s->record = ct_new_array(l->allocator, (uint64_t)l->rows, sizeof *s->record);
    s->batch.record = s->record;
    return s->record != NULL;
}

static int64_t batches_of(const ct_source *s, const ct_loader_options *o) {
    return s->count / o->batch + (!o->drop_last && s->count % o->batch != 0);
}

static ct_status check(const ct_source *s, const ct_loader_options *o, ct_err *e) {
    if (s->fields < 1 || s->fields > CT_MAX_FIELDS || !s->read)
        return ct_fail(e, CT_EUSAGE, "data: a source of %d fields; wanted 1 to %d, and its read function",
                       s->fields, CT_MAX_FIELDS);
    if (s->count < 1)
        return ct_fail(e, CT_EDATA,
                       "data: 0 records; wanted at least one; give a data set that is not empty");
    if (o->batch < 1 || o->batch > INT32_MAX)
        return ct_fail(e, CT_EUSAGE, "loader: batch is %lld; wanted 1 to 2147483647; give another",
                       (long long)o->batch);
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return ct_fail(e, CT_EUSAGE, "loader: %d threads; wanted 0 to %d; give fewer", o->threads,
                       MAX_THREADS);
    if (o->drop_last && s->count < o->batch)
        return ct_fail(e, CT_EUSAGE,
                       "loader: %lld records do not fill a batch of %lld; wanted one full batch at least; "
                       "make the batch "
                       "smaller, or do not drop the last",
                       (long long)s->count, (long long)o->batch);
    if (o->epoch < 0 || o->position < 0 || o->epoch > INT64_MAX / 2 / s->count ||
        o->position > batches_of(s, o))
        return ct_fail(e, CT_EUSAGE,
                       "loader: epoch %lld, position %lld; wanted none below 0, and a position up to %lld",
                       (long long)o->epoch, (long long)o->position, (long long)batches_of(s, o));
    return CT_OK;
}

static void start_readers(ct_loader *l) {
    ct_signals old;
    if (!ct_signals_block(&old)) return;
    while (l->threads < l->o.threads && pthread_create(&l->thread[l->threads], NULL, reader, l) == 0)
        l->threads++;
    ct_signals_restore(&old);
}

ct_status ct_loader_new(const ct_allocator *a, const ct_source *s, ct_loader_options o, ct_loader **out,
                        ct_err *e) {
    if (o.batch == 0) o.batch = 64;
    ct_status status = check(s, &o, e);
    if (status) return status;
    ct_loader *l = ct_new(a, sizeof *l);
    if (!l) return ct_fail(e, CT_ELIMIT, "loader: out of memory");
    l->allocator = a;
    l->source = *s;
    l->o = o;
    l->batches = batches_of(s, &o);
    l->rows = o.batch < s->count ? o.batch : s->count;
    l->claimed = l->given = o.epoch * l->batches + o.position;
    l->epoch_asked = l->epoch_given = l->given / l->batches;
    l->slots = o.threads ? o.threads + 2 : 1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->ready, NULL);
    pthread_cond_init(&l->room, NULL);
    l->slot = ct_new_array(a, (uint64_t)l->slots, sizeof *l->slot);
    int ok = ct__order_open(&l->order, a, s->count, o.shuffle, o.seed) && l->slot;
    for (int32_t i = 0; ok && i < s->fields; i++) {
        uint64_t count = 0;
        ok = ct_shape_count(&s->field[i].shape, 1, &count) &&
             ct_mul_ok(count, ct_dtype_size((ct_dtype)s->field[i].dtype), &l->bytes[i]);
    }
    for (int32_t i = 0; ok && i < l->slots; i++) ok = slot_new(l, &l->slot[i]);
    if (ok) start_readers(l);
    if (!ok) {
        ct_loader_free(l);
        return ct_fail(e, CT_ELIMIT, "loader: out of memory for batches of %lld", (long long)o.batch);
    }
    *out = l;
    return CT_OK;
}

void ct_loader_free(ct_loader *l) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = 1;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->threads; i++) pthread_join(l->thread[i], NULL);
    for (int32_t i = 0; l->slot && i < l->slots; i++) {
        for (int32_t k = 0; k < l->source.fields; k++)
            ct_delete(l->allocator, l->slot[i].field[k], l->bytes[k] * (uint64_t)l->rows + 64);
        ct_delete(l->allocator, l->slot[i].record, (size_t)l->rows * sizeof(int64_t));
    }
    ct_delete(l->allocator, l->slot, (size_t)l->slots * sizeof *l->slot);
    ct__order_close(&l->order);
    pthread_cond_destroy(&l->ready);
    pthread_cond_destroy(&l->room);
    pthread_mutex_destroy(&l->lock);
    ct_delete(l->allocator, l, sizeof *l);
}

int64_t ct_loader_batches(const ct_loader *l) { return l->batches; }

static slot *wait_ready(ct_loader *l) {
    slot *s = &l->slot[l->given % l->slots];
    if (l->threads == 0 && s->state == FREE) {
        claim(l);
        fill(l, s);
        s->state = READY;
    }
    while (s->state != READY) pthread_cond_wait(&l->ready, &l->lock);
    return s;
}

ct_status ct_next(ct_loader *l, ct_batch *out, ct_err *e) {
    ct_status status = CT_OK;
    pthread_mutex_lock(&l->lock);
    if (l->held) { /* the caller is done with the batch before */
        l->slot[(l->given - 1) % l->slots].state = FREE;
        l->held = 0;
        pthread_cond_broadcast(&l->room);
    }
    if (l->epoch_asked < l->epoch_given) {
        l->epoch_asked = l->epoch_given;
        pthread_cond_broadcast(&l->room);
    }
    if (l->given / l->batches != l->epoch_given) {
        *out = (ct_batch){.epoch = l->epoch_given++};
    } else {
        slot *s = wait_ready(l);
        if (s->error.status) {
            status = (ct_status)s->error.status;
            if (e && !e->status) *e = s->error;
        } else {
            *out = s->batch;
            l->given++;
            l->held = 1;
        }
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}
