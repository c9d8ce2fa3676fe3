/* gap.c: training and validation beside each other: does the net learn too little, or the training part by heart? */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "task/run.h"

#define WORSE 1.02 /* a loss that moved by less says nothing */
#define NEAR 0.8   /* of the validation loss: a training loss above it is not far below */
#define EQUAL 0.9  /* above it: no better on what was learned than on what was not */
#define GOOD 0.9   /* accuracy on the training part: above it little is left to learn */

static void say_overfit(ct_gap *g) {
    snprintf(
        g->text, sizeof g->text,
        "over-fit from epoch %lld: validation loss rose from %.4f (epoch %lld) to %.4f, while training loss "
        "fell from %.4f to %.4f; the model is that of epoch %lld. More data, random transforms, "
        "--weight-decay or a smaller net would help.",
        (long long)g->overfit_from, g->validation, (long long)g->best_epoch, g->last_validation, g->train,
        g->last_train, (long long)g->best_epoch);
}

static void say_falling(ct_gap *g) {
    snprintf(
        g->text, sizeof g->text,
        "under-fit: validation loss (%.4f) was still falling at the last epoch and training loss (%.4f) is "
        "not far below it. More epochs or a larger net would help.",
        g->last_validation, g->last_train);
}

/* Where nothing moves any more and the training part is known no better, either the net can do no more or the labels
 * are that uncertain: losses alone do not tell which. */
static void say_fits(ct_gap *g, double accuracy) {
    const char *rest =
        g->train < 0.5 * g->validation
            ? "the training part is known far better than new data: more data or random transforms "
              "may help"
        : g->train >= EQUAL * g->validation && accuracy < GOOD
            ? "what was learned is known no better than new data: more epochs, another --lr or a larger net "
              "may "
              "help, unless the labels are that uncertain"
            : "neither under-fit nor over-fit";
    snprintf(g->text, sizeof g->text,
             "at the best epoch, %lld of %lld, training loss is %.4f and validation loss %.4f: %s.",
             (long long)g->best_epoch, (long long)g->epochs, g->train, g->validation, rest);
}

static void judge(const ct_epoch *row, int64_t rows, int64_t best, ct_gap *g) {
    const ct_epoch *before = &row[rows - 1 - (rows + 3) / 4];
    if (best < rows - 1 && g->last_validation >= WORSE * g->validation && g->last_train < g->train) {
        g->verdict = CT_GAP_OVERFIT;
        g->overfit_from = row[best + 1].epoch;
        say_overfit(g);
    } else if (best == rows - 1 && before->validation >= WORSE * g->validation &&
               g->train >= NEAR * g->validation) {
        g->verdict = CT_GAP_UNDERFIT;
        say_falling(g);
    } else {
        g->verdict = CT_GAP_FITS;
        say_fits(g, row[best].train_accuracy);
    }
}

void ct_gap_of(const ct_epoch *row, int64_t rows, ct_gap *out) {
    ct_gap g = {.epochs = rows, .train = NAN, .validation = NAN, .last_train = NAN, .last_validation = NAN};
    int64_t best = 0;
    for (int64_t i = 1; i < rows; i++) {
        int less = row[i].validation < row[best].validation || isnan(row[best].validation);
        if (row[i].best || (less && !row[best].best)) best = i;
    }
    if (rows > 0) {
        g.best_epoch = row[best].epoch;
        g.train = row[best].train;
        g.validation = row[best].validation;
        g.last_train = row[rows - 1].train;
        g.last_validation = row[rows - 1].validation;
    }
    if (rows < 3)
        snprintf(g.text, sizeof g.text, "too few epochs (%lld) to tell under-fit from over-fit.",
                 (long long)rows);
    else if (!isfinite(g.train) || !isfinite(g.validation))
        snprintf(g.text, sizeof g.text,
                 "no losses of the training part and of the validation part that can be compared.");
    else
        judge(row, rows, best, &g);
    *out = g;
}

/* ---- metrics.jsonl ---- */

static double number(const json_t *v, const char *key) {
    const json_t *x = json_object_get(v, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static ct_status read_rows(const char *text, uint64_t bytes, const char *path, const ct_allocator *a,
                           ct_epoch **out, int64_t *n, uint64_t *room, ct_err *e) {
    uint64_t lines = 0, at = 0;
    for (uint64_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    *room = lines + 1;
    *out = ct_new_array(a, *room, sizeof **out);
    if (!*out)
        return ct_fail_at(e, CT_ELIMIT, path, -1, "out of memory; wanted its %llu lines; free some",
                          (unsigned long long)lines);
    for (uint64_t line = 0; line < lines; line++) { /* a torn last line has no end */
        const char *end = memchr(text + at, '\n', bytes - at);
        uint64_t length = (uint64_t)(end - (text + at));
        json_t *v = json_loadb(text + at, length, 0, NULL);
        if (!json_is_object(v)) {
            json_decref(v);
            return ct_fail_at(e, CT_EDATA, path, (int64_t)line + 1,
                              "no JSON object in this line; wanted one an epoch; take another copy");
        }
        (*out)[(*n)++] = (ct_epoch){.epoch = json_integer_value(json_object_get(v, "epoch")),
                                    .steps = json_integer_value(json_object_get(v, "steps")),
                                    .loss = number(v, "loss"),
                                    .validation = number(v, "validation_loss"),
                                    .accuracy = number(v, "validation_accuracy"),
                                    .best = json_is_true(json_object_get(v, "best")),
                                    .train = number(v, "train_loss"),
                                    .train_accuracy = number(v, "train_accuracy")};
        json_decref(v);
        at += length + 1;
    }
    return CT_OK;
}

ct_status ct_run_gap(const ct_files *f, const ct_allocator *a, const char *run, ct_gap *out, ct_err *e) {
    char path[4300];
    ct__run paths;
    struct stat st;
    void *data = NULL;
    uint64_t bytes = 0, room = 0;
    int64_t n = 0;
    ct_epoch *rows = NULL;
    ct_status s = CT_OK;
    if (stat(run, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (strlen(run) > 4096)
            return ct_fail(e, CT_EIO, "run: a path of %zu bytes; wanted at most 4,096; use a shorter one",
                           strlen(run));
        snprintf(path, sizeof path, "%s/metrics.jsonl", run);
    } else {
        s = ct__run_paths(&paths, run, e);
        if (!s) ct__run_path(&paths, "metrics.jsonl", path);
    }
    if (!s) s = ct_file_read(f, a, path, 1u << 30, &data, &bytes, e);
    if (!s) s = read_rows(data, bytes, path, a, &rows, &n, &room, e);
    if (!s) ct_gap_of(rows, n, out);
    ct_delete(a, rows, room * sizeof *rows);
    ct_delete(a, data, bytes);
    return s;
}
