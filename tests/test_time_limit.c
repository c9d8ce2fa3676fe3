/* test_time_limit.c: steps from a time limit, by a clock of the test's own: the pace before the first step decides them,
 * and what hangs on them; a slow machine ends the run in time; and each run repeats byte for byte from its numbers. */
#include "heard.h"

#include <math.h>

typedef struct hands { /* a clock that goes on at every look */
    double now, each, slower;
    int64_t looks, slow_from; /* from this look on by `slower` */
} hands;
static double look(void *user) {
    hands *h = user;
    h->looks++;
    return h->now += h->slow_from && h->looks > h->slow_from ? h->slower : h->each;
}

static ct_image_train limited(const char *output, hands *h) {
    ct_image_train o = training(output);
    o.epochs = 0;
    o.patience = -1;
    o.time_limit = 100;
    o.clock = look;
    o.clock_user = h;
    return o;
}

static void repeats(const ct_train_result *r, const char *model, int64_t stop_at, double average) {
    json_t *recipe = read_json(at("limited.run/config.json"), "recipe");
    ct_image_train o = training(at("again.safetensors"));
    o.force = 1;
    o.threads = 3;
    o.patience = -1;
    o.average = average;
    o.epochs = json_integer_value(json_object_get(recipe, "epochs"));
    o.steps = json_integer_value(json_object_get(recipe, "steps"));
    o.stop_at = json_integer_value(json_object_get(recipe, "stop_at"));
    assert_int_equal(o.stop_at, stop_at);
    ct_train_result again = trained(&o);
    assert_int_equal(again.steps, r->steps);
    assert_same_file(model, at("again.safetensors"));
    assert_same_file(at("limited.run/metrics.jsonl"), at("again.run/metrics.jsonl"));
    json_decref(recipe);
}

static void time_is_kept(void **state) {
    hands h = {.each = 0.05};
    heard told = {{0}};
    ct_image_train o = limited(at("limited.safetensors"), &h);
    (void)state;
    o.tell = hear;
    o.user = &told;
    ct_train_result r = trained(&o);
    said(&told, "time limit: 100 s:");
    if (!(r.steps > 100 && r.seconds > 60 && r.seconds <= 95))
        fail_msg("%lld steps, %g s\n%s", (long long)r.steps, r.seconds, told.text);
    repeats(&r, at("limited.safetensors"), 0, o.average);
}

/* The machine becomes slower by five in mid-run: it ends after a whole step, in time, with a model that says where. */
static void time_runs_out(void **state) {
    hands h = {.each = 0.05, .slower = 0.25, .slow_from = 600};
    heard told = {{0}};
    ct_image_train o = limited(at("limited.safetensors"), &h);
    (void)state;
    o.tell = hear;
    o.user = &told;
    o.force = 1;
    ct_train_result r = trained(&o);
    said(&told, "the time limit is reached: stopped after step");
    if (!(r.seconds > 90 && r.seconds <= 105))
        fail_msg("%lld steps, %g s\n%s", (long long)r.steps, r.seconds, told.text);
    repeats(&r, at("limited.safetensors"), r.steps, o.average);
}

static double average_of(const char *run) {
    json_t *recipe = read_json(run, "recipe");
    double average = json_number_value(json_object_get(recipe, "ema"));
    json_decref(recipe);
    return average;
}

/* The average of the weights follows from the steps that the limit gave, though the pace was measured before. */
static void average_of_the_steps(void **state) {
    (void)state;
    for (int few = 0; few < 2; few++) {
        hands h = {.each = few ? 0.5 : 0.05};
        ct_image_train o = limited(at("limited.safetensors"), &h);
        o.force = 1;
        o.average = 0;
        ct_train_result r = trained(&o);
        if ((r.steps < 150) != few) fail_msg("%lld steps", (long long)r.steps);
        double wanted = few ? 0 : 1 - 30 / (double)r.steps;
        assert_true(fabs(average_of(at("limited.run/config.json")) - wanted) < 1e-4);
        repeats(&r, at("limited.safetensors"), 0, 0);
    }
}

/* Steps that are given do not hang on the limit; what comes after the last one is kept free of them all the same. */
static void limit_of_given_steps(void **state) {
    hands h = {.each = 0.05};
    heard told = {{0}};
    ct_image_train o = limited(at("given.safetensors"), &h);
    ct_err e = {0};
    (void)state;
    o.steps = 100000;
    o.tell = hear;
    o.user = &told;
    ct_train_result r = trained(&o);
    said(&told, "the time limit is reached: stopped after step");
    if (!(r.seconds > 60 && r.seconds <= 100)) fail_msg("%g s", r.seconds);
    o.steps = 0;
    o.warmup = 100000;
    o.force = 1;
    assert_int_equal(train(&o, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "--warmup: 100000; wanted at most"));
}

typedef struct stopper {
    heard told;
    volatile int32_t stop;
    int32_t after;
} stopper;
static void stop_after(void *user, const ct_event *e) {
    stopper *s = user;
    hear(&s->told, e);
    if (e->kind == CT_EVENT_STEP && e->step == s->after) s->stop = 1;
}

/* The words that repeat a run are those that began it, whatever words went on with it. */
static void command_of_a_resumed_run(void **state) {
    stopper s = {.after = 7};
    hands h = {.each = 0.05};
    ct_err e = {0};
    ct_image_train o = training(at("words.safetensors"));
    (void)state;
    o.command = "cotan train image DATA -o words.safetensors --seed 5";
    o.epochs = 200;
    o.tell = stop_after;
    o.user = &s;
    o.stop = &s.stop;
    assert_int_equal(train(&o, &e), CT_ECANCEL);
    for (int again = 0; again < 2; again++) {
        char wanted[200];
        stopper next = {.after = again ? -1 : 60};
        ct_image_train p = training(at("words.safetensors"));
        p.command = "cotan train image DIR -o words.safetensors --resume";
        p.epochs = 0;
        p.resume = 1;
        p.tell = stop_after;
        p.user = &next;
        p.stop = &next.stop;
        p.clock = look;
        p.clock_user = &h;
        p.time_limit = 20;
        if (!again) {
            assert_int_equal(train(&p, &e), CT_ECANCEL);
            continue;
        }
        ct_train_result r = trained(&p);
        said(&next.told, "the time limit is reached: stopped after step");
        snprintf(wanted, sizeof wanted, "%s --stop-at %lld", o.command, (long long)r.steps);
        json_t *command = read_json(at("words.run/config.json"), "command");
        assert_string_equal(json_string_value(command), wanted);
        json_decref(command);
    }
}

static void too_little_time(void **state) {
    hands h = {.each = 20};
    ct_err e = {0};
    ct_image_train o = limited(at("none.safetensors"), &h);
    (void)state;
    assert_int_equal(train(&o, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "--time-limit: 100 s; wanted more than"));
    assert_int_equal(access(at("none.run/config.json"), F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(time_is_kept),
                                       cmocka_unit_test(time_runs_out),
                                       cmocka_unit_test(average_of_the_steps),
                                       cmocka_unit_test(limit_of_given_steps),
                                       cmocka_unit_test(command_of_a_resumed_run),
                                       cmocka_unit_test(too_little_time)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
