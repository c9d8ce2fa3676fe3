/* similar.c: cotan predict MODEL FILE ... --similar DIR: the pictures of a folder that are most like each. */
#include "cli/cli.h"

typedef struct printer {
    cli *c;
    int64_t left; /* pictures still to tell, -1: all */
} printer;

static void print_json(const ct_similar *s) {
    json_t *list = json_array();
    for (int64_t i = 0; i < s->count; i++)
        json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "path", cli_path(s->near[i].path), "index",
                                              (json_int_t)s->near[i].index, "similarity",
                                              cli_number(s->near[i].similarity)));
    cli_json(json_pack("{s:o, s:I, s:o}", "path", cli_path(s->path), "index", (json_int_t)s->index, "similar",
                       list));
}

static int each(void *user, const ct_similar *s) {
    printer *w = user;
    char path[4200];
    if (s->error) {
        cli_picture_error(w->c, s->path, s->index, s->error);
        return 0;
    }
    if (w->left == 0) return 1;
    if (w->left > 0) w->left--;
    if (w->c->json) {
        print_json(s);
        return ferror(stdout) ? 1 : 0;
    }
    cli_picture(w->c, s->path, s->index, s->file);
    for (int64_t i = 0; i < s->count; i++) {
        printf("\t%s", ct_escape(s->near[i].path, path, sizeof path));
        if (!s->near[i].file) printf(":%lld", (long long)s->near[i].index);
        printf("\t%.4f", s->near[i].similarity);
    }
    putchar('\n');
    return ferror(stdout) ? 1 : 0;
}

ct_status cli_similar(cli *c, ct_model *m, const char *const *path, int64_t n) {
    printer w = {c, c->limit ? c->limit : -1};
    return ct_similar_images(m, c->layer, path, n, c->similar, c->top, each, &w, &c->e);
}
