/* heard.h: trainings that must succeed, what they say, and what they store. */
#ifndef CT_TESTS_HEARD_H
#define CT_TESTS_HEARD_H

#include <jansson.h>

#include "training.h"

typedef struct heard {
    char text[8000];
} heard;
static inline void hear(void *user, const ct_event *e) {
    heard *h = user;
    size_t n = strlen(h->text);
    if (e->kind == CT_EVENT_FACT || e->kind == CT_EVENT_NOTE)
        snprintf(h->text + n, sizeof h->text - n, "%s: %s\n", e->key, e->text);
}
static inline void said(const heard *h, const char *text) {
    if (!strstr(h->text, text)) fail_msg("not said: %s\n%s", text, h->text);
}

static inline ct_train_result trained(const ct_image_train *o) {
    ct_train_result r;
    ct_err e = {0};
    if (ct_train_image(o, &r, &e)) fail_msg("%s", e.text);
    return r;
}

static inline json_t *read_json(const char *path, const char *key) {
    json_t *v = json_load_file(path, 0, NULL), *part = json_incref(json_object_get(v, key));
    json_decref(v);
    if (!part) fail_msg("%s has no %s", path, key);
    return part;
}

#endif
