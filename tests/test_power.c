/* test_power.c: power is lost before each file operation of a training (X3, X16).
 *
 * What a system promises: a file's bytes last after fsync of the file, a name after fsync of its folder; what was
 * not synced may be lost, in any order. The seam keeps the disk as it would be then: for every file the bytes now
 * and the bytes synced, for every folder the names synced and the changes since. At chosen operations the disk is
 * laid out in several ways that the promises allow, and the training is resumed on it: it must go on from the last
 * checkpoint that was saved, and end with the bytes of the one never disturbed. */
#include "rows.h"
#include "seam.h"
#include "training.h"

typedef struct inode {
    char *now;
    size_t bytes, room, synced;
    struct inode *older; /* of all that were made */
} inode;

typedef struct change { /* of names: `from` (or NULL) goes away, `to` (or NULL) becomes the inode */
    char from[200], to[200];
    inode *file; /* NULL: a folder */
} change;

typedef struct name {
    char path[200];
    inode *file;
} name;

typedef struct disk {
    name now[64], lasting[64]; /* path "" : free */
    change pending[256];
    int changes;
} disk;

static disk the_disk;
static inode *newest;
static int64_t saved_step, renamed_step, last_step, cases, next_case, stride, seen;
static ct_random dice;

/* ---- the disk ---- */

static name *find(name *list, const char *path) {
    for (int i = 0; i < 64; i++)
        if (strcmp(list[i].path, path) == 0) return &list[i];
    return NULL;
}

static name named(const char *path, inode *file) {
    name n = {.file = file};
    snprintf(n.path, sizeof n.path, "%s", path);
    return n;
}

static void apply(name *list, const change *c) {
    name *n = c->from[0] ? find(list, c->from) : NULL;
    if (n) n->path[0] = 0;
    if (!c->to[0]) return;
    n = find(list, c->to);
    if (!n) n = find(list, "");
    if (!n)
        fail_msg("too many names");
    else
        *n = named(c->to, c->file);
}

static void changed(const char *from, const char *to, inode *file) {
    change *c = &the_disk.pending[the_disk.changes++];
    assert_true(the_disk.changes < 256);
    snprintf(c->from, sizeof c->from, "%s", from);
    snprintf(c->to, sizeof c->to, "%s", to);
    c->file = file;
    apply(the_disk.now, c);
}

static int in_folder(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void folder_synced(const char *folder) {
    int kept = 0;
    for (int i = 0; i < the_disk.changes; i++) {
        change *c = &the_disk.pending[i];
        if (in_folder(c->to[0] ? c->to : c->from, folder))
            apply(the_disk.lasting, c);
        else
            the_disk.pending[kept++] = *c;
    }
    the_disk.changes = kept;
}

static inode *inode_new(void) {
    inode *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->older = newest;
    return newest = f;
}

static void append(inode *f, const void *data, size_t bytes) {
    if (f->bytes + bytes > f->room) {
        f->room = 2 * (f->bytes + bytes);
        f->now = realloc(f->now, f->room);
        assert_non_null(f->now);
    }
    memcpy(f->now + f->bytes, data, bytes);
    f->bytes += bytes;
}

static const char *path_of(int fd, char out[200]) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, 199);
    out[n > 0 ? n : 0] = 0;
    return out;
}

static int watched(const char *path) {
    size_t n = strlen(training_folder);
    return strncmp(path, training_folder, n) == 0 && strstr(path + n, "/m.");
}

/* ---- what may be left of it ---- */

/* The layouts: which names, which bytes. */
enum { ALL_LOST, NAMES_ONLY, NOTHING_LOST, TORN, ZEROS, MIXED, LAYOUTS };
static const char *const layout_names[] = {"all unsynced lost", "names without bytes",
                                           "nothing lost",      "half of the bytes",
                                           "zeros for bytes",   "some names, some bytes"};

static void lay_names(int layout, name list[64]) {
    memcpy(list, the_disk.lasting, sizeof the_disk.lasting);
    for (int i = 0; i < the_disk.changes; i++) {
        int take = layout == NAMES_ONLY || layout == NOTHING_LOST || layout == ZEROS ||
                   (layout == MIXED && ct_random_below(&dice, 2));
        if (take) apply(list, &the_disk.pending[i]);
    }
}

static void lay_file(int layout, const inode *f, const char *path) {
    size_t lost = f->bytes - f->synced, keep = layout == NOTHING_LOST || layout == ZEROS ? lost
                                               : layout == TORN                          ? lost / 2
                                               : layout == MIXED ? (size_t)ct_random_below(&dice, lost + 1)
                                                                 : 0;
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    if (f->synced) fwrite(f->now, 1, f->synced, to);
    for (size_t i = 0; i < keep; i++) fputc(layout == ZEROS ? 0 : f->now[f->synced + i], to);
    assert_int_equal(fclose(to), 0);
}

static void lay_out(int layout) {
    name list[64];
    char crash[120], path[400];
    snprintf(crash, sizeof crash, "%s/crash", training_folder);
    remove_tree(crash);
    assert_int_equal(mkdir(crash, 0777), 0);
    lay_names(layout, list);
    for (int folders = 1; folders >= 0; folders--)
        for (int i = 0; i < 64; i++) {
            if (!list[i].path[0] || (list[i].file == NULL) != folders) continue;
            snprintf(path, sizeof path, "%s%s", crash, list[i].path + strlen(training_folder));
            if (folders) assert_int_equal(mkdir(path, 0777), 0);
            char *slash = strrchr(path, '/');
            *slash = 0;
            int there = access(path, F_OK) == 0; /* its folder may be lost */
            *slash = '/';
            if (!folders && there) lay_file(layout, list[i].file, path);
        }
}

static char notes[1200];
static void tell_crash(void *user, const ct_event *e) {
    size_t n = strlen(notes);
    (void)user;
    if (e->kind == CT_EVENT_NOTE) snprintf(notes + n, sizeof notes - n, "%s\n", e->text);
}

static void resume(int layout, int64_t operation) {
    ct_image_train o = training(at("crash/m.safetensors"));
    ct_err e;
    o.resume = 1;
    o.tell = tell_crash;
    notes[0] = 0;
    if (train(&o, &e))
        fail_msg("X3: before operation %lld, %s: %s", (long long)operation, layout_names[layout], e.text);
    assert_same_run("crash/m");
    const char *at_step = strstr(notes, "resumed at step ");
    int64_t from = at_step                        ? atoll(at_step + strlen("resumed at step "))
                   : strstr(notes, "is finished") ? last_step
                                                  : 0;
    if (from < saved_step)
        fail_msg("X3: before operation %lld, %s: goes on from step %lld, %lld was saved (%s)",
                 (long long)operation, layout_names[layout], (long long)from, (long long)saved_step, notes);
    cases++;
}

/* ---- the training that is watched ---- */

static void before(seam *s, int op, const char *path, int fd, const void *data, size_t bytes) {
    static int busy; /* the resumed trainings have no seam, but stay on the safe side */
    char by_fd[200];
    int64_t operation = seen++;
    (void)s;
    if (!path) path = path_of(fd, by_fd);
    if (!busy && operation == next_case) {
        busy = 1;
        for (int layout = 0; layout < LAYOUTS; layout++) {
            lay_out(layout);
            resume(layout, operation);
        }
        busy = 0;
        next_case += stride;
    }
    name *n = watched(path) ? find(the_disk.now, path) : NULL;
    if (op == OP_OPEN && watched(path) && (bytes & O_CREAT) && !n) changed("", path, inode_new());
    if (op == OP_MKDIR && watched(path)) changed("", path, NULL);
    if (op == OP_WRITE && n) append(n->file, data, bytes);
    if (op == OP_RENAME && n) changed(path, data, n->file);
    if (op == OP_UNLINK && n) changed(path, "", NULL);
    if (op == OP_FSYNC && n && n->file) n->file->synced = n->file->bytes;
    if (op == OP_RENAME && n && strstr(data, "/checkpoint.safetensors")) renamed_step = last_step;
    if (op == OP_FSYNC && (!n || !n->file)) {
        folder_synced(path);
        if (n) saved_step = renamed_step;
    }
}

static void tell(void *user, const ct_event *e) {
    (void)user;
    if (e->kind == CT_EVENT_STEP) last_step = e->step;
}

static void power(void **state) {
    seam s = {.op = -1, .before = before};
    ct_image_train o = training(at("m.safetensors"));
    ct_err e;
    (void)state;
    dice = ct_random_stream(3, 0);
    stride = getenv("COTAN_TEST_FULL") ? 3 : 53;
    o.files = seam_files(&s);
    o.tell = tell;
    if (train(&o, &e)) fail_msg("%s", e.text);
    assert_same_run("m");
    print_message("X3, X16: power lost before %lld of %lld operations, in %d ways: %lld trainings resumed\n",
                  (long long)(cases / LAYOUTS), (long long)seen, LAYOUTS, (long long)cases);
    assert_true(cases >= 60);
    for (inode *f = newest, *older; f; f = older) {
        older = f->older;
        free(f->now);
        free(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(power)};
    return cmocka_run_group_tests(tests, training_prepare, training_clean);
}
