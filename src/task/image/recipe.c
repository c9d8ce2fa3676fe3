/* recipe.c: the recipe: every option that changes the result, as JSON with sorted keys. It stands in
 * the model file and in config.json; --resume takes it from there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/image/job.h"

static ct_status read_net(ct__image_job *j, const char *text, const char *file) {
    ct_text net = {.allocator = &j->o->allocator};
    ct_status s = ct_net_print(text, file, j->o->set, j->o->n_set, &net, j->e);
    if (!s) j->recipe.net = ct_arena_text(&j->arena, net.data);
    ct_text_free(&net);
    return s ? s : j->recipe.net ? CT_OK : ct_fail(j->e, CT_ELIMIT, "net: out of memory");
}

static ct_status net_from_file(ct__image_job *j) {
    const ct_image_train *o = j->o;
    void *data;
    uint64_t bytes;
    ct_status s = ct_file_read(&o->files, &o->allocator, o->net, 1u << 20, &data, &bytes, j->e);
    if (s) return s;
    char *text = ct_arena_format(&j->arena, "%.*s", (int)bytes, (const char *)data);
    ct_delete(&o->allocator, data, bytes);
    if (!text) return ct_fail(j->e, CT_ELIMIT, "net: out of memory");
    snprintf(j->recipe.model, sizeof j->recipe.model, "net");
    j->net_text = text;
    j->net_file = o->net;
    return read_net(j, text, o->net);
}

ct_status ct__recipe_net(ct__image_job *j) {
    const ct_image_train *o = j->o;
    if (o->net) return net_from_file(j);
    if (!o->model && !o->net_text) return CT_OK; /* chosen when the data is known */
    const char *name = o->model ? o->model : "net", *names[64],
               *text = o->net_text ? o->net_text : ct_preset_text(name);
    snprintf(j->recipe.model, sizeof j->recipe.model, "%s", name);
    if (text) return read_net(j, text, name);
    int32_t n = 0;
    for (; n < ct_preset_count() && n < 64; n++) names[n] = ct_preset_name(n);
    const char *near = ct_nearest(name, names, (size_t)n);
    return ct_fail(j->e, CT_EUSAGE,
                   "--model: %.60s, no such preset; wanted %s; see cotan presets, or give a file to --net",
                   name, near ? near : "one of the list");
}

ct_status ct__recipe_transform(ct__image_job *j, const char *text, char **out) {
    ct_transform *t = NULL;
    ct_text canonical = {.allocator = &j->o->allocator};
    ct_status s = ct_transform_parse(&j->o->allocator, text, &t, j->e);
    if (!s) s = ct_transform_text(t, &canonical);
    if (!s) *out = ct_arena_text(&j->arena, canonical.data ? canonical.data : "");
    ct_transform_free(t);
    ct_text_free(&canonical);
    if (s) return ct_fail(j->e, s, "transform: out of memory");
    return *out ? CT_OK : ct_fail(j->e, CT_ELIMIT, "transform: out of memory");
}

static ct_status outside(const ct__image_job *j, const char *option, double found, const char *wanted) {
    return ct_fail(j->e, CT_EUSAGE, "--%s: %.10g; wanted %s; leave it out for the default", option, found,
                   wanted);
}

/* Only two optimisers have a momentum of their own to set; the others' is in their moments. */
static ct_status check_rates(const ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    if (r->warmup < 0) return outside(j, "warmup", (double)r->warmup, "1 or more");
    if (r->momentum < 0) return CT_OK;
    if (!(r->momentum < 1)) return outside(j, "momentum", r->momentum, "0 to under 1");
    if (strcmp(r->optimiser, "sgd") == 0 || strcmp(r->optimiser, "rmsprop") == 0) return CT_OK;
    return ct_fail(
        j->e, CT_EUSAGE,
        "--momentum: %s has none to set; wanted sgd or rmsprop; give --optimizer sgd, or leave it out",
        r->optimiser);
}

static ct_status check(const ct__image_job *j) {
    const ct__recipe *r = &j->recipe;
    if (r->epochs < 1 || r->epochs > 1000000) return outside(j, "epochs", (double)r->epochs, "1 to 1000000");
    if (r->batch < 1 || r->batch > 1 << 24) return outside(j, "batch", (double)r->batch, "1 to 16777216");
    if (r->limit < 0) return outside(j, "limit", (double)r->limit, "1 or more");
    if (r->steps < 0) return outside(j, "steps", (double)r->steps, "1 or more");
    if (r->stop_at < 0) return outside(j, "stop-at", (double)r->stop_at, "1 or more");
    if (!(r->weight_decay >= 0)) return outside(j, "weight-decay", r->weight_decay, "0 or more");
    if (!(r->clip_norm >= 0)) return outside(j, "clip", r->clip_norm, "0 or more");
    if (!(r->smoothing >= 0 && r->smoothing < 1))
        return outside(j, "label-smoothing", r->smoothing, "0 to under 1");
    if (!(r->average >= 0 && r->average < 1)) return outside(j, "ema", r->average, "0 to under 1");
    if (ct_optimiser_of(r->optimiser) < 0)
        return ct_fail(
            j->e, CT_EUSAGE,
            "--optimizer: %s; wanted adam, adamw, sgd, nadam, rmsprop, adagrad, adadelta or lion; choose one",
            r->optimiser);
    if (!(r->lr > 0 && r->lr < 1e30)) return outside(j, "lr", r->lr, "a positive number");
    if (strcmp(r->nonfinite, "stop") != 0 && strcmp(r->nonfinite, "skip") != 0 &&
        strcmp(r->nonfinite, "rollback") != 0)
        return ct_fail(j->e, CT_EUSAGE, "--nonfinite: %s; wanted stop, skip or rollback; choose one",
                       r->nonfinite);
    if (ct_schedule_of(r->schedule) < 0)
        return ct_fail(
            j->e, CT_EUSAGE,
            "--schedule: %s; wanted constant, step, cosine, one_cycle, inverse_sqrt, plateau or linear; "
            "choose one",
            r->schedule);
    return check_rates(j);
}

/* CT_ZERO: a zero that was meant. */
static double number(double v) { return v == CT_ZERO ? 0 : v; }

ct_status ct__recipe_resolve(ct__image_job *j) {
    const ct_image_train *o = j->o;
    ct__recipe *r = &j->recipe;
    r->epochs = o->epochs ? o->epochs : 10;
    r->batch = o->batch ? o->batch : 64;
    r->limit = o->limit;
    r->steps = o->steps;
    r->stop_at = o->stop_at;
    r->seed = o->seed;
    int chosen = o->optimiser != NULL; /* by the caller, who gets its own defaults then */
    r->weight_decay = o->weight_decay > 0                  ? number(o->weight_decay)
                      : !chosen                            ? 0.05
                      : strcmp(o->optimiser, "adamw") == 0 ? 0.01
                                                           : 0;
    r->clip_norm = number(o->clip_norm);
    r->average = number(o->average);
    r->smoothing = o->smoothing > 0 ? number(o->smoothing) : 0.1;
    r->patience = o->patience > 0 ? o->patience : 0;
    r->follow_links = o->follow_links;
    r->background = o->background;
    r->allow_broken = o->allow_broken;
    snprintf(r->optimiser, sizeof r->optimiser, "%s", o->optimiser ? o->optimiser : "adamw");
    snprintf(r->schedule, sizeof r->schedule, "%s", o->schedule ? o->schedule : "one_cycle");
    snprintf(r->nonfinite, sizeof r->nonfinite, "%s", o->nonfinite ? o->nonfinite : "stop");
    r->lr = o->lr > 0 ? o->lr : chosen ? ct_optimiser_lr(ct_optimiser_of(r->optimiser)) : 2e-3;
    r->class_weights = o->class_weights;
    r->momentum = o->momentum > 0 ? number(o->momentum) : -1;
    r->warmup = o->warmup;
    if (o->freeze && !(r->freeze = ct_arena_text(&j->arena, o->freeze)))
        return ct_fail(j->e, CT_ELIMIT, "freeze: out of memory");
    r->transform = NULL; /* from the data */
    ct_status s = o->transform ? ct__recipe_transform(j, o->transform, &r->transform) : CT_OK;
    if (!s) s = ct__labels_read(j);
    if (!s) s = ct__recipe_net(j);
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
    if (v && strcmp(r->nonfinite, "stop") != 0)
        json_object_set_new(v, "nonfinite", json_string(r->nonfinite));
    if (v && r->stop_at) json_object_set_new(v, "stop_at", json_integer(r->stop_at));
    char colour[16];
    snprintf(colour, sizeof colour, "#%06x", (unsigned)r->background & 0xffffffu);
    if (v && r->background) json_object_set_new(v, "background", json_string(colour));
    if (v && r->class_weights) json_object_set_new(v, "class_weights", json_true());
    if (v && r->momentum >= 0) json_object_set_new(v, "momentum", json_real(r->momentum));
    if (v && r->warmup) json_object_set_new(v, "warmup", json_integer(r->warmup));
    if (v && r->labels) json_object_set_new(v, "labels", json_string(r->labels));
    if (v && r->freeze) json_object_set_new(v, "freeze", json_string(r->freeze));
    if (v && r->follow_links) json_object_set_new(v, "follow_links", json_true());
    if (v && r->allow_broken) json_object_set_new(v, "allow_broken", json_true());
    return v;
}

/* ---- resume ---- */

static int64_t whole(const json_t *v, const char *key) { return json_integer_value(json_object_get(v, key)); }
static double real(const json_t *v, const char *key) { return json_number_value(json_object_get(v, key)); }
static const char *text(const json_t *v, const char *key) {
    const char *s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

/* A path of the run, for an option that was not given. */
static ct_status path(ct__image_job *j, const json_t *config, const char *key, const char *given,
                      const char **out) {
    const char *stored = text(config, key);
    *out = given ? given : *stored ? ct_arena_text(&j->arena, stored) : NULL;
    return !given && *stored && !*out ? ct_fail(j->e, CT_ELIMIT, "resume: out of memory") : CT_OK;
}

ct_status ct__recipe_resume(ct__image_job *j, const json_t *config, const char *file) {
    const json_t *v = json_object_get(config, "recipe");
    const ct_image_train *o = j->o;
    ct__recipe *r = &j->recipe;
    if (!json_is_object(v) || !json_is_string(json_object_get(config, "net")))
        return ct_fail_at(j->e, CT_EDATA, file, -1,
                          "no recipe; wanted a run of cotan train; begin anew with --force");
    r->epochs = whole(v, "epochs");
    r->batch = whole(v, "batch");
    r->limit = whole(v, "limit");
    r->steps = whole(v, "steps");
    r->stop_at = whole(v, "stop_at");
    r->seed = strtoull(text(v, "seed"), NULL, 10);
    r->lr = real(v, "lr");
    r->weight_decay = real(v, "weight_decay");
    r->clip_norm = real(v, "clip_norm");
    r->average = real(v, "ema");
    r->smoothing = real(v, "label_smoothing");
    r->patience = (int32_t)whole(v, "patience");
    if (*text(v, "background") && ct_picture_background(text(v, "background"), &r->background, j->e))
        return CT_EUSAGE;
    r->class_weights = json_is_true(json_object_get(v, "class_weights"));
    r->momentum = json_is_number(json_object_get(v, "momentum")) ? real(v, "momentum") : -1;
    r->warmup = whole(v, "warmup");
    if (*text(v, "labels") && !(r->labels = ct_arena_text(&j->arena, text(v, "labels"))))
        return ct_fail(j->e, CT_ELIMIT, "resume: out of memory");
    if (*text(v, "freeze") && !(r->freeze = ct_arena_text(&j->arena, text(v, "freeze"))))
        return ct_fail(j->e, CT_ELIMIT, "resume: out of memory");
    r->follow_links = o->follow_links || json_is_true(json_object_get(v, "follow_links"));
    r->allow_broken = o->allow_broken || json_is_true(json_object_get(v, "allow_broken"));
    snprintf(r->model, sizeof r->model, "%s", text(v, "model"));
    snprintf(r->optimiser, sizeof r->optimiser, "%s", text(v, "optimizer"));
    snprintf(r->schedule, sizeof r->schedule, "%s", text(v, "schedule"));
    snprintf(r->nonfinite, sizeof r->nonfinite, "%s", *text(v, "nonfinite") ? text(v, "nonfinite") : "stop");
    r->transform = ct_arena_text(&j->arena, text(v, "transform"));
    r->init_hash = ct_arena_text(&j->arena, text(v, "init"));
    r->net = ct_arena_text(&j->arena, text(config, "net"));
    if (!r->transform || !r->init_hash || !r->net) return ct_fail(j->e, CT_ELIMIT, "resume: out of memory");
    ct_status s = path(j, config, "data", o->data, &j->data); /* a model's document has an object there */
    if (!s) s = path(j, config, "validate", o->validate, &j->validate);
    if (!s) s = path(j, config, "init", o->init, &j->init);
    if (!s && o->checkpoint_every <= 0 && whole(config, "checkpoint_every") > 0)
        j->checkpoint_every = whole(config, "checkpoint_every");
    if (!s) s = check(j);
    return s ? s : ct__recipe_compare(j);
}
