/* test_allocation.c: memory. A walk over build, train, save and load in which the n-th allocation fails, n = 0, 1,
 * ... until none is left to fail: every failure is an error with a text, nothing crashes, nothing leaks, and the
 * model file stays whole. And: no allocation in a step after the first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cotan/model.h"
#include "cotan/nn.h"
#include "meter.h"

static const char net[] =
    "h = maxpool2d(relu(batch_norm(conv2d(input(image), \"c\", 9, 3, pad=1), \"bn\")), 2)\n"
    "h = dropout(relu(linear(flatten(h), \"fc\", 16)), \"d\", 0.2)\n"
    "logit = linear(layer_norm(h, \"n\"), \"out\", 3)\n";
static const char document[] =
    "{\"format\":1,\"task\":\"image\",\"net\":\"h = maxpool2d(relu(batch_norm(conv2d(input(image), "
    "\\\"c\\\", 9, 3, pad=1), \\\"bn\\\")), 2)\\nh = "
    "dropout(relu(linear(flatten(h), \\\"fc\\\", 16)), \\\"d\\\", 0.2)\\nlogit = linear(layer_norm(h, "
    "\\\"n\\\"), \\\"out\\\", 3)\\n\"}";

enum { BATCH = 8, STEPS = 2 };

static ct_status train(ct_ctx *c, const char *path, ct_err *e) {
    float x[BATCH * 36], loss;
    int64_t label[BATCH];
    ct_plan *p = NULL;
    ct_session *s = NULL;
    ct_t y;
    ct_net_input in = {"image", CT_SHAPE(CT_N, 1, 6, 6), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    for (int i = 0; i < BATCH * 36; i++) x[i] = (float)(i % 7) - 3;
    for (int i = 0; i < BATCH; i++) label[i] = i % 3;
    ct_status status = ct_net_build(ct_default_graph(c), net, "net", &env, &y, e);
    if (status) return status;
    ct_t loss_node = ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0}, (ct_ce){0});
    status = ct_compile_train(loss_node, NULL, 0,
                              &(ct_train){.lr = 1e-2, .clip_norm = 1, .batch = BATCH, .shard = 2}, &p, e);
    if (!status) status = ct_session_new(c, &s, e);
    for (int i = 0; i < STEPS && !status; i++) {
        status = ct_run(s, p, (const void *[2]){x, label}, BATCH, (void *[2]){&loss, NULL});
        if (status) ct_fail(e, status, "%s", ct_session_error(s));
    }
    if (!status && path) status = ct_model_save(c, path, document, e);
    ct_session_free(s);
    ct_plan_free(p);
    return status;
}

static ct_status all(meter *m, const char *path, ct_err *e) {
    ct_options o = {.threads = 2, .allocator = meter_hook(m)};
    ct_ctx *c = ct_open(&o);
    if (!c) return ct_fail(e, CT_ELIMIT, "no context");
    ct_status s = ct_error_status(c);
    if (s) ct_fail(e, s, "%s", ct_error(c));
    if (!s) s = train(c, path, e);
    ct_close(c);
    ct_tensors *t = NULL;
    const char *text;
    if (!s) s = ct_model_read(NULL, &o.allocator, path, &t, &text, e);
    ct_tensors_free(t);
    return s;
}

static void walk(void **state) {
    char path[] = "/tmp/cotan_allocation_XXXXXX";
    int fd = mkstemp(path);
    int64_t sites = 0;
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (;; sites++) {
        meter m = METER;
        m.fail_at = sites;
        ct_err e = {0};
        ct_status s = all(&m, path, &e);
        if (m.live != 0 || m.live_bytes != 0)
            fail_msg("failure %lld: %lld blocks, %lld bytes are lost (%s)", (long long)sites,
                     (long long)m.live, (long long)m.live_bytes, e.text);
        if (!s) {
            if (m.calls > sites) continue; /* it did without */
            break;
        }
        if (!e.text[0] || e.status == CT_OK)
            fail_msg("failure %lld: status %d without a text", (long long)sites, (int)s);
        assert_true(sites < 100000);
    }
    print_message("%lld allocation sites\n", (long long)sites);
    unlink(path);
}

static void quiet_steps(void **state) {
    meter m = METER;
    ct_options o = {.threads = 2, .allocator = meter_hook(&m)};
    float x[BATCH * 36] = {0}, loss;
    int64_t label[BATCH] = {0}, before = 0;
    ct_ctx *c = ct_open(&o);
    ct_plan *p;
    ct_session *s;
    ct_t y;
    ct_err e = {0};
    ct_net_input in = {"image", CT_SHAPE(CT_N, 1, 6, 6), CT_F32, 0};
    ct_net_env env = {.inputs = &in, .n_inputs = 1};
    (void)state;
    if (ct_net_build(ct_default_graph(c), net, "net", &env, &y, &e)) fail_msg("%s", e.text);
    ct_t loss_node = ct_cross_entropy(y, ct_input(c, "label", CT_I64, CT_SHAPE(CT_N)), (ct_t){0}, (ct_ce){0});
    if (ct_compile_train(loss_node, NULL, 0, &(ct_train){.batch = BATCH, .shard = 2}, &p, &e) ||
        ct_session_new(c, &s, &e))
        fail_msg("%s", e.text);
    for (int i = 0; i < 10; i++) {
        if (i == 1) before = m.calls;
        if (ct_run(s, p, (const void *[2]){x, label}, BATCH, (void *[2]){&loss, NULL}))
            fail_msg("%s", ct_session_error(s));
    }
    assert_int_equal(m.calls, before);
    ct_session_free(s);
    ct_plan_free(p);
    ct_close(c);
    assert_int_equal(m.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(walk), cmocka_unit_test(quiet_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
