/* states.c: the states of a session: carried hidden states and caches.
 *
 * A state is declared in the graph like any variable; its values live in the session, made at the first run that
 * reads it. Where its first extent is N it has a row for each sample, and the first run fixes how many: another
 * batch size is refused until the session is reset, since rows belong to somebody. */
#include <string.h>

#include "op/common.h"
#include "plan/plan.h"

ct_status ct__states_reserve(ct_session *s, ct_err *e) {
    const ct_ctx *c = s->ctx;
    if (s->states >= c->vars) return CT_OK;
    ct__state *state = ct_resize(&c->allocator, s->state, (size_t)s->states * sizeof *state,
                                 (size_t)c->vars * sizeof *state);
    if (!state) return ct_fail(e, CT_ELIMIT, "session: out of memory");
    s->state = state;
    s->states = c->vars;
    return CT_OK;
}

/* Bytes of a state with so many samples, 0: more than fits. */
uint64_t ct__state_bytes(const ct__var *v, int64_t rows) {
    uint64_t count, bytes;
    if (!ct_shape_count(&v->shape, rows, &count) || count > CT__VALUE_BYTES / 8) return 0;
    bytes = (count + 63) / 64 * 64 * ct_dtype_size((ct_dtype)v->dtype);
    return bytes ? bytes : 64;
}

static ct_status fill(ct_ctx *c, const ct__var *v, ct__state *s) {
    memset(s->data, 0, s->bytes);
    if (v->dtype != CT_F32) return CT_OK;
    ct__var one = *v;
    ct_shape_count(&v->shape, s->rows, &one.count);
    ct__var_draw(&one, c->options.seed, s->data);
    return CT_OK;
}

/* Room for `rows` samples, initial values when it is new or was reset. */
ct_status ct__state_prepare(ct_session *s, const ct__var *v, int64_t rows, ct_err *e) {
    ct__state *k = &s->state[v->index];
    int per_sample = ct__batch_axis(&v->shape) == 0;
    if (!per_sample) rows = 0;
    if (k->live && k->rows == rows) return CT_OK;
    if (k->live)
        return ct_fail(
            e, CT_EUSAGE,
            "state \"%s\": holds %lld samples, the batch has %lld; wanted as many; reset the session first",
            v->name, (long long)k->rows, (long long)rows);
    uint64_t bytes = ct__state_bytes(v, rows);
    if (!bytes)
        return ct_fail(e, CT_ELIMIT, "state \"%s\": too large for %lld samples", v->name, (long long)rows);
    if (!k->data || k->bytes < bytes) {
        ct_delete(&s->ctx->allocator, k->data, k->bytes);
        *k = (ct__state){.data = ct_new(&s->ctx->allocator, bytes), .bytes = bytes};
        if (!k->data)
            return ct_fail(e, CT_ELIMIT, "state \"%s\": out of memory for %llu bytes", v->name,
                           (unsigned long long)bytes);
    }
    k->rows = rows;
    k->live = 1;
    return fill(s->ctx, v, k);
}

static ct_status find(ct_session *s, const char *name, ct__var **v, ct_err *e) {
    *v = ct__var_lookup(s->ctx, name);
    if (!*v || (*v)->kind != CT_STATE)
        return ct_fail(e, CT_EUSAGE, "state \"%.200s\": there is none of that name", name);
    return ct__states_reserve(s, e);
}

ct_status ct_state_info(ct_session *s, const char *name, ct_var_info *out, ct_err *e) {
    ct__var *v;
    ct_status status = find(s, name, &v, e);
    if (status) return status;
    const ct__state *k = &s->state[v->index];
    if (!k->live)
        return ct_fail(e, CT_EUSAGE, "state \"%s\": has no values yet; wanted a run before, or ct_state_set",
                       v->name);
    *out = (ct_var_info){.name = v->name, .shape = v->shape, .dtype = v->dtype, .kind = v->kind};
    if (ct__batch_axis(&v->shape) == 0) out->shape.dim[0] = -v->shape.dim[0] * k->rows;
    ct_shape_count(&v->shape, k->rows, &out->count);
    return CT_OK;
}

static ct_status same_type(const ct__var *v, const ct_shape *shape, const ct_array *a, ct_err *e) {
    char have[CT_SHAPE_TEXT], want[CT_SHAPE_TEXT];
    ct_shape given = ct_shape_make(a->rank, a->dim);
    if (a->dtype == v->dtype && ct_shape_equal(&given, shape)) return CT_OK;
    return ct_fail(e, CT_EDATA, "state \"%s\": given %s %s; wanted %s %s", v->name,
                   ct_dtype_name((ct_dtype)a->dtype), ct_shape_format(&given, have),
                   ct_dtype_name((ct_dtype)v->dtype), ct_shape_format(shape, want));
}

ct_status ct_state_get(ct_session *s, const char *name, ct_array *out, ct_err *e) {
    ct_var_info info;
    ct__var *v;
    ct_status status = ct_state_info(s, name, &info, e);
    if (!status) status = find(s, name, &v, e);
    if (!status) status = same_type(v, &info.shape, out, e);
    if (status) return status;
    ct_array view = ct_array_view(s->state[v->index].data, (ct_dtype)v->dtype, info.shape);
    return ct_array_copy(out, &view, e);
}

ct_status ct_state_set(ct_session *s, const char *name, const ct_array *from, ct_err *e) {
    ct__var *v;
    ct_status status = find(s, name, &v, e);
    if (status) return status;
    ct_shape shape = v->shape;
    int per_sample = ct__batch_axis(&shape) == 0;
    if (per_sample && from->rank > 0) shape.dim[0] = from->dim[0];
    int64_t rows = per_sample && from->rank > 0 ? from->dim[0] / -v->shape.dim[0] : 0;
    status = same_type(v, &shape, from, e);
    if (!status && per_sample && (rows < 1 || rows * -v->shape.dim[0] != from->dim[0]))
        status = ct_fail(e, CT_EDATA, "state \"%s\": %lld rows; wanted at least one, a multiple of %lld",
                         v->name, (long long)from->dim[0], (long long)-v->shape.dim[0]);
    s->state[v->index].live = status ? s->state[v->index].live : 0; /* its own rows no longer matter */
    if (!status) status = ct__state_prepare(s, v, rows, e);
    if (status) return status;
    ct_array view = ct_array_view(s->state[v->index].data, (ct_dtype)v->dtype, shape);
    return ct_array_copy(&view, from, e);
}

void ct_session_reset(ct_session *s) {
    for (int32_t i = 0; i < s->states; i++) s->state[i].live = 0;
}
