/* test_automatic.c: what a training decides by itself: net and options from the data, the batch from a bound of memory,
 * the learning rate from a range test; and transfer. Each is stored as numbers with which the run repeats byte for byte,
 * resumed or not, with any number of threads. (Steps from a time limit: test_time_limit.c.) */
#include "heard.h"
#include "meter.h"

#include <math.h>

#include "images/folder.h"

/* ---- the learning rate ---- */

static void range_test(void **state) {
    heard told = {{0}};
    ct_image_train o = training(at("auto.safetensors"));
    (void)state;
    o.lr_auto = 1;
    o.tell = hear;
    o.user = &told;
    (void)trained(&o);
    said(&told, "lr auto: ");
    json_t *recipe = read_json(at("auto.run/config.json"), "recipe");
    double lr = json_number_value(json_object_get(recipe, "lr"));
    json_decref(recipe);
    assert_true(lr > 1e-5 && lr < 0.5);
    FILE *f = fopen(at("auto.run/lr.jsonl"),
                    "r"); /* the curve: rates grow, the choice is a tenth of its lowest point's */
    char line[400];
    double last = 0, lowest = INFINITY, best = 0;
    int rows = 0;
    for (; f && fgets(line, sizeof line, f); rows++) {
        json_t *v = json_loads(line, 0, NULL);
        double rate = json_number_value(json_object_get(v, "lr")),
               smoothed = json_number_value(json_object_get(v, "smoothed"));
        assert_true(rate > last);
        last = rate;
        if (json_is_number(json_object_get(v, "smoothed")) && smoothed < lowest)
            lowest = smoothed, best = rate;
        json_decref(v);
    }
    if (f) fclose(f);
    assert_true(rows > 30 && rows <= 100);
    assert_true(fabs(lr / (best / 10) - 1) < 0.06);
    o = training(at("again.safetensors")); /* nothing is left of the test but the number */
    o.lr = lr;
    o.force = 1;
    o.threads = 4;
    (void)trained(&o);
    assert_same_file(at("auto.safetensors"), at("again.safetensors"));
}

static void range_test_of_nothing(void **state) {
    ct_image_train o = training(at("nothing.safetensors"));
    ct_err e = {0};
    (void)state;
    o.net = NULL;
    o.net_text =
        "logit = linear(exp(add_scalar(flatten(input(image)), 1000)), \"out\", classes)\n"; /* infinite */
    o.model = "steep";
    o.nonfinite = "skip";
    o.lr_auto = 1;
    assert_int_equal(train(&o, &e), CT_ENONFINITE);
    assert_non_null(strstr(e.text, "--lr auto: the loss is not finite at the first step"));
}

/* ---- transfer ---- */

static ct_tensors *tensors(const char *path) {
    ct_tensors *t;
    ct_err e = {0};
    if (ct_tensors_load(NULL, NULL, path, &t, &e)) fail_msg("%s", e.text);
    return t;
}

static int same_tensor(const ct_tensors *a, const ct_tensors *b, const char *name) {
    ct_array x, y;
    assert_int_equal(ct_tensors_at(a, ct_tensors_find(a, name), &x), CT_OK);
    assert_int_equal(ct_tensors_at(b, ct_tensors_find(b, name), &y), CT_OK);
    assert_int_equal(ct_array_count(&x), ct_array_count(&y));
    return memcmp(x.data, y.data, ct_array_count(&x) * sizeof(float)) == 0;
}

static void frozen(void **state) {
    ct_err e = {0};
    heard told = {{0}};
    ct_image_train o = training(at("frozen.safetensors"));
    (void)state;
    o.init = at("whole.safetensors");
    o.freeze = "c*, fc";
    o.tell = hear;
    o.user = &told;
    (void)trained(&o);
    said(&told, "frozen: ");
    ct_tensors *a = tensors(at("whole.safetensors")), *b = tensors(at("frozen.safetensors"));
    assert_true(same_tensor(a, b, "c.weight") && same_tensor(a, b, "fc.weight") &&
                same_tensor(a, b, "fc.bias"));
    assert_false(same_tensor(a, b, "out.weight") || same_tensor(a, b, "bn.weight"));
    ct_tensors_free(a);
    ct_tensors_free(b);
    o.threads = 3; /* any threads */
    o.output = at("again.safetensors");
    o.force = 1;
    (void)trained(&o);
    assert_same_file(at("frozen.safetensors"), at("again.safetensors"));
    o.freeze = "nothing";
    assert_int_equal(train(&o, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "--freeze: nothing matches no parameter; wanted names such as out"));
    o.freeze = "*";
    assert_int_equal(train(&o, &e), CT_EUSAGE);
    o.output = at("frozen.safetensors"); /* another one than the run was begun with */
    o.freeze = "bn";
    o.force = 0;
    o.resume = 1;
    assert_int_equal(train(&o, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "--freeze: bn; wanted c*, fc"));
}

/* Six classes where the weights know four: the last layer begins anew, the rest is taken; another net is refused. */
static void other_head(void **state) {
    ct_err e = {0};
    heard told = {{0}};
    (void)state;
    for (int c = 0; c < 6; c++)
        for (int i = 0; i < 6; i++) {
            char name[60];
            snprintf(name, sizeof name, "six/%c/%d.png", 'a' + c, i);
            uint8_t x[12 * 10 * 3];
            for (int k = 0; k < 360; k++) x[k] = (uint8_t)((k * (c + 3) + 31 * i) % 251);
            assert_true(folder_png(at(name), x, 3, 12, 10));
        }
    ct_image_train o = training(at("six.safetensors"));
    o.data = at("six");
    o.init = at("whole.safetensors");
    o.freeze = "c,bn,fc";
    o.epochs = 1;
    o.tell = hear;
    o.user = &told;
    o.transform = "grey, resize 8x8, normalize mean=0.3 std=0.3";
    (void)trained(&o);
    said(&told, "out.weight has 4 classes in");
    said(&told, "out.bias has 4 classes in");
    ct_tensors *a = tensors(at("whole.safetensors")), *b = tensors(at("six.safetensors"));
    ct_array x;
    assert_true(same_tensor(a, b, "fc.weight"));
    assert_int_equal(ct_tensors_at(b, ct_tensors_find(b, "out.weight"), &x), CT_OK);
    assert_int_equal(x.dim[0], 6);
    ct_tensors_free(a);
    ct_tensors_free(b);
    o.set = NULL;
    o.net = NULL;
    o.model = "cnn";
    o.force = 1;
    o.freeze = NULL;
    assert_int_equal(train(&o, &e), CT_EDATA); /* other layers are no head */
}

/* ---- class weights ---- */

static void class_weights(void **state) {
    ct_err e = {0};
    heard told = {{0}};
    ct_image_train o = training(at("weights.safetensors"));
    (void)state;
    o.class_weights = 1;
    o.tell = hear;
    o.user = &told;
    (void)trained(&o);
    said(&told, "weights: of the classes: 0.");
    o.threads = 3;
    o.output = at("again.safetensors");
    o.force = 1;
    (void)trained(&o);
    assert_same_file(at("weights.safetensors"), at("again.safetensors"));
    ct_tensors *a = tensors(at("whole.safetensors")), *b = tensors(at("weights.safetensors"));
    assert_false(same_tensor(a, b, "out.weight"));
    ct_tensors_free(a);
    ct_tensors_free(b);
    ct_image_train other = training(at("whole.safetensors")); /* the run was begun without */
    other.class_weights = 1;
    other.resume = 1;
    assert_int_equal(train(&other, &e), CT_EUSAGE);
    assert_non_null(strstr(e.text, "--class-weights: given; wanted none"));
}

/* ---- memory ---- */

/* A net whose activations are large: [batch, 256, 8, 8] and its like. */
static const char *const large_net =
    "h = relu(batch_norm(conv2d(input(image), \"a\", 1024, 3, pad=1), \"b\"))\n"
    "h = relu(batch_norm(conv2d(h, \"c\", 512, 1), \"d\"))\n"
    "logit = linear(global_avgpool(h), \"out\", classes)\n";

static void memory_is_kept(void **state) {
    ct_err e = {0};
    heard told = {{0}};
    meter m = METER;
    ct_image_train o = training(at("small.safetensors"));
    (void)state;
    o.net = NULL;
    o.net_text = large_net;
    o.model = "large";
    o.epochs = 1;
    o.steps = 3;
    o.batch = 0;
    o.memory = (64 + 80) << 20;
    o.allocator = meter_hook(&m);
    o.tell = hear;
    o.user = &told;
    (void)trained(&o);
    said(&told, "a batch of 64 does not hold in 144 MB: it is ");
    assert_int_equal(m.live, 0);
    assert_true(m.most_bytes <= 80 << 20);
    json_t *recipe = read_json(at("small.run/config.json"), "recipe");
    int64_t batch = json_integer_value(json_object_get(recipe, "batch"));
    json_decref(recipe);
    assert_true(batch >= 2 && batch <= 32);
    o.batch = batch; /* as given, without a bound: the same model */
    o.memory = 0;
    o.output = at("again.safetensors");
    o.force = 1;
    (void)trained(&o);
    assert_same_file(at("small.safetensors"), at("again.safetensors"));
    o.batch = 64; /* what was asked for is not changed */
    o.memory = (64 + 80) << 20;
    assert_int_equal(train(&o, &e), CT_ELIMIT);
    assert_non_null(strstr(e.text, "--memory: 144 MB; wanted more for a batch of 64"));
    o.memory = 1 << 20;
    assert_int_equal(train(&o, &e), CT_EUSAGE);
    assert_int_equal(m.live, 0);
}

static void memory_enough(void **state) {
    meter m = METER;
    heard told = {{0}};
    ct_image_train o = training(at("again.safetensors"));
    (void)state;
    o.memory = 1 << 29;
    o.force = 1;
    o.allocator = meter_hook(&m);
    o.tell = hear;
    o.user = &told;
    (void)trained(&o);
    assert_null(strstr(told.text, "does not hold"));
    assert_true(m.most_bytes <= (1 << 29) - (64 << 20));
    assert_same_file(at("whole.safetensors"), at("again.safetensors"));
}

/* ---- choices ---- */

static void chosen(void **state) {
    heard told = {{0}};
    ct_image_train o = {.data = training_folder,
                        .output = at("chosen.safetensors"),
                        .threads = 1,
                        .steps = 12,
                        .tell = hear,
                        .user = &told};
    (void)state;
    (void)trained(&o);
    said(&told, "chosen: net cnn for");
    said(&told, "with: weight decay 0.05, label smoothing 0.1, no average of weights, patience 10 epochs");
    json_t *recipe = read_json(at("chosen.run/config.json"), "recipe");
    assert_string_equal(json_string_value(json_object_get(recipe, "model")), "cnn");
    assert_string_equal(json_string_value(json_object_get(recipe, "optimizer")), "adamw");
    assert_true(fabs(json_number_value(json_object_get(recipe, "lr")) - 2e-3) < 1e-12);
    json_decref(recipe);
    o.output = at("none.safetensors"); /* zeros that are meant */
    o.weight_decay = o.smoothing = o.average = CT_ZERO;
    o.patience = -1;
    (void)trained(&o);
    said(&told, "with: weight decay 0, label smoothing 0, no average of weights, no early stop");
}

int main(void) {
    const struct CMUnitTest tests[] = {

        cmocka_unit_test(range_test),    cmocka_unit_test(range_test_of_nothing),
        cmocka_unit_test(frozen),        cmocka_unit_test(other_head),
        cmocka_unit_test(class_weights), cmocka_unit_test(memory_is_kept),
        cmocka_unit_test(memory_enough), cmocka_unit_test(chosen)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
