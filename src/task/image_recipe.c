/* image_recipe.c: the recipe: every option that changes the result, as JSON with sorted keys. It stands in
 * the model file and in config.json; --resume takes it from there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image_job.h"

static ct_status read_net(ct__image_job *j, const char *text, const char *file) {
    ct_text net = {.allocator = &j->o->allocator};
    ct_status s = ct_net_print(text, file, j->o->set, j->o->n_set, &net, j->e);
    if (!s) j->recipe.net = ct_arena_text(&j->arena, net.data);
    ct_text_free(&net);
    return s ? s : j->recipe.net ? CT_OK : ct_fail(j->e, CT_ELIMIT, "net: out of memory");
}

static ct_status choose_net(ct__image_job *j) {
    const ct_image_train *o = j->o;
    if (o->net) {
        void *data;
        uint64_t bytes;
        ct_status s = ct_file_read(&o->files, &o->allocator, o->net, 1u << 20, &data, &bytes, j->e);
        if (s) return s;
        char *text = ct_arena_format(&j->arena, "%.*s", (int)bytes, (const char *)data);
        ct_delete(&o->allocator, data, bytes);
        if (!text) return ct_fail(j->e, CT_ELIMIT, "net: out of memory");
        snprintf(j->recipe.model, sizeof j->recipe.model, "net");
        return read_net(j, text, o->net);
    }
    const char *name = o->model ? o->model : "cnn", *names[64], *text = ct_preset_text(name);
    snprintf(j->recipe.model, sizeof j->recipe.model, "%s", name);
    if (text) return read_net(j, text, name);
    int32_t n = 0;
    for (; n < ct_preset_count() && n < 64; n++) names[n] = ct_preset_name(n);
    const char *near = ct_nearest(name, names, (size_t)n);
    return ct_fail(j->e, CT_EUSAGE,
                   "--model %.60s: no such preset%s%s; `cotan presets` lists them, --net FILE takes your own",
                   name, near ? "; nearest is " : "", near ? near : "");
}

static ct_status check(const ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    if (r->epochs < 1 || r->epochs > 1000000)
        return ct_fail(j->e, CT_EUSAGE, "--epochs %lld; wanted 1 to 1000000", (long long)r->epochs);
    if (r->batch < 1 || r->batch > 1 << 24)
        return ct_fail(j->e, CT_EUSAGE, "--batch %lld; wanted 1 to 16777216", (long long)r->batch);
    if (!(r->lr > 0 && r->lr < 1e30))
        return ct_fail(j->e, CT_EUSAGE, "--lr %g; wanted a positive number", r->lr);
    if (!(r->smoothing >= 0 && r->smoothing < 1))
        return ct_fail(j->e, CT_EUSAGE, "--label-smoothing %g; wanted 0 to under 1", r->smoothing);
    if (!(r->average >= 0 && r->average < 1))
        return ct_fail(j->e, CT_EUSAGE, "--ema %g; wanted 0 to under 1", r->average);
    if (ct_optimiser_of(r->optimiser) < 0)
        return ct_fail(j->e, CT_EUSAGE,
                       "--optimizer %s; wanted adam, adamw, sgd, nadam, rmsprop, adagrad, adadelta or lion",
                       r->optimiser);
    if (ct_schedule_of(r->schedule) < 0)
        return ct_fail(
            j->e, CT_EUSAGE,
            "--schedule %s; wanted constant, step, cosine, one_cycle, inverse_sqrt, plateau or linear",
            r->schedule);
    return CT_OK;
}

static double default_lr(const char *optimiser) {
    if (strcmp(optimiser, "sgd") == 0) return 1e-2;
    if (strcmp(optimiser, "adadelta") == 0) return 1.0;
    if (strcmp(optimiser, "rmsprop") == 0 || strcmp(optimiser, "adagrad") == 0) return 1e-2;
    if (strcmp(optimiser, "lion") == 0) return 1e-4;
    return 1e-3;
}

ct_status ct__recipe_resolve(ct__image_job *j) {
    const ct_image_train *o = j->o;
    ct__recipe *r = &j->recipe;
    r->epochs = o->epochs ? o->epochs : 10;
    r->batch = o->batch ? o->batch : 64;
    r->limit = o->limit;
    r->seed = o->seed;
    r->weight_decay = o->weight_decay;
    r->clip_norm = o->clip_norm;
    r->average = o->average;
    r->smoothing = o->smoothing;
    r->patience = o->patience;
    r->time_limit = o->time_limit;
    snprintf(r->optimiser, sizeof r->optimiser, "%s", o->optimiser ? o->optimiser : "adam");
    snprintf(r->schedule, sizeof r->schedule, "%s", o->schedule ? o->schedule : "one_cycle");
    r->lr = o->lr > 0 ? o->lr : default_lr(r->optimiser);
    r->transform = o->transform ? ct_arena_text(&j->arena, o->transform) : NULL; /* else from the data */
    ct_status s = choose_net(j);
    return s ? s : check(j);
}

static json_t *seed_text(uint64_t seed) { /* 64-bit integers are strings */
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    return json_string(text);
}

json_t *ct__recipe_json(const ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    json_t *v = json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:s, s:s, s:i, s:s, s:s}",
                          "model", r->model, "epochs", (json_int_t)r->epochs, "batch", (json_int_t)r->batch,
                          "limit", (json_int_t)r->limit, "steps", (json_int_t)r->steps, "lr", r->lr,
                          "weight_decay", r->weight_decay, "clip_norm", r->clip_norm, "ema", r->average,
                          "label_smoothing", r->smoothing, "optimizer", r->optimiser, "schedule", r->schedule,
                          "patience", (int)r->patience, "transform", r->transform ? r->transform : "", "init",
                          r->init_hash ? r->init_hash : "");
    if (v) json_object_set_new(v, "seed", seed_text(r->seed));
    if (v && r->stop) json_object_set_new(v, "stop", json_integer(r->stop));
    return v;
}

/* ---- resume ---- */

static int64_t whole(const json_t *v, const char *key) { return json_integer_value(json_object_get(v, key)); }
static double real(const json_t *v, const char *key) { return json_number_value(json_object_get(v, key)); }
static const char *text(const json_t *v, const char *key) {
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

static ct_status same_number(const ct__image_job *j, const char *option, double given, double stored) {
    if (given == 0 || given == stored) return CT_OK;
    return ct_fail(
        j->e, CT_EUSAGE,
        "--%s: %.10g; wanted %.10g, as the run was begun; leave the option out, or begin anew with --force",
        option, given, stored);
}

static ct_status same_text(const ct__image_job *j, const char *option, const char *given,
                           const char *stored) {
    if (!given || strcmp(given, stored) == 0) return CT_OK;
    return ct_fail(
        j->e, CT_EUSAGE,
        "--%s: %.100s; wanted %.100s, as the run was begun; leave the option out, or begin anew with --force",
        option, given, stored);
}

static ct_status compare(const ct__image_job *j) {
    const ct_image_train *o = j->o;
    const ct__recipe *r = &j->recipe;
    ct_status s = same_number(j, "epochs", (double)o->epochs, (double)r->epochs);
    if (!s) s = same_number(j, "batch", (double)o->batch, (double)r->batch);
    if (!s) s = same_number(j, "limit", (double)o->limit, (double)r->limit);
    if (!s) s = same_number(j, "seed", (double)o->seed, (double)r->seed);
    if (!s) s = same_number(j, "lr", o->lr, r->lr);
    if (!s) s = same_number(j, "weight-decay", o->weight_decay, r->weight_decay);
    if (!s) s = same_number(j, "clip", o->clip_norm, r->clip_norm);
    if (!s) s = same_number(j, "ema", o->average, r->average);
    if (!s) s = same_number(j, "label-smoothing", o->smoothing, r->smoothing);
    if (!s) s = same_number(j, "patience", (double)o->patience, (double)r->patience);
    if (!s) s = same_text(j, "model", o->net ? NULL : o->model, r->model);
    if (!s) s = same_text(j, "optimizer", o->optimiser, r->optimiser);
    if (!s) s = same_text(j, "schedule", o->schedule, r->schedule);
    return s;
}

ct_status ct__recipe_resume(ct__image_job *j, const json_t *config) {
    const json_t *v = json_object_get(config, "recipe");
    ct__recipe *r = &j->recipe;
    if (!json_is_object(v) || !json_is_string(json_object_get(config, "net")))
        return ct_fail(j->e, CT_EDATA, "%s/config.json: no recipe; begin anew with --force", j->run.folder);
    r->epochs = whole(v, "epochs");
    r->batch = whole(v, "batch");
    r->limit = whole(v, "limit");
    r->steps = whole(v, "steps");
    r->seed = strtoull(text(v, "seed"), NULL, 10);
    r->lr = real(v, "lr");
    r->weight_decay = real(v, "weight_decay");
    r->clip_norm = real(v, "clip_norm");
    r->average = real(v, "ema");
    r->smoothing = real(v, "label_smoothing");
    r->patience = (int32_t)whole(v, "patience");
    snprintf(r->model, sizeof r->model, "%s", text(v, "model"));
    snprintf(r->optimiser, sizeof r->optimiser, "%s", text(v, "optimizer"));
    snprintf(r->schedule, sizeof r->schedule, "%s", text(v, "schedule"));
    r->transform = ct_arena_text(&j->arena, text(v, "transform"));
    r->init_hash = ct_arena_text(&j->arena, text(v, "init"));
    r->net = ct_arena_text(&j->arena, text(config, "net"));
    if (!r->transform || !r->init_hash || !r->net) return ct_fail(j->e, CT_ELIMIT, "resume: out of memory");
    ct_status s = check(j);
    return s ? s : compare(j);
}
