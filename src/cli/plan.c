/* plan.c: cotan plan: the steps of a plan, measured. The net comes from a model, a preset or a file of text. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

typedef struct planned {
    cli *c;
    ct_ctx *ctx;
    ct_model *model;
    ct_t y;
    ct_plan *plan;
    int64_t batch;
} planned;

static ct_status parse_shape(cli *c, int64_t shape[3]) {
    const char *text = c->input ? c->input : "1x28x28", *at = text;
    for (int i = 0; i < 3; i++) {
        char *end;
        shape[i] = strtoll(at, &end, 10);
        if (end == at || shape[i] < 1 || shape[i] > 65535 || *end != (i < 2 ? 'x' : 0))
            return ct_fail(&c->e, CT_EUSAGE, "--input: %.60s; wanted a shape CxHxW; write 3x32x32, for one",
                           text);
        at = end + 1;
    }
    return CT_OK;
}

static ct_status from_text(planned *p, const char *text, const char *name) {
    int64_t shape[3];
    char classes[32];
    cli *c = p->c;
    ct_options o = cli_context(c);
    ct_status s = parse_shape(c, shape);
    if (s) return s;
    snprintf(classes, sizeof classes, "%lld", (long long)(c->classes ? c->classes : 10));
    ct_setting constants[1] = {{"classes", classes}};
    ct_net_input input = {"image", {{CT_N, shape[0], shape[1], shape[2]}, 4, 0}, CT_F32, 0};
    ct_net_env env = {.inputs = &input,
                      .n_inputs = 1,
                      .constants = constants,
                      .n_constants = 1,
                      .settings = c->set,
                      .n_settings = c->n_set};
    p->ctx = ct_open(&o);
    if (!p->ctx) return ct_fail(&c->e, CT_ELIMIT, "out of memory");
    return ct_net_build(ct_default_graph(p->ctx), text, name, &env, &p->y, &c->e);
}

static ct_status from_file(planned *p, const char *name) {
    void *data;
    uint64_t bytes;
    ct_status s = ct_file_read(cli_files(), NULL, name, 1 << 20, &data, &bytes, &p->c->e);
    if (s) return s;
    char *text = ct_arena_new(&p->c->arena, bytes + 1);
    if (text) memcpy(text, data, bytes);
    ct_delete(NULL, data, bytes);
    return text ? from_text(p, text, name) : ct_fail(&p->c->e, CT_ELIMIT, "out of memory");
}

static ct_status from_model(planned *p, const char *name) {
    static const char *const of_nets[] = {"input", "classes", "set", NULL};
    ct_options o = cli_context(p->c);
    ct_status s = cli_idle(p->c, of_nets, name, "a model, whose net is fixed; wanted a preset or a FILE.net");
    if (s) return s;
    if (ct_model_open(name, &o, &p->model, &p->c->e)) return cli_no_model(p->c, name);
    p->ctx = ct_model_context(p->model);
    p->y = ct_model_output(p->model);
    return CT_OK;
}

static ct_status open_net(planned *p) {
    const char *name = p->c->word[0], *preset = ct_preset_text(name), *names[64], *near;
    size_t length = strlen(name);
    int32_t n = 0;
    if (preset) return from_text(p, preset, name);
    if (length > 4 && strcmp(name + length - 4, ".net") == 0) return from_file(p, name);
    for (; n < ct_preset_count() && n < 64; n++) names[n] = ct_preset_name(n);
    near = ct_nearest(name, names, (size_t)n);
    if (near && access(name, F_OK) != 0)
        return ct_fail(&p->c->e, CT_EUSAGE,
                       "%.200s: no such file, and no such preset; wanted %s; see cotan presets", name, near);
    return from_model(p, name);
}

static ct_status compile(planned *p) {
    if (!p->c->train)
        return ct_plan_new(&p->y, 1, NULL, 0, (ct_compile){.batch = p->batch}, &p->plan, &p->c->e);
    ct_t label = ct_graph_input(ct_graph_of(p->y), "label", CT_I64, CT_SHAPE(CT_N));
    ct_t loss = ct_cross_entropy(p->y, label, (ct_t){0}, (ct_ce){0});
    return ct_compile_train(loss, NULL, 0, &(ct_train){.batch = p->batch}, &p->plan, &p->c->e);
}

static json_t *step_json(const ct_step_info *i) {
    double rate = i->ms > 0 ? i->flops / i->ms / 1e6 : 0;
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:i, s:I, s:f, s:o, s:o}", "op", i->op, "fused",
                     i->fused, "name", i->name, "shape", cli_shape(&i->shape), "layout", i->layout, "impl",
                     i->impl, "phase", i->phase, "tasks", i->tasks, "bytes", (json_int_t)i->bytes, "flops",
                     i->flops, "ms", cli_number(i->ms), "gflops", cli_number(rate));
}

static void print_step(const ct_step_info *i) {
    char op[128], shape[CT_SHAPE_TEXT];
    snprintf(op, sizeof op, "%s%s", i->op, i->fused);
    printf("%-28.28s %-16.16s %-20s %-10s %-16.16s %5d %10.0f %9.3f", op, i->name,
           ct_shape_format(&i->shape, shape), i->layout, i->impl, i->tasks, (double)i->bytes / 1024, i->ms);
    if (i->flops > 0 && i->ms > 0) printf(" %8.1f", i->flops / i->ms / 1e6);
    printf("\n");
}

static void print_sum(const planned *p, const ct_plan_info *info, double ms, double flops) {
    printf("\nbatch %lld in %lld shard%s of %lld; %lld steps in %lld phases; %.3f ms of work, %.1f GFLOP/s; "
           "at most "
           "%.1f MB\n",
           (long long)p->batch, (long long)info->shards, info->shards == 1 ? "" : "s",
           (long long)info->shard_rows, (long long)info->steps, (long long)info->phases, ms,
           ms > 0 ? flops / ms / 1e6 : 0, (double)info->peak_bytes / 1e6);
}

static ct_status print_steps(planned *p, const ct_plan_info *info) {
    json_t *list = p->c->json ? json_array() : NULL;
    double ms = 0, flops = 0;
    ct_status s = CT_OK;
    if (!list)
        printf("%-28s %-16s %-20s %-10s %-16s %5s %10s %9s %8s\n", "op", "name", "shape", "layout",
               "implementation", "tasks", "KB", "ms", "GFLOP/s");
    for (int64_t i = 0; i < info->steps; i++) {
        ct_step_info step;
        s = ct_plan_step(p->plan, p->batch, i, &step, &p->c->e);
        if (s) break;
        ms += step.ms;
        flops += step.flops;
        if (list)
            json_array_append_new(list, step_json(&step));
        else
            print_step(&step);
    }
    if (!s && list)
        cli_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:O}", "batch", (json_int_t)p->batch,
                           "peak_bytes", (json_int_t)info->peak_bytes, "shards", (json_int_t)info->shards,
                           "shard_rows", (json_int_t)info->shard_rows, "phases", (json_int_t)info->phases,
                           "ms", ms, "flops", flops, "ops", list));
    else if (!s)
        print_sum(p, info, ms, flops);
    json_decref(list);
    return s;
}

static ct_status print_dot(planned *p) {
    ct_text t = {0};
    ct_status s = ct_graph_dot(p->y, &t);
    if (s) return ct_fail(&p->c->e, s, "the graph cannot be drawn");
    fputs(t.data ? t.data : "", stdout);
    ct_text_free(&t);
    return CT_OK;
}

static ct_status show(planned *p) {
    ct_plan_info info;
    ct_session *session = NULL;
    if (p->c->dot && p->c->json)
        return ct_fail(&p->c->e, CT_EUSAGE,
                       "--dot and --json: two forms of output; wanted one; leave one out");
    if (p->c->dot) return print_dot(p);
    ct_status s = compile(p);
    if (!s) s = ct_session_new(p->ctx, &session, &p->c->e);
    if (!s) {
        s = ct_plan_profile(session, p->plan, p->batch, p->c->repeats ? (int32_t)p->c->repeats : 20);
        if (s) ct_fail(&p->c->e, s, "%s", ct_session_error(session));
    }
    if (!s) s = ct_plan_describe(p->plan, p->batch, &info, &p->c->e);
    if (!s) s = print_steps(p, &info);
    ct_session_free(session);
    return s;
}

int cli_plan(cli *c) {
    planned p = {.c = c, .batch = c->batch ? c->batch : c->train ? 64 : 1};
    ct_status s = open_net(&p);
    if (!s) s = show(&p);
    ct_plan_free(p.plan);
    if (p.model)
        ct_model_close(p.model);
    else
        ct_close(p.ctx);
    return s ? cli_fail(c) : 0;
}
