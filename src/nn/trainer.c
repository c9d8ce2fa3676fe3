/* trainer.c: a training plan, its session, and the way from a batch's fields to the plan's inputs. */
#include <math.h>
#include <string.h>

#include "cotan/nn.h"

#define MAX_MORE 8

struct ct_trainer {
    const ct_allocator *allocator;
    ct_plan *plan;
    ct_session *session;
    int32_t inputs, more;
    int32_t field[CT_MAX_FIELDS]; /* of each input */
    double norm;
};

/* Inputs by name. */
static ct_status match(ct_trainer *t, const ct_source *like, ct_err *e) {
    t->inputs = ct_plan_inputs(t->plan);
    if (t->inputs > CT_MAX_FIELDS)
        return ct_fail(e, CT_EUSAGE, "train: the loss has %d inputs; wanted at most %d", t->inputs,
                       CT_MAX_FIELDS);
    for (int32_t i = 0; i < t->inputs; i++) {
        const char *name = ct_plan_input_name(t->plan, i);
        int32_t found = -1;
        for (int32_t k = 0; k < like->fields; k++)
            if (strcmp(like->field[k].name, name) == 0) found = k;
        if (found < 0)
            return ct_fail(e, CT_EUSAGE,
                           "train: the data has no field \"%s\"; wanted one for each input of the loss",
                           name);
        const ct_field *f = &like->field[found];
        ct_shape want = ct_plan_input_shape(t->plan, i);
        char a[CT_SHAPE_TEXT], b[CT_SHAPE_TEXT];
        int same = want.rank == f->shape.rank + 1 && f->dtype == (int32_t)ct_plan_input_dtype(t->plan, i);
        for (int32_t d = 0; same && d < f->shape.rank; d++) same = f->shape.dim[d] == want.dim[d + 1];
        if (!same)
            return ct_fail(e, CT_EUSAGE, "train: field \"%s\" is %s of %s; the loss wants %s of %s", name,
                           ct_dtype_name((ct_dtype)f->dtype), ct_shape_format(&f->shape, a),
                           ct_dtype_name(ct_plan_input_dtype(t->plan, i)), ct_shape_format(&want, b));
        t->field[i] = found;
    }
    return CT_OK;
}

ct_status ct_trainer_new(ct_t loss, const ct_t *more, int32_t n_more, const ct_train *train,
                         const ct_source *like, ct_trainer **out, ct_err *e) {
    if (!ct_ok(loss)) return ct_fail(e, CT_EUSAGE, "train: no loss; wanted a tensor");
    if (n_more > MAX_MORE)
        return ct_fail(e, CT_EUSAGE, "train: %d more outputs; wanted at most %d", n_more, MAX_MORE);
    const ct_allocator *a = ct_allocator_of(ct_context(loss));
    ct_trainer *t = ct_new(a, sizeof *t);
    if (!t) return ct_fail(e, CT_ELIMIT, "train: out of memory");
    t->allocator = a;
    t->more = n_more;
    t->norm = NAN;
    ct_status s = ct_compile_train(loss, more, n_more, train, &t->plan, e);
    if (!s) s = ct_session_new(ct_context(loss), &t->session, e);
    if (!s) s = match(t, like, e);
    if (s)
        ct_trainer_free(t);
    else
        *out = t;
    return s;
}

void ct_trainer_free(ct_trainer *t) {
    if (!t) return;
    ct_session_free(t->session);
    ct_plan_free(t->plan);
    ct_delete(t->allocator, t, sizeof *t);
}

ct_session *ct_trainer_session(ct_trainer *t) { return t->session; }
ct_plan *ct_trainer_plan(ct_trainer *t) { return t->plan; }
double ct_trainer_norm(const ct_trainer *t) { return t->norm; }

ct_status ct_trainer_step(ct_trainer *t, const ct_batch *b, double lr, double *loss, void *const *more,
                          ct_err *e) {
    const void *in[CT_MAX_FIELDS];
    float value = 0, norm = 0;
    void *out[MAX_MORE + 2] = {&value, &norm};
    for (int32_t i = 0; i < t->inputs; i++) in[i] = b->field[t->field[i]];
    for (int32_t i = 0; more && i < t->more; i++) out[2 + i] = more[i];
    ct_status s = ct_session_set(t->session, "lr", lr);
    if (!s) s = ct_run(t->session, t->plan, in, b->rows, out);
    if (s) return ct_fail(e, s, "%s", ct_session_error(t->session));
    t->norm = (double)norm;
    if (loss) *loss = (double)value;
    return CT_OK;
}
