/* train.c: cotan train image DIR -o MODEL. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* A number option given as 0: meant, not left out. */
static double meant(const cli *c, const char *name, double v) {
    return cli_given(c, name) && !(fabs(v) > 0) ? CT_ZERO : v;
}

/* The folder or list: of the command line, else as --config has it; NULL: a run that is resumed knows it. */
static const char *data_of(const cli *c) {
    return c->words > 1 ? c->word[1] : c->config_data && *c->config_data ? c->config_data : NULL;
}

static ct_image_train job_of(cli *c, const char *command) {
    ct_options context = cli_context(c);
    return (ct_image_train){
        .data = data_of(c),
        .output = c->output,
        .model = c->config_net ? c->config_model : c->model,
        .net = c->net,
        .net_text = c->config_net,
        .validate = c->validate,
        .init = c->init,
        .transform = c->transform,
        .optimiser = c->optimizer,
        .schedule = c->schedule,
        .nonfinite = c->nonfinite,
        .command = command,
        .set = c->set,
        .n_set = c->n_set,
        .threads = (int32_t)c->threads,
        .epochs = c->epochs,
        .batch = c->batch,
        .limit = c->limit,
        .steps = c->steps,
        .freeze = c->freeze,
        .labels = c->names,
        .momentum = meant(c, "momentum", c->momentum),
        .warmup = c->warmup,
        .memory = c->memory,
        .class_weights = c->class_weights,
        .lr_auto = cli_given(c, "lr") && !(c->lr > 0),
        .stop_at = c->stop_at,
        .seed = c->seed,
        .seed_given = cli_given(c, "seed"),
        .lr = c->lr,
        .time_limit = c->time_limit,
        .weight_decay = meant(c, "weight-decay", c->weight_decay),
        .clip_norm = meant(c, "clip", c->clip),
        .average = meant(c, "ema", c->ema),
        .smoothing = meant(c, "label-smoothing", c->label_smoothing),
        .patience = cli_given(c, "patience") && c->patience == 0 ? -1 : (int32_t)c->patience,
        .resume = c->resume,
        .force = c->force,
        .dry_run = c->dry_run,
        .checkpoint_every = (int32_t)c->checkpoint_every,
        .debug = c->debug,
        .trap = c->trap,
        .strict = c->strict,
        .follow_links = c->follow_links,
        .allow_broken = c->allow_broken,
        .report = c->report,
        .tensorboard = c->tensorboard,
        .doctor = c->doctor && strcmp(c->doctor, "off") == 0 ? -1 : 0,
        .files = *context.files,
        .log = context.log,
        .stop = &cli_stop,
        .tell = cli_screen,
        .user = c,
    };
}

/* The words that make the same model again: every option of the recipe that was given. What a time limit, a bound of memory
 * and a range test decided, and the last step, is added by the job as numbers. A net that came from a run's config.json has no other name. */
static const char *command_of(cli *c) {
    static const char *const left_out[] = {"resume", "force", "dry-run", "config", "json",
                                           "quiet",  "set",   "stop-at", NULL};
    ct_text t = {0};
    ct_text_add(&t, "cotan train image ");
    cli_quote(&t, data_of(c) ? data_of(c) : "DIR");
    for (const option *o = cli_options; o->name; o++) {
        const char *text = c->given[o - cli_options];
        int skip = !text || strcmp(o->name, "time-limit") == 0 || strcmp(o->name, "memory") == 0 ||
                   (strcmp(o->name, "lr") == 0 && !(c->lr > 0)) ||
                   (c->time_limit > 0 && (strcmp(o->name, "epochs") == 0 || strcmp(o->name, "steps") == 0));
        for (int i = 0; left_out[i]; i++) skip |= strcmp(o->name, left_out[i]) == 0;
        if (c->config_net && strcmp(o->name, "config") == 0) skip = 0;
        if (skip) continue;
        ct_text_format(&t, o->letter ? " -%.1s" : " --%s", o->letter ? &o->letter : o->name);
        if (!o->value) continue;
        ct_text_add(&t, " ");
        cli_quote(&t, text);
    }
    for (int32_t i = 0; i < c->n_set; i++) {
        char word[400];
        snprintf(word, sizeof word, "%.100s=%.280s", c->set[i].name, c->set[i].value);
        ct_text_add(&t, " --set ");
        cli_quote(&t, word);
    }
    const char *kept = t.failed ? NULL : ct_arena_text(&c->arena, t.data);
    ct_text_free(&t);
    return kept;
}

static json_t *findings_json(const ct_train_result *r) {
    json_t *list = json_array();
    for (int32_t i = 0; i < r->findings; i++) {
        const ct_finding *f = &r->finding[i];
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:s}", "fault", ct_fault_name(f->fault), "step",
                            (json_int_t)f->step, "layer", f->layer, "value", cli_number(f->value), "limit",
                            cli_number(f->limit), "text", cli_path(f->text), "advice", f->advice));
    }
    return list;
}

static void report_json(const ct_train_result *r) {
    json_t *metrics = r->validation.samples ? cli_score(&r->validation) : json_null();
    if (json_is_object(metrics)) {
        json_object_set_new(metrics, "part", json_string("validation"));
        json_object_set_new(metrics, "best_epoch", json_integer(r->best_epoch));
    }
    cli_json(json_pack("{s:o, s:o, s:I, s:I, s:o, s:o, s:b, s:b, s:o, s:o}", "model", cli_path(r->model),
                       "run", cli_path(r->run), "epochs", (json_int_t)r->epochs, "steps",
                       (json_int_t)r->steps, "seconds", cli_number(r->seconds), "metrics", metrics, "resumed",
                       r->resumed, "finished_before", r->finished_before, "findings", findings_json(r),
                       "report", r->report[0] ? cli_path(r->report) : json_null()));
}

static void next_commands(const cli *c, const ct_train_result *r) {
    ct_text t = {0};
    for (int k = 0; k < 2; k++) {
        ct_text_add(&t, "\n  ");
        cli_quote(&t, c->program);
        ct_text_add(&t, k ? " inspect " : " evaluate ");
        cli_quote(&t, r->model);
        if (k) continue;
        ct_text_add(&t, " ");
        cli_quote(&t, r->data[0] ? r->data : "DIR");
    }
    if (!t.failed) fprintf(stderr, "\nNext:%s\n", t.data);
    ct_text_free(&t);
}

static void report(cli *c, const ct_train_result *r) {
    char spent[32], path[4200];
    const ct_score *v = &r->validation;
    if (c->json) report_json(r);
    if (c->quiet || c->dry_run) return;
    if (!r->finished_before) {
        fputs("\n", stderr);
        cli_screen_fact(c, "best epoch",
                        "%lld of %lld: validation accuracy %.2f %% (%.1f to %.1f), naive baseline %.1f %%",
                        (long long)r->best_epoch, (long long)r->epochs, v->accuracy * 100, v->low * 100,
                        v->high * 100, v->baseline * 100);
        cli_screen_fact(c, "model", "%s", ct_escape(r->model, path, sizeof path));
        cli_screen_fact(c, "run", "%s/", ct_escape(r->run, path, sizeof path));
    }
    if (r->report[0]) cli_screen_fact(c, "report", "%s", ct_escape(r->report, path, sizeof path));
    if (!r->finished_before) cli_screen_fact(c, "time", "%s", cli_time(r->seconds, spent));
    next_commands(c, r);
}

static void how_to_go_on(const cli *c) {
    ct_text t = {0};
    cli_quote(&t, c->program);
    ct_text_add(&t, " train image ");
    if (c->words > 1) cli_quote(&t, c->word[1]);
    ct_text_add(&t, c->words > 1 ? " -o " : "-o ");
    cli_quote(&t, c->output);
    if (!t.failed) fprintf(stderr, "\nGo on with:\n  %s --resume\n", t.data);
    ct_text_free(&t);
}

static ct_status check(cli *c) {
    if (strcmp(c->word[0], "image") != 0)
        return ct_fail(&c->e, CT_EUSAGE,
                       "cotan train %.200s: no such task; wanted image; write cotan train image %.200s",
                       c->word[0], access(c->word[0], F_OK) == 0 ? c->word[0] : "DIR -o MODEL");
    if (c->config && cli_config(c, c->config)) return CT_EUSAGE;
    if (cli_output(c)) return CT_EUSAGE;
    if (!c->output && !data_of(c))
        return ct_fail(&c->e, CT_EUSAGE,
                       "cotan train image: no data and no output; wanted both; write cotan train image DIR "
                       "-o m.safetensors");
    if (!c->output)
        return ct_fail(&c->e, CT_EUSAGE,
                       "cotan train image: no output; wanted -o FILE; add -o m.safetensors, for one");
    if (!data_of(c) && !c->resume)
        return ct_fail(
            &c->e, CT_EUSAGE,
            "cotan train image: no data; wanted a folder of pictures; write cotan train image DIR -o %.200s",
            c->output);
    if (c->resume && c->force)
        return ct_fail(
            &c->e, CT_EUSAGE,
            "--resume and --force: one goes on, the other begins anew; wanted one of them; leave one out");
    if (c->model && c->net)
        return ct_fail(&c->e, CT_EUSAGE,
                       "--model %.60s and --net %.100s: two nets; wanted one of them; leave one out",
                       c->model, c->net);
    return CT_OK;
}

int cli_train(cli *c) {
    ct_train_result *result =
        ct_arena_new(&c->arena, sizeof *result); /* its paths are too much for a small stack */
    int32_t background = 0;
    if (check(c) || cli_transform(c) || cli_labels(c)) return cli_fail(c);
    if (c->background && ct_picture_background(c->background, &background, &c->e)) return cli_fail(c);
    const char *command = command_of(c);
    if (!command || !result) ct_fail(&c->e, CT_ELIMIT, "out of memory");
    ct_image_train job = job_of(c, command);
    job.background = background;
    ct_status s = command && result ? ct_train_image(&job, result, &c->e) : CT_ELIMIT;
    cli_screen_clear(&c->screen);
    if (s) {
        int code = cli_fail(c);
        if (s == CT_ECANCEL && !c->quiet) how_to_go_on(c);
        return code;
    }
    report(c, result);
    return 0;
}
