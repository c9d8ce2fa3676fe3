/* labels.c: the names of classes. Folders and lists bring their own; idx files have numbers, to which the options may give
 * names, one a line. They stand in the recipe, so that a resumed run and a repeated one write the same model. */
#include <stdio.h>
#include <string.h>

#include "task/image/job.h"

#define LONGEST 200
#define MOST 65536

static ct_status wrong(const ct__image_job *j, int64_t line, const char *found, const char *what,
                       const char *wanted) {
    char name[LONGEST + 60];
    return ct_fail(j->e, CT_EDATA, "--labels: line %lld: %.*s%s; wanted %s; mend the file", (long long)line,
                   LONGEST, ct_escape(found, name, sizeof name), what, wanted);
}

/* Two equal names would make two classes one for every reader. */
static ct_status check_twice(const ct__image_job *j, const char *names, const char *name, int64_t line) {
    int64_t n = 1;
    for (const char *at = names; at < name; at = strchr(at, '\n') + 1, n++)
        if (strcspn(at, "\n") == strcspn(name, "\n") && strncmp(at, name, strcspn(name, "\n")) == 0) {
            char own[LONGEST + 1], first[60];
            snprintf(own, sizeof own, "%.*s", (int)strcspn(name, "\n"), name);
            snprintf(first, sizeof first, ", as line %lld", (long long)n);
            return wrong(j, line, own, first, "each name once");
        }
    return CT_OK;
}

static ct_status add_name(const ct__image_job *j, const char *line, size_t n, int64_t number, ct_text *out) {
    char name[LONGEST + 1], clean[4 * LONGEST + 1];
    size_t before = out->length;
    while (n && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t')) n--;
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), line);
    if (n == 0) return wrong(j, number, "empty", "", "a name a line");
    if (n > LONGEST) return wrong(j, number, name, "... of more than 200 bytes", "a shorter name");
    if (strcmp(ct_escape(name, clean, sizeof clean), name) != 0)
        return wrong(j, number, name, "", "text in UTF-8");
    ct_text_format(out, "%s\n", name);
    return out->failed ? CT_OK : check_twice(j, out->data, out->data + before, number);
}

ct_status ct__labels_read(ct__image_job *j) {
    ct_text out = {.allocator = &j->o->allocator};
    const char *at = j->o->labels;
    ct_status s = CT_OK;
    int64_t number = 0;
    if (!at) return CT_OK;
    if (strncmp(at, "\xef\xbb\xbf", 3) == 0) at += 3; /* a byte order mark */
    while (*at && !s && number < MOST) {
        size_t n = strcspn(at, "\n");
        s = add_name(j, at, n, ++number, &out);
        at += at[n] ? n + 1 : n;
    }
    if (!s && number == 0)
        s = ct_fail(j->e, CT_EDATA, "--labels: empty; wanted the names of the classes, one a line; fill it");
    if (!s && *at)
        s = ct_fail(j->e, CT_ELIMIT, "--labels: more than %d names; wanted at most so many; give fewer",
                    MOST);
    if (!s && (out.failed || !(j->recipe.labels = ct_arena_text(&j->arena, out.data))))
        s = ct_fail(j->e, CT_ELIMIT, "labels: out of memory");
    ct_text_free(&out);
    return s;
}

ct_status ct__labels_fit(ct__image_job *j) {
    int64_t names = 0;
    if (!j->recipe.labels) return CT_OK;
    for (const char *at = j->recipe.labels; (at = strchr(at, '\n')); at++) names++;
    if (names < j->classes)
        return ct_fail(j->e, CT_EDATA,
                       "--labels: %lld names; wanted %lld, for labels 0 to %lld of %s; add the others",
                       (long long)names, (long long)j->classes, (long long)j->classes - 1, j->data);
    j->classes = names; /* the others have no picture in the training part */
    return CT_OK;
}

const char *ct__image_class(const ct__image_job *j, int64_t c, char name[256]) {
    const char *at = j->recipe.labels;
    if (j->set) return ct_images_class(j->set, c);
    snprintf(name, 256, "%lld", (long long)c);
    for (int64_t i = 0; at && i < c; i++) at = strchr(at, '\n') + 1;
    if (at) snprintf(name, 256, "%.*s", (int)strcspn(at, "\n"), at);
    return name;
}

/* A net learns to tell classes apart: of one alone it learns its name, and is right every time. */
ct_status ct__classes_check(ct__image_job *j) {
    char name[256];
    int64_t first = ct__image_label(j, 0);
    for (int64_t i = 1; i < j->train_count; i++)
        if (ct__image_label(j, i) != first) return CT_OK;
    return ct_fail_at(j->e, CT_EDATA, j->data, -1,
                      "all %lld pictures to train on are of class %.200s; wanted two classes at least; %s",
                      (long long)j->train_count, ct__image_class(j, first, name),
                      j->recipe.limit ? "raise --limit, or add pictures of others"
                                      : "add pictures of others");
}
