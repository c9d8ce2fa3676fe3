/* folder.c: a folder of folders, one a class. The walk takes names, not pictures: what a file is, its bytes say,
 * and those are read by the scan. Nothing here depends on the order in which the system gives names. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/read/images.h"

#define MAX_DEPTH 32

typedef struct level { /* folders on the way from the root, to find loops of links */
    dev_t device;
    ino_t inode;
    const struct level *above;
    int depth;
} level;

typedef struct walk {
    ct_images *s;
    const char **label; /* of each record */
    int64_t capacity;
    ct_err *e;
} walk;

typedef struct entry {
    char *name;
    int32_t folder, file, link;
} entry;

typedef struct entries {
    entry *at;
    int64_t count, capacity;
} entries;

static ct_status failed(walk *w, const char *path, const char *what) {
    char text[120] = "";
    const char *why = strerror_r(errno, text, sizeof text);
    return ct_fail_at(w->e, CT_EIO, path, -1, "%s: %s; wanted a readable folder; check its permissions", what,
                      why);
}

static ct_status memory_out(walk *w) { return ct_fail(w->e, CT_ELIMIT, "%s: out of memory", w->s->name); }

/* ---- one folder's names ---- */

static int is_hidden(const char *name) {
    static const char *const names[] = {"Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir"};
    if (name[0] == '.') return 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return 1;
    return 0;
}

/* What a name stands for; links, pipes and the like are named and passed over here. */
static void examine(walk *w, const char *path, entry *x) {
    struct stat st;
    if (lstat(path, &st)) return; /* gone since it was listed */
    x->link = S_ISLNK(st.st_mode);
    if (x->link && !w->s->o.follow_links) {
        w->s->links++;
        return;
    }
    if (x->link && stat(path, &st)) {
        ct__images_tell(w->s, "%s: a link to nothing; passed over", path);
        w->s->other++;
        return;
    }
    x->folder = S_ISDIR(st.st_mode);
    x->file = S_ISREG(st.st_mode);
    if (x->folder || x->file) return;
    ct__images_tell(w->s, "%s: a pipe, socket or device; passed over", path);
    w->s->other++;
}

static int compare_entry(const void *a, const void *b) {
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static ct_status add_entry(walk *w, entries *list, const char *path, const char *name) {
    char full[CT__PATH];
    if (list->count == list->capacity) {
        int64_t capacity = list->capacity ? 2 * list->capacity : 64;
        entry *more = ct_resize(w->s->allocator, list->at, (size_t)list->capacity * sizeof *more,
                                (size_t)capacity * sizeof *more);
        if (!more) return memory_out(w);
        list->at = more;
        list->capacity = capacity;
    }
    entry x = {.name = ct_arena_text(&w->s->arena, name)};
    if (!x.name) return memory_out(w);
    if (snprintf(full, sizeof full, "%s/%s", path, name) >= (int)sizeof full)
        return ct_fail(w->e, CT_EIO,
                       "%.200s...: a path that is too long; wanted under %d bytes; rename a folder", full,
                       CT__PATH);
    examine(w, full, &x);
    if (x.folder || x.file) list->at[list->count++] = x;
    return CT_OK;
}

static ct_status read_folder(walk *w, const char *path, entries *list) {
    DIR *d = opendir(path);
    if (!d) return failed(w, path, "cannot open");
    ct_status s = CT_OK;
    for (;;) {
        errno = 0;
        const struct dirent *x = readdir(d);
        if (!x) {
            if (errno) s = failed(w, path, "cannot read");
            break;
        }
        if (!is_hidden(x->d_name)) s = add_entry(w, list, path, x->d_name);
        if (s) break;
    }
    closedir(d);
    if (list->count) qsort(list->at, (size_t)list->count, sizeof *list->at, compare_entry);
    return s;
}

static void free_entries(walk *w, entries *list) {
    ct_delete(w->s->allocator, list->at, (size_t)list->capacity * sizeof *list->at);
}

/* ---- down ---- */

static ct_status add_file(walk *w, const char *path, int32_t part, const char *label) {
    if (w->s->count >= w->capacity) {
        int64_t capacity = w->capacity ? 2 * w->capacity : 256;
        const char **more = ct_resize(w->s->allocator, w->label, (size_t)w->capacity * sizeof *more,
                                      (size_t)capacity * sizeof *more);
        if (!more) return memory_out(w);
        w->label = more;
        w->capacity = capacity;
    }
    w->label[w->s->count] = label;
    return ct__images_add(w->s, path, w->s->count, part, w->e) ? CT_OK : CT_ELIMIT;
}

/* root/below, and below/name, in the arena: folders lie deep, stacks may be small. */
static __attribute__((noinline)) ct_status path_of(walk *w, const char *below, const char **out) {
    char path[CT__PATH];
    ct_status s = ct__images_file(w->s, below, path, w->e);
    if (s) return s;
    *out = ct_arena_text(&w->s->arena, path);
    return *out ? CT_OK : memory_out(w);
}

static const char *below_of(walk *w, const char *below, const char *name) {
    const char *path = ct_arena_format(&w->s->arena, "%s%s%s", below, below[0] ? "/" : "", name);
    if (!path) memory_out(w);
    return path;
}

static ct_status level_of(walk *w, const char *path, const level *above, level *out) {
    struct stat st;
    if (stat(path, &st)) return failed(w, path, "cannot examine");
    *out = (level){st.st_dev, st.st_ino, above, above ? above->depth + 1 : 0};
    return CT_OK;
}

static ct_status go_down(walk *w, const char *below, int32_t part, const char *label, const level *above);

static ct_status take_entry(walk *w, const char *below, const entry *x, int32_t part, const char *label,
                            const level *here) {
    const char *next = below_of(w, below, x->name);
    if (!next) return CT_ELIMIT;
    return x->folder ? go_down(w, next, part, label, here) : add_file(w, next, part, label);
}

/* `below`: the path below the root, "" for the root itself. */
static ct_status go_down(walk *w, const char *below, int32_t part, const char *label, const level *above) {
    const char *path = NULL;
    level here;
    entries list = {0};
    ct_status s = path_of(w, below, &path);
    if (!s) s = level_of(w, path, above, &here);
    if (s) return s;
    for (const level *l = above; l; l = l->above)
        if (l->device == here.device && l->inode == here.inode) {
            ct__images_tell(w->s, "%s: a link back to a folder above; passed over", path);
            return CT_OK;
        }
    if (here.depth > MAX_DEPTH)
        return ct_fail_at(w->e, CT_ELIMIT, path, -1,
                          "folders %d deep; wanted at most %d; move its pictures up", here.depth, MAX_DEPTH);
    s = read_folder(w, path, &list);
    for (int64_t i = 0; i < list.count && !s; i++) s = take_entry(w, below, &list.at[i], part, label, &here);
    free_entries(w, &list);
    return s;
}

/* ---- classes and parts ---- */

/* Why a folder that has no folders is none of classes: the nearest mistakes are the folder of one class, and links. */
static ct_status no_classes(walk *w, const char *path, const entries *list) {
    int64_t pictures = 0, links = w->s->links;
    for (int64_t i = 0; i < list->count; i++)
        pictures += list->at[i].file && ct_picture_likely(list->at[i].name, NULL, 0);
    if (pictures)
        return ct_fail_at(w->e, CT_EDATA, path, -1,
                          "%lld picture%s and no class folders; wanted a folder for each class with its "
                          "pictures inside; give the folder above, or sort them into folders",
                          (long long)pictures, pictures == 1 ? "" : "s");
    if (links)
        return ct_fail_at(w->e, CT_EDATA, path, -1,
                          "%lld symbolic link%s, passed over, and no class folders; wanted a folder for each "
                          "class with its pictures inside; give --follow-links if the links lead there",
                          (long long)links, links == 1 ? "" : "s");
    return ct_fail_at(w->e, CT_EDATA, path, -1,
                      "no class folders, no train-images-idx3-ubyte[.gz]; wanted a folder for each class "
                      "with its pictures inside, "
                      "or idx files by MNIST's names; check the path");
}

static int32_t part_named(const char *name) {
    if (strcmp(name, "train") == 0) return CT_PART_TRAIN;
    if (strcmp(name, "test") == 0) return CT_PART_TEST;
    if (strcmp(name, "validation") == 0 || strcmp(name, "valid") == 0 || strcmp(name, "val") == 0)
        return CT_PART_VALIDATION;
    return 0;
}

/* A class without pictures; `links`: how many had been passed over before it. */
static ct_status no_pictures(walk *w, const char *path, const char *name, int64_t links) {
    if (w->s->links == links) return ct__class_empty(path, name, w->e);
    return ct_fail_at(w->e, CT_EDATA, path, -1,
                      "class %.100s has symbolic links alone, passed over; wanted at least one picture; give "
                      "--follow-links to read them",
                      name);
}

/* Every folder in `below`, whose names are read into `list` unless they are there, is a class; outside of the
 * validation and test parts each must hold a file. A link from a class back to it, or to what is above, is a loop: it
 * would give pictures of all classes this one's label. */
static ct_status classes_of(walk *w, const char *below, int32_t part, const level *above, entries *list) {
    const char *path = NULL;
    int64_t folders = 0;
    level here;
    ct_status s = path_of(w, below, &path);
    if (!s) s = level_of(w, path, above, &here);
    if (!s && !list->at) s = read_folder(w, path, list);
    for (int64_t i = 0; i < list->count && !s; i++) {
        const entry *x = &list->at[i];
        int64_t before = w->s->count, links = w->s->links;
        if (!x->folder) {
            w->s->other++;
            continue;
        }
        folders++;
        s = take_entry(w, below, x, part, x->name, &here);
        if (!s && w->s->count == before && part != CT_PART_TEST && part != CT_PART_VALIDATION)
            s = no_pictures(w, path, x->name, links);
    }
    if (!s && folders == 0) s = no_classes(w, path, list);
    return s;
}

static int has_folder(const entries *list, const char *name) {
    for (int64_t i = 0; i < list->count; i++)
        if (list->at[i].folder && strcmp(list->at[i].name, name) == 0) return 1;
    return 0;
}

static void names_of(const entries *list, ct_text *t) {
    int64_t n = 0;
    for (int64_t i = 0; i < list->count; i++)
        if (list->at[i].folder) ct__names_add(t, n++, list->at[i].name);
    ct__names_end(t, n);
}

/* Classes that training never sees cannot be evaluated. */
static ct_status compare_classes(walk *w, const entries *train, const entries *other, const char *part) {
    for (int64_t i = 0; i < other->count; i++) {
        if (!other->at[i].folder || has_folder(train, other->at[i].name)) continue;
        ct_text a = {.allocator = w->s->allocator}, b = {.allocator = w->s->allocator};
        names_of(train, &a);
        names_of(other, &b);
        ct_status s =
            ct_fail_at(w->e, CT_EDATA, w->s->name, -1,
                       "%s has class %.60s, train has not; found %s; wanted only %s; take that folder out",
                       part, other->at[i].name, b.data ? b.data : "", a.data ? a.data : "");
        ct_text_free(&a);
        ct_text_free(&b);
        return s;
    }
    return CT_OK;
}

static ct_status walk_parts(walk *w, const entries *root) {
    entries train = {0};
    level top;
    ct_status s = level_of(w, w->s->root, NULL, &top);
    int listed = !w->s->o.parts || (w->s->o.parts >> CT_PART_TRAIN & 1);
    if (!s && listed) s = classes_of(w, "train", CT_PART_TRAIN, &top, &train);
    for (int64_t i = 0; i < root->count && !s; i++) {
        const entry *x = &root->at[i];
        int32_t part = x->folder ? part_named(x->name) : 0;
        entries other = {0};
        w->s->own[part] = part != 0;
        if (part <= CT_PART_TRAIN || (w->s->o.parts && !(w->s->o.parts >> part & 1))) continue;
        s = classes_of(w, x->name, part, &top, &other);
        if (!s && listed) s = compare_classes(w, &train, &other, x->name);
        free_entries(w, &other);
    }
    free_entries(w, &train);
    return s;
}

/* Parts stand above the classes where every folder of the root has a part's name and train is one of them. */
static int is_divided(const entries *root) {
    int train = 0;
    for (int64_t i = 0; i < root->count; i++) {
        if (!root->at[i].folder) continue;
        int32_t part = part_named(root->at[i].name);
        if (!part) return 0;
        train |= part == CT_PART_TRAIN;
    }
    return train;
}

ct_status ct__images_walk(ct_images *s, const char *path, ct_err *e) {
    walk w = {.s = s, .e = e};
    entries root = {0};
    ct_status status;
    if (s->o.unlabelled) {
        status = go_down(&w, "", CT_PART_NONE, "", NULL);
    } else {
        status = read_folder(&w, path, &root);
        if (!status)
            status =
                is_divided(&root) ? walk_parts(&w, &root) : classes_of(&w, "", CT_PART_NONE, NULL, &root);
        free_entries(&w, &root);
    }
    if (!status && s->count == 0)
        status = ct_fail_at(e, CT_EDATA, path, -1, "no pictures; wanted at least one; check the path");
    if (!status) status = ct__images_label(s, w.label, e);
    ct_delete(s->allocator, w.label, (size_t)w.capacity * sizeof *w.label);
    return status;
}
