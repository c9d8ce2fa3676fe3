/* image_open.c: the data and the net of a training. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "task/image_job.h"

double ct__seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void tell(const ct__image_job *j, int32_t kind, const char *key, const char *format, va_list ap) {
    char text[900];
    vsnprintf(text, sizeof text, format, ap);
    ct_event event = {.kind = kind, .key = key, .text = text};
    if (j->o->tell) j->o->tell(j->o->user, &event);
}

void ct__tell_fact(const ct__image_job *j, const char *key, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    tell(j, CT_EVENT_FACT, key, format, ap);
    va_end(ap);
}

void ct__tell_note(const ct__image_job *j, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    tell(j, CT_EVENT_NOTE, "note", format, ap);
    va_end(ap);
}

/* ---- data ---- */

static ct_status split(ct__image_job *j) {
    const ct_allocator *a = &j->o->allocator;
    int64_t count = j->train.images.dim[0];
    ct_status s = CT_OK;
    if (j->o->validate) {
        s = ct__pictures_split(a, count, j->recipe.seed, 0, "all", &j->train_index, &j->train_count, j->e);
        if (!s)
            s = ct__pictures_split(a, j->validation.images.dim[0], j->recipe.seed, 0, "all",
                                   &j->validation_index, &j->validation_count, j->e);
        return s;
    }
    s = ct__pictures_split(a, count, j->recipe.seed, !j->own_test, "train", &j->train_index, &j->train_count,
                           j->e);
    if (!s)
        s = ct__pictures_split(a, count, j->recipe.seed, !j->own_test, "validation", &j->validation_index,
                               &j->validation_count, j->e);
    if (!s && (j->train_count < 1 || j->validation_count < 1))
        s = ct_fail(j->e, CT_EDATA,
                    "%s: %lld pictures leave %lld to train and %lld to validate; wanted at least one each; "
                    "give more data or --validate",
                    j->train.path, (long long)count, (long long)j->train_count,
                    (long long)j->validation_count);
    return s;
}

static ct_status choose_transform(ct__image_job *j) {
    ct_text text = {.allocator = &j->o->allocator};
    ct_status s = CT_OK;
    if (!j->recipe.transform) {
        s = ct__pictures_normalize(&j->train, j->train_index, j->train_count, &text, j->e);
        if (!s && !(j->recipe.transform = ct_arena_text(&j->arena, text.data)))
            s = ct_fail(j->e, CT_ELIMIT, "data: out of memory");
    }
    ct_text_free(&text);
    if (!s) s = ct_transform_parse(&j->o->allocator, j->recipe.transform, &j->transform, j->e);
    return s;
}

static ct_status hash(const ct_allocator *a, const ct_source *s, char out[33], ct_err *e) {
    ct_hash128 h;
    ct_status status = ct_source_hash(a, s, NULL, &h, e);
    if (!status) ct_hash_hex(h, out);
    return status;
}

static ct_status open_sources(ct__image_job *j) {
    const ct_allocator *a = &j->o->allocator;
    ct__pictures *from = j->o->validate ? &j->validation : &j->train;
    ct_status s = ct_source_images(a, &j->train.images, &j->train.labels, j->transform, &j->images, j->e);
    if (!s) s = ct_source_images(a, &from->images, &from->labels, j->transform, &j->validation_images, j->e);
    if (!s) s = ct_source_subset(a, &j->images, j->train_index, j->train_count, &j->train_source, j->e);
    if (!s)
        s = ct_source_subset(a, &j->validation_images, j->validation_index, j->validation_count,
                             &j->validation_source, j->e);
    if (!s) s = hash(a, &j->train_source, j->train_hash, j->e);
    if (!s) s = hash(a, &j->validation_source, j->validation_hash, j->e);
    if (!s && !j->own_test && !j->o->validate) {
        ct_hash128 h;
        s = ct_source_hash(a, &j->images, "label", &h, j->e);
        if (!s) ct_hash_hex(h, j->all_hash);
    }
    return s;
}

ct_status ct__image_open_data(ct__image_job *j) {
    const ct_image_train *o = j->o;
    ct_status s = ct__pictures_load(&o->files, &o->allocator, o->data, CT__PART_TRAIN, j->recipe.limit,
                                    &j->train, j->e);
    if (!s && o->validate) {
        int part = ct__pictures_has(o->validate, CT__PART_TRAIN) ? CT__PART_TRAIN : CT__PART_TEST;
        s = ct__pictures_load(&o->files, &o->allocator, o->validate, part, 0, &j->validation, j->e);
    }
    if (s) return s;
    j->own_test = ct__pictures_has(o->data, CT__PART_TEST);
    const ct_array *x = &j->train.images;
    j->shape[0] = x->rank == 3 ? 1 : x->dim[1];
    j->shape[1] = x->dim[x->rank - 2];
    j->shape[2] = x->dim[x->rank - 1];
    s = ct__pictures_classes(&j->train, &j->classes, j->e);
    if (!s && o->validate) s = ct__pictures_check(&j->validation, j->classes, j->e);
    if (!s && o->validate &&
        (j->validation.images.rank != x->rank ||
         memcmp(j->validation.images.dim + 1, x->dim + 1, (size_t)(x->rank - 1) * sizeof *x->dim) != 0))
        s = ct_fail(j->e, CT_EDATA, "%s: its pictures have another size than those of %s; wanted equal sizes",
                    j->validation.path, j->train.path);
    if (!s) s = split(j);
    if (!s) s = choose_transform(j);
    if (!s) s = open_sources(j);
    if (s) return s;
    ct__tell_fact(j, "data", "%lld pictures %lldx%lld %s, %lld classes, in %s", (long long)x->dim[0],
                  (long long)j->shape[2], (long long)j->shape[1],
                  j->shape[0] == 1   ? "grey"
                  : j->shape[0] == 3 ? "colour"
                                     : "channels",
                  (long long)j->classes, o->data);
    ct__tell_fact(j, "split", "%lld train, %lld validation%s", (long long)j->train_count,
                  (long long)j->validation_count,
                  j->own_test   ? "; the test part is not touched"
                  : o->validate ? ""
                                : "; a tenth is kept for the test");
    return CT_OK;
}

/* ---- net ---- */

static ct_status read_init(ct__image_job *j) {
    ct_tensors *t;
    const char *document;
    ct_status s = ct_model_read(&j->o->files, &j->o->allocator, j->o->init, &t, &document, j->e);
    if (s) return s;
    s = ct_weights_apply(j->ctx, t, j->o->init, CT_MODEL_KINDS, 0, j->e);
    if (!s) {
        void *data;
        uint64_t bytes;
        char hex[33];
        s = ct_tensors_bytes(t, &j->o->allocator, &data, &bytes, j->e);
        if (!s) {
            ct_hash_hex(ct_hash_bytes(data, bytes), hex);
            ct_delete(&j->o->allocator, data, bytes);
            j->recipe.init_hash = ct_arena_text(&j->arena, hex);
        }
    }
    ct_tensors_free(t);
    return s;
}

static int64_t parameters(const ct_ctx *c) {
    int64_t n = 0;
    ct_var_info v;
    for (int64_t i = 0; i < ct_var_count(c); i++)
        if (!ct_var_at(c, i, &v) && v.kind == CT_PARAM) n += (int64_t)v.count;
    return n;
}

static ct_status build(ct__image_job *j) {
    char classes[32];
    int64_t dim[4] = {CT_N, j->shape[0], j->shape[1], j->shape[2]};
    ct_graph *g = ct_default_graph(j->ctx);
    ct_net_input input = {.name = "image", .dtype = CT_F32, .shape = ct_shape_make(4, dim)};
    snprintf(classes, sizeof classes, "%lld", (long long)j->classes);
    ct_setting constant = {"classes", classes};
    ct_net_env env = {.inputs = &input, .n_inputs = 1, .constants = &constant, .n_constants = 1};
    ct_status s = ct_net_build(g, j->recipe.net, j->recipe.model, &env, &j->logits, j->e);
    if (s) return s;
    char have[CT_SHAPE_TEXT];
    ct_shape out = ct_shape_of(j->logits);
    if (out.rank != 2 || out.dim[0] != CT_N || out.dim[1] != j->classes)
        return ct_fail(j->e, CT_EDATA, "%s: the net gives %s; wanted [N,%lld], one number a class",
                       j->recipe.model, ct_shape_format(&out, have), (long long)j->classes);
    int64_t rows[1] = {CT_N};
    ct_t label = ct_graph_input(g, "label", CT_I64, ct_shape_make(1, rows)), none = {0, 0, 0};
    j->loss = ct_cross_entropy(j->logits, label, none, (ct_ce){.smoothing = j->recipe.smoothing});
    return ct_graph_status(g, j->e);
}

ct_status ct__image_open_net(ct__image_job *j) {
    const ct_image_train *o = j->o;
    const ct__recipe *r = &j->recipe;
    ct_options options = {.threads = o->threads,
                          .debug = o->debug,
                          .trap = o->trap,
                          .seed = r->seed,
                          .allocator = o->allocator,
                          .files = o->files};
    j->ctx = ct_open(&options);
    if (!j->ctx) return ct_fail(j->e, CT_ELIMIT, "out of memory");
    if (ct_error_status(j->ctx)) return ct_fail(j->e, ct_error_status(j->ctx), "%s", ct_error(j->ctx));
    ct_status s = build(j);
    if (!s && o->init && !j->resumed) s = read_init(j);
    if (s) return s;
    ct_train t = {.optimiser = ct_optimiser_of(r->optimiser),
                  .lr = r->lr,
                  .weight_decay = r->weight_decay,
                  .clip_norm = r->clip_norm,
                  .average = r->average,
                  .batch = r->batch,
                  .watch = 1};
    if (strcmp(r->optimiser, "sgd") == 0) t.momentum = 0.9;
    s = ct_trainer_new(j->loss, NULL, 0, &t, &j->train_source, &j->trainer, j->e);
    if (!s) s = ct_plan_new(&j->logits, 1, NULL, 0, (ct_compile){0}, &j->eval_plan, j->e);
    if (!s) s = ct_session_new(j->ctx, &j->eval, j->e);
    if (s) return s;
    ct__tell_fact(j, "net", "%s, %lld parameters", r->model, (long long)parameters(j->ctx));
    ct__tell_fact(j, "training", "%lld epochs, batch %lld, %s, lr %.4g %s, seed %llu, %d threads",
                  (long long)r->epochs, (long long)r->batch, r->optimiser, r->lr, r->schedule,
                  (unsigned long long)r->seed, ct_threads(j->ctx));
    return CT_OK;
}
