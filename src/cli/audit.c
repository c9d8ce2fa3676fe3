/* audit.c: cotan inspect DIR: what a set of pictures is, before anybody trains on it. */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli/cli.h"

int cli_is_data(const char *path) {
    static const char *const endings[] = {".csv", ".tsv", ".jsonl", ".ndjson"};
    struct stat st;
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t k = strlen(endings[i]);
        if (n > k && strcasecmp(path + n - k, endings[i]) == 0) return 1;
    }
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

typedef struct listed { /* lines told by the scan */
    json_t *lines;
    int64_t count;
    cli *c;
    const char *path;
} listed;

static void keep_line(void *user, const char *line) {
    listed *l = user;
    l->count++;
    json_array_append_new(l->lines, cli_path(line));
}

static void tell_progress(void *user, int64_t done, int64_t of) {
    const listed *l = user;
    ct_event event = {.kind = CT_EVENT_BUSY, .key = "reading", .text = l->path, .step = done, .steps = of};
    cli_screen(l->c, &event);
}

/* ---- JSON ---- */

static const char *name_of(const ct_images *s, int64_t i, char out[32]) {
    ct_image r = {0};
    if (ct_images_at(s, i, &r)) return "";
    if (r.path) return r.path;
    snprintf(out, 32, "%lld", (long long)r.number);
    return out;
}

static json_t *pairs_json(const ct_audit *a, const ct_images *s) {
    json_t *list = json_array();
    char x[32], y[32];
    for (int64_t i = 0; i < a->exact + a->near; i++) {
        const ct_audit_pair *p = &a->pair[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:b, s:b, s:b}", "first",
                                              cli_path(name_of(s, p->first, x)), "second",
                                              cli_path(name_of(s, p->second, y)), "exact", p->exact, "leak",
                                              p->leak, "conflict", p->conflict));
    }
    return list;
}

static json_t *classes_json(const ct_audit *a, const ct_images *s) {
    json_t *list = json_array();
    for (int64_t k = 0; k < a->classes; k++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I}", "name", cli_path(ct_images_class(s, k)),
                                              "train", (json_int_t)a->each[k].train, "validation",
                                              (json_int_t)a->each[k].validation, "test",
                                              (json_int_t)a->each[k].test));
    return list;
}

static void print_json(const char *path, const ct_audit *a, const ct_images *s, const listed *told,
                       const listed *findings) {
    json_t *formats = json_object();
    for (int32_t f = 0; f < 5; f++)
        if (a->formats[f])
            json_object_set_new(formats, f ? ct_picture_format_name(f) : "arrays",
                                json_integer(a->formats[f]));
    json_t *v =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "data", cli_path(path), "pictures",
                  (json_int_t)a->pictures, "listed", (json_int_t)a->listed, "broken", (json_int_t)a->broken,
                  "links", (json_int_t)a->links, "other", (json_int_t)a->other);
    json_object_set_new(v, "kinds",
                        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "grey", (json_int_t)a->grey, "colour",
                                  (json_int_t)a->colour, "alpha", (json_int_t)a->alpha, "palette",
                                  (json_int_t)a->palette, "16bit", (json_int_t)a->deep, "turned",
                                  (json_int_t)a->turned));
    json_object_set_new(v, "formats", formats);
    json_object_set_new(v, "width",
                        json_pack("{s:I, s:I, s:I}", "min", (json_int_t)a->width_min, "median",
                                  (json_int_t)a->width_median, "max", (json_int_t)a->width_max));
    json_object_set_new(v, "height",
                        json_pack("{s:I, s:I, s:I}", "min", (json_int_t)a->height_min, "median",
                                  (json_int_t)a->height_median, "max", (json_int_t)a->height_max));
    json_object_set_new(v, "sizes", json_integer(a->sizes));
    json_object_set_new(v, "tiny", json_integer(a->tiny));
    json_object_set_new(v, "classes", classes_json(a, s));
    json_object_set_new(v, "exact_duplicates", json_integer(a->exact));
    json_object_set_new(v, "near_duplicates", json_integer(a->near));
    json_object_set_new(v, "leaks", json_integer(a->leaks));
    json_object_set_new(v, "conflicts", json_integer(a->conflicts));
    json_object_set_new(v, "pairs", pairs_json(a, s));
    json_object_set_new(v, "passed_over", json_incref(told->lines));
    json_object_set_new(v, "findings", json_incref(findings->lines));
    cli_json(v);
}

/* ---- text ---- */

static void print_kinds(const ct_audit *a) {
    static const struct {
        const char *text;
        size_t offset;
    } kinds[] = {{"grey", offsetof(ct_audit, grey)},         {"colour", offsetof(ct_audit, colour)},
                 {"transparent", offsetof(ct_audit, alpha)}, {"with a palette", offsetof(ct_audit, palette)},
                 {"of 16 bits", offsetof(ct_audit, deep)},   {"turned by EXIF", offsetof(ct_audit, turned)}};
    char n[32];
    int printed = 0;
    printf("  kinds        ");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int64_t count = *(const int64_t *)(const void *)((const char *)a + kinds[i].offset);
        if (count) printf("%s%s %s", printed++ ? ", " : "", ct_group_digits(count, n), kinds[i].text);
    }
    printf("\n  formats      ");
    printed = 0;
    for (int32_t f = 0; f < 5; f++)
        if (a->formats[f])
            printf("%s%s %s", printed++ ? ", " : "", f ? ct_picture_format_name(f) : "arrays",
                   ct_group_digits(a->formats[f], n));
    printf("\n");
}

static void print_sizes(const ct_audit *a) {
    char n[32], m[32];
    if (a->sizes == 1) {
        printf("  size         %lldx%lld\n", (long long)a->size_width, (long long)a->size_height);
        return;
    }
    printf(
        "  sizes        %lldx%lld to %lldx%lld, median %lldx%lld; %s different, most often %lldx%lld (%s)\n",
        (long long)a->width_min, (long long)a->height_min, (long long)a->width_max, (long long)a->height_max,
        (long long)a->width_median, (long long)a->height_median, ct_group_digits(a->sizes, n),
        (long long)a->size_width, (long long)a->size_height, ct_group_digits(a->size_count, m));
}

#define MOST_CLASSES 40

static void print_classes(const ct_audit *a, const ct_images *s, uint64_t seed) {
    int divided = ct_images_has(s, CT_PART_TEST);
    int64_t train = 0, validation = 0, test = 0;
    for (int64_t k = 0; k < a->classes; k++) {
        train += a->each[k].train;
        validation += a->each[k].validation;
        test += a->each[k].test;
    }
    printf("\n  %-30s %10s %10s %10s\n", "class", "train", "validation", "test");
    for (int64_t k = 0; k < a->classes && k < MOST_CLASSES; k++) {
        char name[31]; /* as much of it as the column holds */
        printf("  %-30s %10lld %10lld %10lld\n", ct_escape(ct_images_class(s, k), name, sizeof name),
               (long long)a->each[k].train, (long long)a->each[k].validation, (long long)a->each[k].test);
    }
    if (a->classes > MOST_CLASSES) printf("  and %lld more\n", (long long)a->classes - MOST_CLASSES);
    printf("  %-30s %10lld %10lld %10lld\n", "in all", (long long)train, (long long)validation,
           (long long)test);
    if (divided)
        printf("  (the test part is the data's own)\n");
    else
        printf("  (parts by the hash of seed %llu and path)\n", (unsigned long long)seed);
}

static void print_text(const char *path, const ct_audit *a, const ct_images *s, const listed *findings,
                       uint64_t seed) {
    char n[32], m[32], shown[4200];
    printf("%s\n", ct_escape(path, shown, sizeof shown));
    printf("  pictures     %s", ct_group_digits(a->pictures, n));
    if (a->broken) printf("; %s broken", ct_group_digits(a->broken, m));
    if (a->links) printf("; %s symbolic link%s", ct_group_digits(a->links, m), a->links == 1 ? "" : "s");
    if (a->other) printf("; %s other file%s", ct_group_digits(a->other, m), a->other == 1 ? "" : "s");
    printf("\n");
    print_kinds(a);
    print_sizes(a);
    printf("  duplicates   %s with the same pixels, %s nearly the same; %s leak%s, %s under two labels\n",
           ct_group_digits(a->exact, n), ct_group_digits(a->near, m), ct_group_digits(a->leaks, shown),
           a->leaks == 1 ? "" : "s", ct_group_digits(a->conflicts, shown + 64));
    print_classes(a, s, seed);
    printf("\n%s\n", findings->count ? "findings" : "nothing to note");
    for (size_t i = 0; i < json_array_size(findings->lines); i++) {
        printf("  - ");
        cli_print(json_string_value(json_array_get(findings->lines, i)), 0);
        putchar('\n');
    }
}

int cli_audit(cli *c, const char *path) {
    ct_images *s = NULL;
    ct_audit a = {0};
    ct_options context = cli_context(c);
    ct_ctx *x = ct_open(&context);
    char shown[1000];
    listed told = {json_array(), 0, c, ct_escape(path, shown, sizeof shown)},
           findings = {json_array(), 0, c, ""};
    ct_images_options o = {.follow_links = c->follow_links,
                           .allow_broken = 1,
                           .threads = x ? ct_threads(x) : 1,
                           .tell = keep_line,
                           .progress = tell_progress,
                           .user = &told};
    ct_status status = ct_images_open(cli_files(), NULL, path, &o, &s, &c->e);
    if (!status) status = ct_images_scan(s, NULL, 0, &c->e);
    if (!status) status = ct_audit_images(s, c->seed, &a, &c->e);
    cli_screen_clear(&c->screen);
    if (!status) ct_audit_findings(&a, s, keep_line, &findings);
    for (size_t i = 0; !status && !c->json && i < json_array_size(told.lines); i++) {
        char line[1200];
        fprintf(stderr, "  %s\n",
                ct_escape(json_string_value(json_array_get(told.lines, i)), line, sizeof line));
    }
    if (!status && c->json)
        print_json(path, &a, s, &told, &findings);
    else if (!status)
        print_text(path, &a, s, &findings, c->seed);
    ct_audit_free(&a);
    ct_images_close(s);
    json_decref(told.lines);
    json_decref(findings.lines);
    ct_close(x);
    return status ? cli_fail(c) : 0;
}
