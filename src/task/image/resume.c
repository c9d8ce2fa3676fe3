/* resume.c: a given option of the recipe must be what the run was begun with; the error names both. Options
 * outside the recipe (threads, the places of files) may differ. */
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

static ct_status differs(const ct__image_job *j, const char *option, const char *given, const char *stored) {
    return ct_fail(j->e, CT_EUSAGE,
                   "--%s: %.200s; wanted %.200s, with which the run was begun; leave it out, begin anew with "
                   "--force, or go "
                   "on from a finished model with --init",
                   option, given, *stored ? stored : "none");
}

/* given 0: not given; CT_ZERO: a zero that is meant. */
static ct_status number(const ct__image_job *j, const char *option, double given, double stored) {
    char a[40], b[40];
    if (given == 0 || given == stored || (given == CT_ZERO && stored == 0)) return CT_OK;
    snprintf(a, sizeof a, "%.10g", given == CT_ZERO ? 0 : given);
    snprintf(b, sizeof b, "%.10g", stored);
    return differs(j, option, a, b);
}

static ct_status whole(const ct__image_job *j, const char *option, int64_t given, int64_t stored) {
    char a[40], b[40];
    if (given == 0 || given == stored) return CT_OK;
    snprintf(a, sizeof a, "%lld", (long long)given);
    snprintf(b, sizeof b, "%lld", (long long)stored);
    return differs(j, option, a, b);
}

static ct_status word(const ct__image_job *j, const char *option, const char *given, const char *stored) {
    return !given || strcmp(given, stored) == 0 ? CT_OK : differs(j, option, given, stored);
}

static ct_status seed(const ct__image_job *j) {
    char a[40], b[40];
    uint64_t given = j->o->seed, stored = j->recipe.seed;
    if ((given == 0 && !j->o->seed_given) || given == stored) return CT_OK;
    snprintf(a, sizeof a, "%llu", (unsigned long long)given);
    snprintf(b, sizeof b, "%llu", (unsigned long long)stored);
    return differs(j, "seed", a, b);
}

static ct_status background(const ct__image_job *j) {
    char a[16], b[16];
    int32_t given = j->o->background,
            stored = j->recipe.background ? j->recipe.background : CT_RGB(255, 255, 255);
    if (given == 0 || given == stored) return CT_OK;
    snprintf(a, sizeof a, "#%06x", (unsigned)given & 0xffffffu);
    snprintf(b, sizeof b, "#%06x", (unsigned)stored & 0xffffffu);
    return differs(j, "background", a, b);
}

static ct_status patience(const ct__image_job *j) {
    char b[40];
    int32_t given = j->o->patience, stored = j->recipe.patience;
    snprintf(b, sizeof b, "%d", stored);
    if (given < 0 && stored > 0) return differs(j, "patience", "0", b);
    return given < 0 ? CT_OK : whole(j, "patience", given, stored);
}

static double own_momentum(const ct__recipe *r) { return strcmp(r->optimiser, "sgd") == 0 ? 0.9 : 0; }

static ct_status labels(ct__image_job *j) {
    char *stored = j->recipe.labels;
    if (!j->o->labels) return CT_OK;
    ct_status s = ct__labels_read(j);
    if (!s && (!stored || strcmp(stored, j->recipe.labels) != 0))
        s = ct_fail(j->e, CT_EUSAGE,
                    "--labels: other names than those with which the run was begun; wanted equal ones; leave "
                    "it out, or "
                    "begin anew with --force");
    j->recipe.labels = stored;
    return s;
}

/* The moments of one optimiser are nothing to another; the weights are. */
static ct_status optimiser(const ct__image_job *j) {
    const char *given = j->o->optimiser, *stored = j->recipe.optimiser;
    if (!given || strcmp(given, stored) == 0) return CT_OK;
    return ct_fail(j->e, CT_EUSAGE,
                   "--optimizer: %.60s; wanted %s, with which the run was begun; leave it out, or begin "
                   "another run with "
                   "its weights alone by --init %.600s/checkpoint.safetensors",
                   given, stored, j->run.folder);
}

static ct_status transform(ct__image_job *j) {
    char *given;
    if (!j->o->transform) return CT_OK;
    ct_status s = ct__recipe_transform(j, j->o->transform, &given);
    return s ? s : word(j, "transform", given, j->recipe.transform);
}

/* The line of a net's text that begins with "param NAME = ", its value; or "another". */
static const char *param_value(const char *net, const char *name, char out[64]) {
    char head[128];
    int n = snprintf(head, sizeof head, "param %.100s = ", name);
    const char *at = strstr(net, head);
    snprintf(out, 64, "%s", "another");
    if (at && n > 0) snprintf(out, 64, "%.*s", (int)strcspn(at + n, "\n"), at + n);
    return out;
}

static ct_status settings(ct__image_job *j) {
    ct_status s = CT_OK;
    for (int32_t i = 0; i < j->o->n_set && !s && !j->o->net && !j->o->model; i++) {
        const ct_setting *set = &j->o->set[i];
        ct_text net = {.allocator = &j->o->allocator};
        char given[200], value[64];
        s = ct_net_print(j->recipe.net, j->recipe.model, set, 1, &net, j->e);
        if (!s && strcmp(net.data, j->recipe.net) != 0) {
            snprintf(given, sizeof given, "%.90s=%.90s", set->name, set->value);
            s = differs(j, "set", given, param_value(j->recipe.net, set->name, value));
        }
        ct_text_free(&net);
    }
    return s;
}

/* The first line in which two nets differ. */
static ct_status nets(const ct__image_job *j, const char *given, const char *stored) {
    int line = 1;
    while (*given && *stored && strcspn(given, "\n") == strcspn(stored, "\n") &&
           strncmp(given, stored, strcspn(given, "\n") + 1) == 0) {
        given += strcspn(given, "\n") + 1;
        stored += strcspn(stored, "\n") + 1;
        line++;
    }
    return ct_fail(j->e, CT_EUSAGE,
                   "--%s: line %d of the net is `%.*s`; wanted `%.*s`, with which the run was begun; leave "
                   "it out, or begin "
                   "anew with --force",
                   j->o->net ? "net" : "model", line, (int)strcspn(given, "\n"), given,
                   (int)strcspn(stored, "\n"), stored);
}

/* A net that is given is made as for a new run, and must come out the same. */
static ct_status net(ct__image_job *j) {
    char *stored = j->recipe.net, name[sizeof j->recipe.model];
    const ct_image_train *o = j->o;
    if (!o->net && !o->net_text && !o->model) return CT_OK;
    snprintf(name, sizeof name, "%s", j->recipe.model);
    ct_status s = o->net ? CT_OK : word(j, "model", o->model, name);
    if (!s && !o->net && !o->net_text && o->n_set == 0) return CT_OK; /* the preset's text of then */
    if (!s) s = ct__recipe_net(j);
    if (!s && strcmp(j->recipe.net, stored) != 0) s = nets(j, j->recipe.net, stored);
    j->recipe.net = stored;
    snprintf(j->recipe.model, sizeof j->recipe.model, "%s", name);
    return s;
}

static ct_status weights(ct__image_job *j) {
    ct_tensors *t;
    const char *document;
    char hex[33];
    if (!j->o->init) return CT_OK;
    ct_status s = ct_model_read(&j->o->files, &j->o->allocator, j->o->init, &t, &document, j->e);
    if (s) return s;
    s = ct__init_hash(j, t, hex);
    ct_tensors_free(t);
    return s ? s : word(j, "init", hex, j->recipe.init_hash);
}

ct_status ct__recipe_compare(ct__image_job *j) {
    const ct_image_train *o = j->o;
    const ct__recipe *r = &j->recipe;
    ct_status s = whole(j, "epochs", o->epochs, r->epochs);
    if (!s) s = whole(j, "batch", o->batch, r->batch);
    if (!s) s = whole(j, "limit", o->limit, r->limit);
    if (!s) s = whole(j, "steps", o->steps, r->steps);
    if (!s) s = whole(j, "stop-at", o->stop_at, r->stop_at);
    if (!s) s = seed(j);
    if (!s) s = number(j, "lr", o->lr, r->lr);
    if (!s) s = number(j, "weight-decay", o->weight_decay, r->weight_decay);
    if (!s) s = number(j, "clip", o->clip_norm, r->clip_norm);
    if (!s) s = number(j, "ema", o->average, r->average);
    if (!s) s = number(j, "label-smoothing", o->smoothing, r->smoothing);
    if (!s) s = background(j);
    if (!s) s = patience(j);
    if (!s) s = optimiser(j);
    if (!s) s = word(j, "freeze", o->freeze, r->freeze ? r->freeze : "");
    if (!s && o->class_weights && !r->class_weights) s = differs(j, "class-weights", "given", "none");
    if (!s) s = word(j, "schedule", o->schedule, r->schedule);
    if (!s) s = number(j, "momentum", o->momentum, r->momentum >= 0 ? r->momentum : own_momentum(r));
    if (!s) s = whole(j, "warmup", o->warmup, r->warmup);
    if (!s) s = labels(j);
    if (!s) s = word(j, "nonfinite", o->nonfinite, r->nonfinite);
    if (!s) s = transform(j);
    if (!s) s = net(j);
    if (!s) s = settings(j);
    return s ? s : weights(j);
}
