/* train.c: cotan train image DIR -o MODEL. */
#include <string.h>

#include "cli/cli.h"

static ct_image_train job_of(cli *c) {
    return (ct_image_train){
        .data = c->word[1],
        .output = c->output,
        .model = c->model,
        .net = c->net,
        .validate = c->validate,
        .init = c->init,
        .transform = c->transform,
        .optimiser = c->optimizer,
        .schedule = c->schedule,
        .command = c->command,
        .set = c->set,
        .n_set = c->n_set,
        .threads = (int32_t)c->threads,
        .epochs = c->epochs,
        .batch = c->batch,
        .limit = c->limit,
        .seed = c->seed,
        .lr = c->lr,
        .time_limit = c->time_limit,
        .weight_decay = c->weight_decay,
        .clip_norm = c->clip,
        .average = c->ema,
        .smoothing = c->label_smoothing,
        .patience = (int32_t)c->patience,
        .resume = c->resume,
        .force = c->force,
        .dry_run = c->dry_run,
        .checkpoint_every = (int32_t)c->checkpoint_every,
        .debug = c->debug,
        .trap = c->trap,
        .stop = &cli_stop,
        .tell = cli_screen,
        .user = c,
    };
}

static void report(const cli *c, const ct_train_result *r) {
    char spent[32];
    if (c->json) {
        json_t *v =
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:b, s:b}", "model", r->model, "run", r->run,
                      "epochs", (json_int_t)r->epochs, "steps", (json_int_t)r->steps, "best_epoch",
                      (json_int_t)r->best_epoch, "seconds", cli_number(r->seconds), "validation_accuracy",
                      cli_number(r->validation.accuracy), "validation_loss", cli_number(r->validation.loss),
                      "resumed", r->resumed, "finished_before", r->finished_before);
        cli_json(v);
    }
    if (c->quiet || r->finished_before || c->dry_run) return;
    fprintf(stderr, "\n  %-12s %s\n  %-12s %s\n  %-12s %s\n", "model", r->model, "run", r->run, "time",
            cli_time(r->seconds, spent));
    fprintf(stderr, "\nNext:\n  cotan evaluate %s %s\n  cotan inspect %s\n", r->model, c->word[1], r->model);
}

int cli_train(cli *c) {
    ct_train_result result = {0};
    if (strcmp(c->word[0], "image") != 0) {
        ct_fail(&c->e, CT_EUSAGE, "cotan train %.60s: no such task; wanted image; see cotan train --help",
                c->word[0]);
        return cli_fail(c);
    }
    if (c->config && cli_config(c, c->config)) return cli_fail(c);
    if (!c->output) {
        ct_fail(&c->e, CT_EUSAGE, "cotan train image: no output; wanted -o FILE, such as -o m.safetensors");
        return cli_fail(c);
    }
    if (c->model && c->net) {
        ct_fail(&c->e, CT_EUSAGE, "--model %.60s and --net %.100s: two nets; wanted one of them", c->model,
                c->net);
        return cli_fail(c);
    }
    ct_image_train job = job_of(c);
    ct_status s = ct_train_image(&job, &result, &c->e);
    if (s == CT_ECANCEL && !c->quiet)
        fprintf(stderr, "\nGo on with:\n  cotan train image %s -o %s --resume\n", c->word[1], c->output);
    if (s) return cli_fail(c);
    report(c, &result);
    return 0;
}
