/* image_pass.c: a model over pictures, batch by batch. */
#include "task/image_pass.h"

#include <stdlib.h>
#include <string.h>

ct_status ct__pass_open(ct__pass *p) {
    if (strcmp(ct_model_task(p->m), "image") != 0)
        return ct_fail(p->e, CT_EUSAGE,
                       "model: its task is \"%.40s\"; wanted image; give a model of cotan train image",
                       ct_model_task(p->m));
    ct_shape want = ct_plan_input_shape(ct_model_plan(p->m), 0);
    if (want.rank != 4)
        return ct_fail(p->e, CT_EDATA,
                       "model: its input has %d axes; wanted pictures, 4; give a model of cotan train image",
                       want.rank);
    memcpy(p->want, want.dim + 1, sizeof p->want);
    p->allocator = ct_allocator_of(ct_model_context(p->m));
    p->classes = ct_shape_of(ct_model_output(p->m)).dim[1];
    p->batch = 256;
    ct_status s = ct_transform_parse(p->allocator, ct_model_text(p->m, "transform"), &p->transform, p->e);
    if (!s) s = ct_session_new(ct_model_context(p->m), &p->session, p->e);
    p->logits =
        s ? NULL : ct_new_array(p->allocator, (uint64_t)(p->batch * p->classes) + 16, sizeof *p->logits);
    if (!s && !p->logits) s = ct_fail(p->e, CT_ELIMIT, "predict: out of memory");
    return s;
}

void ct__pass_close(ct__pass *p) {
    if (!p->allocator) return;
    ct_loader_free(p->loader);
    ct_delete(p->allocator, p->logits, ((uint64_t)(p->batch * p->classes) + 16) * sizeof *p->logits);
    ct_session_free(p->session);
    if (p->source.close) ct_source_close(&p->source);
    ct_transform_free(p->transform);
}

ct_status ct__pass_fits(const ct__pass *p, const int64_t shape[3], const char *path, int64_t at) {
    int64_t made[3];
    ct_err why = {0};
    if (ct_transform_shape(p->transform, shape, made, &why))
        return ct_fail_at(p->e, CT_EDATA, path, at, "pictures of [%lld,%lld,%lld]: %s", (long long)shape[0],
                          (long long)shape[1], (long long)shape[2], why.text);
    if (memcmp(made, p->want, sizeof made) == 0) return CT_OK;
    return ct_fail_at(
        p->e, CT_EDATA, path, at,
        "pictures of [%lld,%lld,%lld]; wanted [N,%lld,%lld,%lld], as the model; give pictures of "
        "the size it was trained on",
        (long long)shape[0], (long long)shape[1], (long long)shape[2], (long long)p->want[0],
        (long long)p->want[1], (long long)p->want[2]);
}

ct_status ct__pass_next(ct__pass *p, ct_batch *b) {
    ct_status s = ct_next(p->loader, b, p->e);
    if (s || b->rows == 0) return s;
    const void *in[1] = {b->field[0]};
    void *out[1] = {p->logits};
    s = ct_run(p->session, ct_model_plan(p->m), in, b->rows, out);
    return s ? ct_fail(p->e, s, "%s", ct_session_error(p->session)) : CT_OK;
}

ct_status ct__pass_score(ct__pass *p, const ct_source *part, ct_evaluation *out) {
    ct_scores *scores = NULL;
    ct_status s = ct_scores_new(p->allocator, p->classes, &scores, p->e);
    if (!s)
        s = ct_loader_new(
            p->allocator, part,
            (ct_loader_options){.batch = p->batch, .evaluate = 1, .threads = p->threads ? p->threads : 1},
            &p->loader, p->e);
    ct_batch b = {.rows = 1};
    while (!s && b.rows) {
        s = ct__pass_next(p, &b);
        if (!s && b.rows) s = ct_scores_add(scores, p->logits, b.field[1], b.rows, p->e);
    }
    if (!s) {
        out->classes = p->classes;
        out->confusion = calloc((size_t)(p->classes * p->classes) + 1, sizeof *out->confusion);
        if (!out->confusion) s = ct_fail(p->e, CT_ELIMIT, "evaluate: out of memory");
    }
    for (int64_t i = 0; !s && i < p->classes * p->classes; i++)
        out->confusion[i] = ct_scores_confusion(scores, i / p->classes, i % p->classes);
    if (!s) out->score = ct_scores_result(scores);
    ct_scores_free(scores);
    return s;
}
