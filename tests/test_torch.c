/* test_torch.c: M5, against PyTorch's numbers of torch/references.safetensors (references.py wrote them): values and
 * gradients of every op, twenty steps of every optimiser, schedules, gains, names of state_dicts.
 *
 * Our f32 must be within 1.3e-6 relative and 1e-5 absolute of PyTorch's double, our references, which the case runner
 * holds the kernels against, within 1e-7 and 1e-7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cotan/model.h"
#include "cotan/nn.h"
#include "plan/interpret.h"

#define MAX 16
#define ROOM 40000

static ct_tensors *file;
static json_t *list;

static ct_array tensor(const char *format, const char *a, const char *b) {
    char name[200];
    ct_array out = {0};
    snprintf(name, sizeof name, format, a, b);
    int64_t i = ct_tensors_find(file, name);
    if (i < 0 || ct_tensors_at(file, i, &out)) fail_msg("no tensor %s", name);
    return out;
}

static double element(const void *data, int32_t dtype, uint64_t i) {
    if (dtype == CT_F32) return (double)((const float *)data)[i];
    if (dtype == CT_F64) return ((const double *)data)[i];
    if (dtype == CT_I64) return (double)((const int64_t *)data)[i];
    if (dtype == CT_I32) return (double)((const int32_t *)data)[i];
    return (double)((const uint8_t *)data)[i];
}

static int near(double have, double want, double relative, double absolute) {
    return have == want || (isnan(have) && isnan(want)) ||
           fabs(have - want) <= absolute + relative * fabs(want);
}

static void compare(const char *name, const char *what, const void *have, int32_t dtype,
                    const ct_array *want) {
    int exact = dtype == CT_F64;
    for (uint64_t i = 0, n = ct_array_count(want); i < n; i++) {
        double h = element(have, dtype, i), w = element(want->data, want->dtype, i);
        if (!near(h, w, exact ? 1e-7 : 1.3e-6, exact ? 1e-7 : 1e-5))
            fail_msg("%s: %s%s: element %llu is %.12g; PyTorch has %.12g", name, what,
                     exact ? " by the reference" : "", (unsigned long long)i, h, w);
    }
}

/* ---- ops ---- */

typedef struct subject { /* a case built */
    const json_t *row;
    const char *name;
    ct_ctx *c;
    ct_graph *g;
    ct_t out[MAX]; /* y, gradients */
    int32_t outs, train;
} subject;

static const char *text_at(const json_t *array, int32_t i) {
    return json_string_value(json_array_get(array, (size_t)i));
}

static ct_t leaf(const subject *s, const char *name) {
    for (int32_t i = 0; i < s->g->nodes; i++)
        if (s->g->node[i]->op == &ct__op_input && strcmp(s->g->node[i]->name, name) == 0)
            return (ct_t){s->g->node[i], 0, 0};
    return ct_param(s->c, name);
}

static void set_variables(const subject *s) {
    const json_t *vars = json_object_get(s->row, "vars");
    ct_err e = {0};
    for (int32_t i = 0; i < (int32_t)json_array_size(vars); i++) {
        ct_array a = tensor("%s:var:%s", s->name, text_at(vars, i));
        if (ct_var_set(s->c, text_at(vars, i), &a, &e)) fail_msg("%s: %s", s->name, e.text);
    }
}

static void build(subject *s) {
    const json_t *inputs = json_object_get(s->row, "inputs"), *grads = json_object_get(s->row, "grads");
    ct_net_input in[MAX];
    ct_t wrt[MAX];
    char text[600];
    ct_err e = {0};
    int32_t n_in = (int32_t)json_array_size(inputs), n = (int32_t)json_array_size(grads);
    for (int32_t i = 0; i < n_in; i++) {
        ct_array a = tensor("%s:in:%s", s->name, text_at(inputs, i));
        in[i] = (ct_net_input){text_at(inputs, i), ct_shape_make(a.rank, a.dim), a.dtype, 0};
    }
    ct_net_env env = {.inputs = in, .n_inputs = n_in};
    snprintf(text, sizeof text, "y = %s\n", json_string_value(json_object_get(s->row, "net")));
    if (ct_net_build(s->g, text, s->name, &env, &s->out[0], &e)) fail_msg("%s: %s", s->name, e.text);
    set_variables(s);
    for (int32_t i = 0; i < n; i++) wrt[i] = leaf(s, text_at(grads, i));
    ct_t dy = n ? ct_graph_input(s->g, "dy", CT_F32, ct_shape_of(s->out[0])) : (ct_t){0};
    if (n && ct_grad(s->out[0], &dy, wrt, n, s->out + 1)) fail_msg("%s: %s", s->name, ct_error(s->c));
    s->outs = 1 + n;
}

static void compare_all(const subject *s, void *const *have, const int32_t *dtype) {
    const json_t *grads = json_object_get(s->row, "grads");
    ct_array y = tensor("%s:%s", s->name, "y");
    compare(s->name, "y", have[0], dtype[0], &y);
    for (int32_t i = 1; i < s->outs; i++) {
        ct_array a = tensor("%s:grad:%s", s->name, text_at(grads, i - 1));
        compare(s->name, text_at(grads, i - 1), have[i], dtype[i], &a);
    }
}

/* Our double references on the same graph. */
static void check_references(const subject *s) {
    ct_arena arena = {0};
    ct_err e = {0};
    ct__ref_array out[MAX];
    void *have[MAX];
    int32_t dtype[MAX];
    ct__interpreter t = {.graph = s->g, .batch = 1, .train = s->train, .nodes = s->g->nodes};
    t.source = ct_arena_array(&arena, (uint64_t)s->g->nodes + 1, sizeof *t.source);
    assert_non_null(t.source);
    for (int32_t i = 0; i < s->g->nodes; i++) {
        ct_node *n = s->g->node[i];
        if (!(n->op->flags & CT__OP_SOURCE) || n->data) continue;
        int32_t known = !n->var || n->var->dtype == CT_F32;
        assert_true(ct__ref_new(&arena, &n->out[0], 1, &t.source[i]));
        ct_array a = {0};
        if (!n->var)
            a = strcmp(n->name, "dy") ? tensor("%s:in:%s", s->name, n->name) : tensor("%s:%s", s->name, "dy");
        if (n->var && known) a = tensor("%s:var:%s", s->name, n->name);
        for (uint64_t k = 0; known && k < ct_array_count(&a); k++)
            t.source[i].v[k] = element(a.data, a.dtype, k);
    }
    if (ct__interpret(&t, &arena, s->out, s->outs, out, &e)) fail_msg("%s: %s", s->name, e.text);
    for (int32_t i = 0; i < s->outs; i++) {
        have[i] = out[i].v;
        dtype[i] = CT_F64;
    }
    compare_all(s, have, dtype);
    ct_arena_free(&arena);
}

/* The planner's numbers, and the buffers after the step. */
static void check_plan(const subject *s) {
    const void *feed[MAX];
    void *room[MAX];
    int32_t dtype[MAX];
    ct_plan *p;
    ct_session *session;
    ct_err e = {0};
    if (ct_plan_new(s->out, s->outs, NULL, 0, (ct_compile){.train = s->train}, &p, &e) ||
        ct_session_new(s->c, &session, &e))
        fail_msg("%s: %s", s->name, e.text);
    for (int32_t i = 0; i < ct_plan_inputs(p); i++) {
        const char *key = ct_plan_input_name(p, i);
        feed[i] =
            strcmp(key, "dy") ? tensor("%s:in:%s", s->name, key).data : tensor("%s:%s", s->name, "dy").data;
    }
    for (int32_t i = 0; i < s->outs; i++) {
        room[i] = calloc(ROOM, sizeof(double));
        dtype[i] = (int32_t)ct_dtype_of(s->out[i]);
    }
    if (ct_run(session, p, feed, 1, room)) fail_msg("%s: %s", s->name, ct_session_error(session));
    compare_all(s, room, dtype);
    for (int32_t i = 0; i < s->outs; i++) free(room[i]);
    const json_t *after = json_object_get(s->row, "after");
    for (int32_t i = 0; i < (int32_t)json_array_size(after); i++) {
        float now[64];
        ct_array want = tensor("%s:after:%s", s->name, text_at(after, i)),
                 have = ct_array_view(now, CT_F32, ct_shape_make(want.rank, want.dim));
        if (ct_var_get(s->c, text_at(after, i), &have, &e)) fail_msg("%s: %s", s->name, e.text);
        compare(s->name, text_at(after, i), now, CT_F32, &want);
    }
    ct_session_free(session);
    ct_plan_free(p);
}

static void one_case(const json_t *row) {
    subject s = {.row = row, .name = json_string_value(json_object_get(row, "name")), .c = ct_open(NULL)};
    s.g = ct_default_graph(s.c);
    s.train = strcmp(json_string_value(json_object_get(row, "mode")), "train") == 0;
    build(&s);
    check_references(&s);
    check_plan(&s);
    ct_close(s.c);
}

static void M5_ops(void **state) {
    (void)state;
    const json_t *cases = json_object_get(list, "cases");
    assert_true(json_array_size(cases) >= 350);
    for (size_t i = 0; i < json_array_size(cases); i++) one_case(json_array_get(cases, i));
}

/* Every op that a net can name stands in some reference. */
static void M5_no_op_is_left_out(void **state) {
    static const char *const ours[] = {"guard", "custom"}; /* nothing of PyTorch's */
    const json_t *cases = json_object_get(list, "cases");
    (void)state;
    for (int32_t i = 0; ct__ops[i]; i++) {
        const ct__op *op = ct__ops[i];
        char call[100];
        int found = (op->flags & (CT__OP_INTERNAL | CT__OP_SOURCE | CT__OP_ASSIGN)) != 0 || op->update;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++) found |= strcmp(ours[k], op->name) == 0;
        snprintf(call, sizeof call, "%s(", op->name);
        for (size_t k = 0; !found && k < json_array_size(cases); k++) {
            const char *net = json_string_value(json_object_get(json_array_get(cases, k), "net"));
            const char *at = strstr(net, call);
            found = at && (at == net || at[-1] == ' ' || at[-1] == '(');
        }
        if (!found) fail_msg("%s: no reference", op->name);
    }
}

/* ---- optimisers ---- */

static double number(const json_t *row, const char *key) {
    return json_number_value(json_object_get(row, key));
}

typedef struct training {
    const json_t *row;
    const char *name;
    ct_ctx *c;
    ct_plan *plan;
    ct_session *s;
    ct_train t;
    ct_group group;
} training;

static void read_options(training *r) {
    const json_t *row = r->row, *group = json_object_get(row, "group");
    int32_t rule = ct_optimiser_of(json_string_value(json_object_get(row, "kind")));
    r->t = (ct_train){.optimiser = number(row, "decoupled") > 0 ? rule | CT_DECOUPLED : rule,
                      .lr = number(row, "lr"),
                      .weight_decay = number(row, "weight_decay"),
                      .momentum = number(row, "momentum"),
                      .nesterov = (int32_t)number(row, "nesterov"),
                      .centered = (int32_t)number(row, "centered"),
                      .beta1 = number(row, "beta1"),
                      .beta2 = number(row, "beta2"),
                      .eps = number(row, "eps"),
                      .alpha = number(row, "alpha") + number(row, "dampening") + number(row, "lr_decay") +
                               number(row, "momentum_decay"),
                      .l1 = number(row, "l1"),
                      .clip_norm = number(row, "clip_norm"),
                      .clip_value = number(row, "clip_value"),
                      .average = number(row, "average")};
    if (!group) return;
    r->group = (ct_group){.prefix = json_string_value(json_object_get(group, "prefix")),
                          .lr_scale = number(group, "lr_scale"),
                          .weight_decay = number(group, "weight_decay")};
    r->t.group = &r->group;
    r->t.groups = 1;
}

static ct_t parameter(ct_graph *g, const char *name, ct_shape shape, const float *from) {
    ct_err e = {0};
    ct_t w = ct_var_new(g, CT_PARAM, name, CT_F32, shape, (ct_init){.kind = CT_INIT_ZEROS});
    ct_array a = ct_array_view((float *)(uintptr_t)from, CT_F32, shape);
    if (ct_var_set(ct_context(w), name, &a, &e)) fail_msg("%s", e.text);
    return w;
}

/* A loss whose gradients are the inputs gw and gv. */
static void open_training(training *r) {
    ct_graph *g = ct_default_graph(r->c);
    ct_shape w = CT_SHAPE(9), v = CT_SHAPE(3, 5), all = CT_SHAPE(0);
    ct_array start = tensor("%s:%s", "training", "weights");
    const float *from = start.data;
    ct_err e = {0};
    all.rank = 0;
    ct_t pw = parameter(g, "w", w, from), pv = parameter(g, "v", v, from + 9);
    ct_t gw = ct_graph_input(g, "gw", CT_F32, w), gv = ct_graph_input(g, "gv", CT_F32, v);
    ct_t loss =
        ct_add(ct_sum(ct_mul(pw, gw), all, (ct_reduce){0}), ct_sum(ct_mul(pv, gv), all, (ct_reduce){0}));
    const char *freeze = json_string_value(json_object_get(r->row, "freeze"));
    if (freeze) assert_int_equal(ct_freeze(r->c, freeze, 1), 1);
    if (ct_compile_train(loss, NULL, 0, &r->t, &r->plan, &e) || ct_session_new(r->c, &r->s, &e))
        fail_msg("%s: %s", r->name, e.text);
}

static void read_weights(const training *r, const char *prefix, float out[24]) {
    char w[20], v[20];
    ct_err e = {0};
    ct_array a = ct_array_view(out, CT_F32, CT_SHAPE(9)), b = ct_array_view(out + 9, CT_F32, CT_SHAPE(3, 5));
    snprintf(w, sizeof w, "%sw", prefix);
    snprintf(v, sizeof v, "%sv", prefix);
    if (ct_var_get(r->c, w, &a, &e) || ct_var_get(r->c, v, &b, &e)) fail_msg("%s: %s", r->name, e.text);
}

static void one_optimiser(const json_t *row) {
    training r = {.row = row, .name = json_string_value(json_object_get(row, "name")), .c = ct_open(NULL)};
    ct_array g = tensor("%s:%s", "training", "gradients"), after = tensor("opt:%s:%s", r.name, "after");
    read_options(&r);
    open_training(&r);
    for (int64_t k = 0; k < g.dim[0]; k++) {
        float now[24];
        char what[40];
        const float *gradient = (const float *)g.data + k * 24;
        ct_array want = ct_array_view((double *)after.data + k * 24, CT_F64, CT_SHAPE(24));
        if (ct_run(r.s, r.plan, (const void *[2]){gradient, gradient + 9}, 1, (void *[2]){NULL, NULL}))
            fail_msg("%s: %s", r.name, ct_session_error(r.s));
        snprintf(what, sizeof what, "step %lld", (long long)k + 1);
        read_weights(&r, "", now);
        compare(r.name, what, now, CT_F32, &want);
        if (r.t.average <= 0) continue;
        want.data = (double *)tensor("opt:%s:%s", r.name, "average").data + k * 24;
        read_weights(&r, "ema.", now);
        compare(r.name, "average", now, CT_F32, &want);
    }
    ct_session_free(r.s);
    ct_plan_free(r.plan);
    ct_close(r.c);
}

static void M5_optimisers_20_steps(void **state) {
    const json_t *rows = json_object_get(list, "optimisers");
    int seen[8] = {0};
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        one_optimiser(row);
        seen[ct_optimiser_of(json_string_value(json_object_get(row, "kind")))] = 1;
    }
    for (int32_t i = 0; ct_optimiser_name(i); i++)
        if (!seen[i]) fail_msg("%s: no reference", ct_optimiser_name(i));
}

/* ---- schedules, gains ---- */

static ct_schedule schedule_of(const json_t *row) {
    const char *kind = json_string_value(json_object_get(row, "kind"));
    return (ct_schedule){.kind = kind ? ct_schedule_of(kind) : CT_PLATEAU,
                         .patience = (int32_t)number(row, "patience"),
                         .steps = (int64_t)number(row, "steps"),
                         .warmup = (int64_t)number(row, "warmup"),
                         .every = (int64_t)number(row, "every"),
                         .gamma = number(row, "gamma"),
                         .floor = number(row, "floor")};
}

static void M5_schedules(void **state) {
    const json_t *rows = json_object_get(list, "schedules"), *plateaus = json_object_get(list, "plateaus");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        ct_array want = tensor("schedule:%s%s", name, "");
        ct_schedule s = schedule_of(row);
        for (int64_t t = 0; t < want.dim[0]; t++) {
            double have = ct_schedule_at(&s, t, 1), w = ((const double *)want.data)[t];
            if (!near(have, w, 1e-9, 1e-12))
                fail_msg("%s: step %lld: %.12g; PyTorch has %.12g", name, (long long)t, have, w);
        }
    }
    for (size_t i = 0; i < json_array_size(plateaus); i++) {
        const json_t *row = json_array_get(plateaus, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        ct_array scores = tensor("plateau:%s:%s", name, "scores"),
                 want = tensor("plateau:%s:%s", name, "factors");
        ct_schedule s = schedule_of(row);
        ct_plateau p = {0};
        for (int64_t t = 0; t < want.dim[0]; t++) {
            double have = ct_plateau_next(&p, &s, ((const double *)scores.data)[t]);
            if (!near(have, ((const double *)want.data)[t], 1e-9, 0))
                fail_msg("plateau %s: epoch %lld: %.12g; PyTorch has %.12g", name, (long long)t + 1, have,
                         ((const double *)want.data)[t]);
        }
    }
}

static void M5_gains(void **state) {
    const json_t *rows = json_object_get(list, "gains");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *activation = json_string_value(json_object_get(row, "activation"));
        double have = ct_gain(activation, number(row, "slope")), want = number(row, "gain");
        if (!near(have, want, 1e-12, 0))
            fail_msg("%s: gain %.12g; PyTorch has %.12g", activation, have, want);
    }
}
/* The tensors of our model files are those of PyTorch's state_dict: load_state_dict(strict=True) takes them. */
static void one_state_dict(const char *preset, const json_t *row) {
    ct_ctx *c = ct_open(NULL);
    const json_t *shape = json_object_get(row, "input"), *want = json_object_get(row, "tensors");
    char classes[32];
    ct_err e = {0};
    ct_t y;
    ct_tensors *t;
    snprintf(classes, sizeof classes, "%lld", (long long)json_integer_value(json_object_get(row, "classes")));
    ct_setting constants[1] = {{"classes", classes}};
    ct_net_input in = {"image", {{CT_N}, 4, 0}, CT_F32, 0};
    for (size_t i = 0; i < 3; i++) in.shape.dim[i + 1] = json_integer_value(json_array_get(shape, i));
    ct_net_env env = {.inputs = &in, .n_inputs = 1, .constants = constants, .n_constants = 1};
    if (ct_net_build(ct_default_graph(c), ct_preset_text(preset), preset, &env, &y, &e))
        fail_msg("%s", e.text);
    if (ct_tensors_new(NULL, &t, &e) || ct_weights_collect(c, CT_MODEL_KINDS, t, &e)) fail_msg("%s", e.text);
    assert_int_equal(ct_tensors_count(t), json_object_size(want));
    for (int64_t i = 0; i < ct_tensors_count(t); i++) {
        ct_array a;
        const json_t *dims = json_object_get(want, ct_tensors_name(t, i));
        if (!dims) fail_msg("%s: PyTorch has no %s", preset, ct_tensors_name(t, i));
        assert_int_equal(ct_tensors_at(t, i, &a), CT_OK);
        assert_int_equal(a.rank, json_array_size(dims));
        for (int32_t k = 0; k < a.rank; k++)
            assert_int_equal(a.dim[k], json_integer_value(json_array_get(dims, (size_t)k)));
    }
    ct_tensors_free(t);
    ct_close(c);
}

static void state_dicts(void **state) {
    json_t *rows = json_load_file(COTAN_SOURCE "/tests/torch/state_dicts.json", 0, NULL);
    const char *name;
    json_t *row;
    (void)state;
    assert_int_equal(json_object_size(rows), 5);
    json_object_foreach(rows, name, row) one_state_dict(name, row);
    json_decref(rows);
}

static int load(void **state) {
    ct_err e = {0};
    (void)state;
    if (ct_tensors_load(NULL, NULL, COTAN_SOURCE "/tests/torch/references.safetensors", &file, &e)) {
        print_error("%s\n", e.text);
        return -1;
    }
    list = json_loads(ct_tensors_get(file, "cases"), 0, NULL);
    return list ? 0 : -1;
}
static int unload(void **state) {
    (void)state;
    json_decref(list);
    ct_tensors_free(file);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(M5_ops),
                                       cmocka_unit_test(M5_no_op_is_left_out),
                                       cmocka_unit_test(M5_optimisers_20_steps),
                                       cmocka_unit_test(M5_schedules),
                                       cmocka_unit_test(M5_gains),
                                       cmocka_unit_test(state_dicts)};
    return cmocka_run_group_tests(tests, load, unload);
}
