/* files.c: prediction of picture files. Names are listed first, folders opened; then threads read, decode and
 * transform ahead of the net, each file once. One that cannot be read leaves its reason in place of a picture. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "task/image/folder.h"
#include "task/image/pass.h"

/* The first bytes of a regular file; how many. */
static uint64_t first_bytes(const char *path, uint8_t head[16]) {
    struct stat st;
    int fd = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, head, 16);
    if (fd >= 0) close(fd);
    return n > 0 ? (uint64_t)n : 0;
}

int ct__is_pictures(const char *path) {
    struct stat st;
    uint8_t head[16];
    if (stat(path, &st)) return ct_picture_likely(path, NULL, 0) && strcmp(path, "-") != 0;
    return S_ISDIR(st.st_mode) || ct_picture_likely(path, head, first_bytes(path, head));
}

/* 00 00 TYPE RANK, that turned round, or gzip. Of a file cut within it, what is no text may have been one. */
static int begins_idx(const uint8_t *head, uint64_t n) {
    if (n < 4) return n == 0 || head[0] >= 127 || (head[0] < 32 && !memchr("\t\n\r", head[0], 3));
    int turned = head[2] == 0 && head[3] == 0 && head[0] >= 1 && head[0] <= CT_MAX_RANK && head[1] >= 8 &&
                 head[1] <= 14;
    return turned || (head[0] == 0 && head[1] == 0) || (head[0] == 0x1f && head[1] == 0x8b);
}

int ct__is_idx(const char *path) {
    struct stat st;
    uint8_t head[16];
    if (strcmp(path, "-") == 0) return 1;
    if (ct__is_pictures(path)) return 0;
    return stat(path, &st) != 0 || !S_ISREG(st.st_mode) || begins_idx(head, first_bytes(path, head));
}

typedef struct listed {
    const char *path;
    const char
        *folder; /* that it was found in: what is no picture there is passed over; NULL: it was asked for */
} listed;

typedef struct files {
    ct__pass p;
    ct_arena arena;
    listed *name;
    ct_err **why; /* [count] NULL, or the reason, without a status for what is no picture; allocated */
    int64_t count, capacity, broken, told;
    char first[400]; /* of the reasons */
    int (*each)(void *user, const ct_prediction *p);
    void *user;
    int32_t stopped;
    int32_t alone; /* one file is all that was asked for: its error is the call's */
} files;

/* ---- names ---- */

static ct_status add(files *q, const char *path, const char *folder) {
    if (q->count == q->capacity) {
        int64_t capacity = q->capacity ? 2 * q->capacity : 64;
        listed *more = ct_resize(q->p.allocator, q->name, (size_t)q->capacity * sizeof *more,
                                 (size_t)capacity * sizeof *more);
        if (!more) return ct_fail(q->p.e, CT_ELIMIT, "predict: out of memory");
        q->name = more;
        q->capacity = capacity;
    }
    const char *kept = ct_arena_text(&q->arena, path);
    if (!kept) return ct_fail(q->p.e, CT_ELIMIT, "predict: out of memory");
    q->name[q->count++] = (listed){kept, folder};
    return CT_OK;
}

static void tell_error(files *q, const char *path, const char *why) {
    ct_prediction p = {.path = path, .label = -1, .file = 1, .error = why};
    if (path && q->broken++ == 0) snprintf(q->first, sizeof q->first, "%.390s", why);
    if (!q->stopped && q->each(q->user, &p)) q->stopped = 1;
}

/* Of a folder: a pipe, a link to nothing. */
static void tell_line(void *user, const char *line) { tell_error(user, NULL, line); }

/* Every file of a folder by its name; reading tells which are pictures. */
static ct_status add_folder(files *q, const char *folder) {
    ct_images *s = NULL;
    const ct_files *f = ct_files_of(ct_model_context(q->p.m));
    ct_images_options o = {.unlabelled = 1, .tell = tell_line, .user = q};
    ct_status status = ct_images_open(f, q->p.allocator, folder, &o, &s, q->p.e);
    for (int64_t i = 0; !status && i < ct_images_count(s); i++) {
        ct_image r;
        const char *slash = folder[0] && folder[strlen(folder) - 1] == '/' ? "" : "/";
        (void)ct_images_at(s, i, &r);
        char *path = ct_arena_format(&q->arena, "%s%s%s", folder, slash, r.path ? r.path : "");
        status = path ? add(q, path, folder) : ct_fail(q->p.e, CT_ELIMIT, "predict: out of memory");
    }
    ct_images_close(s);
    return status;
}

static ct_status list(files *q, const char *const *path, int64_t n) {
    ct_status s = CT_OK;
    struct stat st;
    for (int64_t i = 0; i < n && !s; i++)
        s = stat(path[i], &st) == 0 && S_ISDIR(st.st_mode) ? add_folder(q, path[i]) : add(q, path[i], NULL);
    return s;
}

/* ---- pictures ---- */

static ct_status read_one(files *q, int64_t i, float *out, ct_err *e) {
    const ct_allocator *a = q->p.allocator;
    ct_array x;
    int64_t made[3];
    ct_status s = ct_picture_load(ct_files_of(ct_model_context(q->p.m)), a, q->name[i].path, &q->p.picture,
                                  &x, NULL, e);
    if (s) return s;
    s = ct_transform_shape(q->p.transform, x.dim, made, e);
    if (!s && memcmp(made, q->p.want, sizeof made) != 0)
        s = ct_fail_at(
            e, CT_EDATA, q->name[i].path, -1,
            "becomes [%lld,%lld,%lld]; wanted [%lld,%lld,%lld], as the model; give a picture of the size it "
            "was trained on",
            (long long)made[0], (long long)made[1], (long long)made[2], (long long)q->p.want[0],
            (long long)q->p.want[1], (long long)q->p.want[2]);
    if (!s) s = ct_transform_run(q->p.transform, NULL, x.data, x.dim, (ct_draw){i, -1, 0}, out, e);
    ct_array_free(&x);
    return s;
}

/* A file that was asked for by name and that nothing here reads. */
static void no_picture(const char *path, ct_err *why) {
    const char *kind = strstr(why->text, "found text") ? "text" : "a file of another kind";
    *why = (ct_err){0};
    ct_fail_at(
        why, CT_EDATA, path, 0,
        "found %s; wanted a picture (PNG, JPEG, WebP or .npy), a folder of them, or an idx file; give one of "
        "these, or a list of paths by --paths",
        kind);
}

/* Never fails: a reason is kept by record, each read by one thread. */
static ct_status read_file(void *user, int64_t i, int64_t epoch, uint64_t seed, void *const *out, ct_err *e) {
    files *q = user;
    ct_err why = {0};
    (void)seed;
    (void)epoch;
    if (!read_one(q, i, out[0], &why)) return CT_OK;
    memset(out[0], 0, (size_t)(q->p.want[0] * q->p.want[1] * q->p.want[2]) * sizeof(float));
    ct_err *kept = malloc(sizeof why);
    if (!kept) return ct_fail(e, CT_ELIMIT, "predict: out of memory");
    int none = why.status == CT_EDATA && !ct__is_pictures(q->name[i].path);
    if (none && q->name[i].folder) why.status = CT_OK; /* passed over */
    if (none && !q->name[i].folder) no_picture(q->name[i].path, &why);
    *kept = why;
    q->why[i] = kept;
    return CT_OK;
}

static ct_status tell_batch(files *q, const ct_batch *b, double *probability) {
    for (int64_t r = 0; r < b->rows && !q->stopped; r++) {
        int64_t i = b->record[r];
        if (q->why[i] && q->alone) {
            if (q->p.e && !q->p.e->status) *q->p.e = *q->why[i];
            return (ct_status)q->why[i]->status;
        }
        if (q->why[i] && !q->why[i]->status) continue; /* no picture */
        if (q->why[i]) {
            tell_error(q, q->name[i].path, q->why[i]->text);
            continue;
        }
        ct_prediction p = {.path = q->name[i].path, .file = 1};
        ct__pass_row(&q->p, r, probability, &p);
        q->told++;
        if (q->each(q->user, &p)) q->stopped = 1;
    }
    return q->stopped ? ct_fail(q->p.e, CT_ECANCEL, "predict: stopped; wanted all; call again") : CT_OK;
}

static ct_status open_pass(ct__pass *p, const ct_predict_options *o) {
    ct_status s = ct__pass_open(p);
    if (!s && o->layer) s = ct__pass_layer(p, o->layer);
    if (!s) s = ct__pass_coverage(p, o->coverage);
    if (s) ct__pass_close(p);
    return s;
}

ct_status ct__bytes_predict(ct_model *m, const char *name, const void *data, uint64_t bytes,
                            const ct_predict_options *o, int (*each)(void *user, const ct_prediction *p),
                            void *user, ct_err *e) {
    ct__pass p = {.m = m, .e = e};
    ct_array x = {0};
    ct_status s = open_pass(&p, o);
    if (s) return s;
    int64_t n = p.want[0] * p.want[1] * p.want[2];
    float *picture = ct_new_array(p.allocator, (uint64_t)n + 16, sizeof *picture);
    double *probability = ct_new_array(p.allocator, (uint64_t)p.classes + 1, sizeof *probability);
    if (!picture || !probability) s = ct_fail(e, CT_ELIMIT, "predict: out of memory");
    if (!s) s = ct_picture_decode(p.allocator, data, bytes, name, &p.picture, &x, NULL, e);
    if (!s) s = ct__pass_fits(&p, x.dim, name, -1);
    if (!s) s = ct_transform_run(p.transform, NULL, x.data, x.dim, (ct_draw){0, -1, 0}, picture, e);
    if (!s) {
        s = ct_run(p.session, p.plan, (const void *const[1]){picture}, 1, (void *const[1]){p.logits});
        if (s) ct_fail(e, s, "%s", ct_session_error(p.session));
    }
    if (!s) {
        ct_prediction q = {.path = name, .file = 1};
        ct__pass_row(&p, 0, probability, &q);
        if (each(user, &q)) s = ct_fail(e, CT_ECANCEL, "predict: stopped; wanted all; call again");
    }
    if (x.data) ct_array_free(&x);
    ct_delete(p.allocator, picture, ((uint64_t)n + 16) * sizeof *picture);
    ct_delete(p.allocator, probability, ((uint64_t)p.classes + 1) * sizeof *probability);
    ct__pass_close(&p);
    return s;
}

static ct_status predict(files *q) {
    const ct_allocator *a = q->p.allocator;
    double *probability = ct_new_array(a, (uint64_t)q->p.classes + 1, sizeof *probability);
    ct_status s = probability ? CT_OK : ct_fail(q->p.e, CT_ELIMIT, "predict: out of memory");
    ct_source source = {.user = q, .count = q->count, .fields = 1, .read = read_file};
    source.field[0] = (ct_field){"image", CT_F32, 0, ct_shape_make(3, q->p.want)};
    int32_t threads = q->count > 8 ? ct_threads(ct_model_context(q->p.m)) : 0;
    if (!s)
        s = ct_loader_new(
            a, &source,
            (ct_loader_options){.batch = q->count < 32 ? q->count : 32, .evaluate = 1, .threads = threads},
            &q->p.loader, q->p.e);
    ct_batch b = {.rows = 1};
    while (!s && b.rows) {
        s = ct__pass_next(&q->p, &b);
        if (!s && b.rows) s = tell_batch(q, &b, probability);
    }
    ct_loader_free(q->p.loader);
    q->p.loader = NULL;
    ct_delete(a, probability, ((size_t)q->p.classes + 1) * sizeof *probability);
    return s;
}

ct_status ct__files_predict(ct_model *m, const char *const *path, int64_t n, int alone,
                            const ct_predict_options *o, int (*each)(void *user, const ct_prediction *p),
                            void *user, ct_err *e) {
    files q = {.p = {.m = m, .e = e}, .each = each, .user = user};
    ct_status s = open_pass(&q.p, o);
    if (s) return s;
    q.arena.allocator = q.p.allocator;
    s = list(&q, path, n);
    q.alone = alone && q.count == 1 && strcmp(q.name[0].path, path[0]) == 0;
    q.why = calloc((size_t)q.count + 1, sizeof *q.why);
    if (!s && !q.why) s = ct_fail(e, CT_ELIMIT, "predict: out of memory");
    if (!s && q.stopped) s = ct_fail(e, CT_ECANCEL, "predict: stopped; wanted all; call again");
    if (!s && q.count) s = predict(&q);
    if (!s && !q.told && !q.broken)
        s = ct_fail_at(e, CT_EDATA, path[0], -1, "no pictures; wanted at least one; check the path");
    for (int64_t i = 0; q.why && i < q.count; i++) free(q.why[i]);
    free(q.why);
    ct_delete(q.p.allocator, q.name, (size_t)q.capacity * sizeof *q.name);
    ct_arena_free(&q.arena);
    ct__pass_close(&q.p);
    if (!s && q.broken)
        s = ct_fail(e, CT_EDATA,
                    "predict: %lld picture%s cannot be read; wanted all; mend or leave out, the first: %s",
                    (long long)q.broken, q.broken == 1 ? "" : "s", q.first);
    return s;
}
