/* open.c: the data and the net of a training. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "task/image/folder.h"
#include "task/image/job.h"

double ct__job_now(const ct__image_job *j) {
    struct timespec ts;
    if (j->o->clock) return j->o->clock(j->o->clock_user);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void tell(const ct__image_job *j, int32_t kind, const char *key, const char *format, va_list ap) {
    char raw[900], text[1000]; /* names of files may hold anything */
    vsnprintf(raw, sizeof raw, format, ap);
    ct_escape(raw, text, sizeof text);
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

void ct__tell_busy(const ct__image_job *j, const char *key, const char *text, int64_t step, int64_t steps) {
    char safe[1000];
    ct_event event = {.kind = CT_EVENT_BUSY, .key = key, .step = step, .steps = steps};
    event.text = ct_escape(text, safe, sizeof safe);
    if (j->o->tell) j->o->tell(j->o->user, &event);
}

/* ---- data ---- */

static ct_status split(ct__image_job *j) {
    const ct_allocator *a = &j->o->allocator;
    int64_t count = j->train.images.dim[0];
    ct_status s = CT_OK;
    if (j->validate) {
        s = ct__pictures_split(a, count, j->recipe.seed, !j->own_test, "kept", &j->train_index,
                               &j->train_count, j->e);
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
        s = ct_fail_at(j->e, CT_EDATA, j->train.path, -1,
                       "%lld pictures leave %lld to train and %lld to validate; wanted at least one each; "
                       "give more data or --validate",
                       (long long)count, (long long)j->train_count, (long long)j->validation_count);
    return s;
}

static ct_status choose_transform(ct__image_job *j) {
    ct_text text = {.allocator = &j->o->allocator};
    ct_status s = CT_OK;
    if (!j->recipe.transform) {
        const ct_array *x = &j->train.images;
        int64_t size[2] = {x->dim[x->rank - 1], x->dim[x->rank - 2]};
        int flip;
        s = ct__mirror_keeps_classes(j, &flip);
        if (!s) ct__add_training_steps(j, &text, size, x->rank == 4 ? x->dim[1] : 1, NULL, flip);
        if (text.length) ct_text_add(&text, ", ");
        if (!s) s = ct__pictures_normalize(&j->train, j->train_index, j->train_count, &text, j->e);
        if (!s && text.failed) s = ct_fail(j->e, CT_ELIMIT, "data: out of memory");
        if (!s) s = ct__recipe_transform(j, text.data, &j->recipe.transform);
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
    ct__pictures *from = j->validate ? &j->validation : &j->train;
    ct_status s = ct_source_images(a, &j->train.images, &j->train.labels, j->transform, &j->images, j->e);
    if (!s) s = ct_source_images(a, &from->images, &from->labels, j->transform, &j->validation_images, j->e);
    if (!s) s = ct_source_subset(a, &j->images, j->train_index, j->train_count, &j->train_source, j->e);
    if (!s)
        s = ct_source_subset(a, &j->validation_images, j->validation_index, j->validation_count,
                             &j->validation_source, j->e);
    if (!s) s = hash(a, &j->train_source, j->train_hash, j->e);
    if (!s) s = hash(a, &j->validation_source, j->validation_hash, j->e);
    if (!s && !j->own_test) {
        ct_hash128 h;
        s = ct_source_hash(a, &j->images, "label", &h, j->e);
        if (!s) ct_hash_hex(h, j->all_hash);
    }
    return s;
}

ct_status ct__image_open_data(ct__image_job *j) {
    const ct_image_train *o = j->o;
    if (ct__is_folder(j->data)) return ct__folder_open(j);
    ct__tell_busy(j, "reading", j->data, 0, 0);
    ct_status s = ct__pictures_load(&o->files, &o->allocator, j->data, CT__PART_TRAIN, j->recipe.limit,
                                    &j->train, j->e);
    if (!s && j->validate) {
        int part =
            ct__pictures_has(j->validate, CT__PART_TEST) && !ct__pictures_has(j->validate, CT__PART_TRAIN)
                ? CT__PART_TEST
                : CT__PART_TRAIN;
        s = ct__pictures_load(&o->files, &o->allocator, j->validate, part, 0, &j->validation, j->e);
    }
    if (s) return s;
    j->own_test = ct__pictures_has(j->data, CT__PART_TEST);
    const ct_array *x = &j->train.images;
    s = ct__pictures_classes(&j->train, &j->classes, j->e);
    if (!s) s = ct__labels_fit(j);
    if (!s && j->validate) s = ct__pictures_check(&j->validation, j->classes, j->e);
    if (!s && j->validate &&
        (j->validation.images.rank != x->rank ||
         memcmp(j->validation.images.dim + 1, x->dim + 1, (size_t)(x->rank - 1) * sizeof *x->dim) != 0))
        s = ct_fail_at(
            j->e, CT_EDATA, j->validation.path, -1,
            "its pictures have another size than those of %s; wanted equal sizes; give others to --validate",
            j->train.path);
    if (!s) s = split(j);
    if (!s) s = ct__classes_check(j);
    if (!s) s = choose_transform(j);
    if (!s) s = open_sources(j);
    memcpy(j->shape, j->images.field[0].shape.dim, sizeof j->shape); /* as the transform leaves it */
    if (s) return s;
    char all[32], train[32], validation[32], kind[32] = "grey";
    if (x->rank == 4 && x->dim[1] > 1) snprintf(kind, sizeof kind, "in %lld channels", (long long)x->dim[1]);
    int64_t channels = x->rank == 3 ? 1 : x->dim[1];
    ct__tell_fact(j, "data", "%s picture%s %lldx%lld %s, %lld class%s; %s", ct_group_digits(x->dim[0], all),
                  x->dim[0] == 1 ? "" : "s", (long long)x->dim[x->rank - 1], (long long)x->dim[x->rank - 2],
                  channels == 3 ? "in colour" : kind, (long long)j->classes, j->classes == 1 ? "" : "es",
                  j->data);
    ct__tell_fact(j, "split", "%s train, %s validation (%s); %s", ct_group_digits(j->train_count, train),
                  ct_group_digits(j->validation_count, validation),
                  j->validate ? j->validate : "a tenth, by hash",
                  j->own_test ? "the test part is not touched" : "a tenth is kept for the test");
    ct__tell_fact(j, "transform", "%s", j->recipe.transform);
    return CT_OK;
}

/* ---- net ---- */

ct_status ct__init_hash(ct__image_job *j, const ct_tensors *t, char hex[33]) {
    void *data;
    uint64_t bytes;
    ct_status s = ct_tensors_bytes(t, &j->o->allocator, &data, &bytes, j->e);
    if (s) return s;
    ct_hash_hex(ct_hash_bytes(data, bytes), hex);
    ct_delete(&j->o->allocator, data, bytes);
    return CT_OK;
}

/* A checkpoint has later weights than those to begin with. */
static int begins(const ct__image_job *j) {
    return !j->resumed ||
           (!ct__run_has(&j->run, "checkpoint.safetensors") && !ct__run_has(&j->run, "previous.safetensors"));
}

int64_t ct__image_label(const ct__image_job *j, int64_t i) {
    ct_image r = {0};
    if (!j->set) return ct__pictures_label(&j->train, j->train_index[i]);
    (void)ct_images_at(j->set, j->train_index[i], &r);
    return r.label;
}

/* A class's weight is what makes all classes count alike: the mean count over its own; 0 where it has none. */
static ct_status class_weights(ct__image_job *j, ct_graph *g, ct_t *out) {
    float *w = ct_new_array(&j->o->allocator, (uint64_t)j->classes, sizeof *w), most = 0, least = INFINITY;
    int64_t shape[1] = {j->classes};
    if (!w) return ct_fail(j->e, CT_ELIMIT, "class weights: out of memory");
    for (int64_t i = 0; i < j->train_count; i++) w[ct__image_label(j, i)] += 1;
    for (int64_t c = 0; c < j->classes; c++) {
        if (w[c] > 0) w[c] = (float)((double)j->train_count / ((double)j->classes * (double)w[c]));
        most = w[c] > most ? w[c] : most;
        least = w[c] > 0 && w[c] < least ? w[c] : least;
    }
    *out = ct_constant(g, CT_F32, ct_shape_make(1, shape), w);
    ct_delete(&j->o->allocator, w, (size_t)j->classes * sizeof *w);
    if (j->opened == 1)
        ct__tell_fact(j, "weights", "of the classes: %.3g to %.3g", (double)least, (double)most);
    return CT_OK;
}

static ct_status build(ct__image_job *j) {
    char classes[32];
    int64_t dim[4] = {CT_N, j->shape[0], j->shape[1], j->shape[2]};
    ct_graph *g = ct_default_graph(j->ctx);
    ct_net_input input = {.name = "image", .dtype = CT_F32, .shape = ct_shape_make(4, dim)};
    snprintf(classes, sizeof classes, "%lld", (long long)j->classes);
    ct_setting constant = {"classes", classes};
    ct_net_env env = {.inputs = &input, .n_inputs = 1, .constants = &constant, .n_constants = 1};
    if (j->net_text)
        env.settings = j->o->set, env.n_settings = j->o->n_set; /* the recipe's has them written in */
    const char *text = j->net_text ? j->net_text : j->recipe.net,
               *file = j->net_text ? j->net_file : j->recipe.model;
    ct_status s = ct_net_build(g, text, file, &env, &j->logits, j->e);
    if (s) return s;
    char have[CT_SHAPE_TEXT];
    ct_shape out = ct_shape_of(j->logits);
    if (out.rank != 2 || out.dim[0] != CT_N || out.dim[1] != j->classes)
        return ct_fail_at(
            j->e, CT_EUSAGE, file, -1,
            "the net gives %s; wanted [N,%lld], a number a class; end it with linear(h, \"fc\", classes)",
            ct_shape_format(&out, have), (long long)j->classes);
    int64_t rows[1] = {CT_N};
    int64_t shares[2] = {CT_N, j->classes};
    ct_t weights = {0, 0, 0}, label = j->mixed ? ct_graph_input(g, "label", CT_F32, ct_shape_make(2, shares))
                                               : ct_graph_input(g, "label", CT_I64, ct_shape_make(1, rows));
    if (j->recipe.class_weights && (s = class_weights(j, g, &weights))) return s;
    j->loss = ct_cross_entropy(j->logits, label, weights, (ct_ce){.smoothing = j->recipe.smoothing});
    return ct_graph_status(g, j->e);
}

static ct_status open_trainer(ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    ct_train t = {.optimiser = ct_optimiser_of(r->optimiser),
                  .lr = r->lr,
                  .weight_decay = r->weight_decay > 0 ? r->weight_decay : CT_ZERO,
                  .clip_norm = r->clip_norm > 0 ? r->clip_norm : INFINITY, /* always looked at */
                  .average = r->average,
                  .batch = r->batch};
    t.momentum = r->momentum >= 0 ? r->momentum : strcmp(r->optimiser, "sgd") == 0 ? 0.9 : 0;
    return ct_trainer_new(j->loss, NULL, 0, &t, &j->like, &j->trainer, j->e);
}

ct_status ct__image_open_net(ct__image_job *j) {
    const ct_image_train *o = j->o;
    ct_options options = {.threads = o->threads,
                          .debug = o->debug,
                          .trap = o->trap,
                          .seed = j->recipe.seed,
                          .allocator = o->allocator,
                          .files = &o->files,
                          .log = o->log,
                          .log_user = o->user};
    j->opened++;
    j->ctx = ct_open(&options);
    if (!j->ctx) return ct_fail(j->e, CT_ELIMIT, "out of memory");
    if (ct_error_status(j->ctx)) return ct_fail(j->e, ct_error_status(j->ctx), "%s", ct_error(j->ctx));
    ct_status s = ct__image_mix_open(j);
    if (!s) s = build(j);
    if (!s && j->init && begins(j)) s = ct__transfer_init(j);
    if (!s) s = ct__transfer_freeze(j);
    if (!s) s = open_trainer(j);
    if (!s) s = ct_plan_new(&j->logits, 1, NULL, 0, (ct_compile){0}, &j->eval_plan, j->e);
    if (!s) s = ct_session_new(j->ctx, &j->eval, j->e);
    return s;
}

void ct__image_close_net(ct__image_job *j) {
    ct_trainer_free(j->trainer);
    ct_plan_free(j->eval_plan);
    ct_session_free(j->eval);
    ct_close(j->ctx);
    ct__image_mix_close(j);
    j->trainer = NULL;
    j->eval_plan = NULL;
    j->eval = NULL;
    j->ctx = NULL;
}
