/* print.c: errors, numbers, words and JSON as the command prints them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_exit_status(int32_t status) {
    if (status == CT_ECANCEL) return 128 + (cli_signal ? cli_signal : 2);
    return status >= CT_OK && status <= CT_EPEER ? status : CT_EINTERNAL; /* the numbers are the statuses */
}

/* Where in the file: "LINE:COLUMN" of a text, "@BYTE" of others. */
static json_t *position(const ct_err *e) {
    char text[64];
    if (!e->file[0] || e->pos < 0) return json_null();
    if (e->column > 0)
        snprintf(text, sizeof text, "%lld:%d", (long long)e->pos, e->column);
    else
        snprintf(text, sizeof text, "@%lld", (long long)e->pos);
    return json_string(text);
}

int cli_fail(cli *c) {
    int code = cli_exit_status(c->e.status);
    if (c->json)
        cli_json(json_pack("{s:s, s:i, s:o, s:o}", "error", c->e.text, "code", code, "file",
                           c->e.file[0] ? json_string(c->e.file) : json_null(), "pos", position(&c->e)));
    fprintf(stderr, "cotan: error: %s\n", c->e.text);
    return code;
}

const char *cli_time(double s, char out[32]) {
    if (!(s >= 0) || s > 1e9)
        snprintf(out, 32, "?");
    else if (s < 0.0995)
        snprintf(out, 32, "%.0f ms", s * 1e3);
    else if (s < 9.95)
        snprintf(out, 32, "%.1f s", s);
    else if (s < 59.5)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 3599.5)
        snprintf(out, 32, "%d min %02d s", (int)(s + 0.5) / 60, (int)(s + 0.5) % 60);
    else
        snprintf(out, 32, "%d h %02d min", (int)(s + 30) / 3600, (int)(s + 30) / 60 % 60);
    return out;
}

/* As $'...', which bash and zsh read back: for control characters and bytes that are no UTF-8. */
static void quote_bytes(ct_text *t, const char *word) {
    ct_text_add(t, "$'");
    for (; *word; word++) {
        unsigned char c = (unsigned char)*word;
        if (c < 32 || c >= 127)
            ct_text_format(t, "\\x%02x", c);
        else
            ct_text_format(t, c == '\'' || c == '\\' ? "\\%c" : "%c", c);
    }
    ct_text_add(t, "'");
}

void cli_quote(ct_text *t, const char *word) {
    char shown[4200];
    if (strcmp(ct_escape(word, shown, sizeof shown), word) != 0) {
        quote_bytes(t, word);
        return;
    }
    if (*word && !word[strcspn(word, " \t\n\"'\\$`*?[]{}()<>|&;#~!")]) {
        ct_text_add(t, word);
        return;
    }
    ct_text_add(t, "'");
    for (; *word; word++) {
        if (*word == '\'')
            ct_text_add(t, "'\\''");
        else
            ct_text_bytes(t, word, 1);
    }
    ct_text_add(t, "'");
}

/* ---- JSON ---- */

json_t *cli_path(const char *path) {
    json_t *v = json_string(path);
    char *escaped = v ? NULL : malloc(4 * strlen(path) + 5);
    if (escaped) v = json_string(ct_escape(path, escaped, 4 * strlen(path) + 5));
    free(escaped);
    return v;
}

void cli_print(const char *text, int lines) {
    while (*text) {
        char piece[1001], shown[4001];
        size_t n = lines ? strcspn(text, "\n") : strlen(text);
        if (n > 1000) n = 1000;
        while (n > 990 && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* not within a character */
        memcpy(piece, text, n);
        piece[n] = 0;
        fputs(ct_escape(piece, shown, sizeof shown), stdout);
        text += n;
        if (lines && *text == '\n') putchar(*text++);
    }
}

json_t *cli_number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

json_t *cli_shape(const ct_shape *s) {
    json_t *list = json_array();
    for (int32_t i = 0; i < s->rank; i++) json_array_append_new(list, json_integer(s->dim[i]));
    return list;
}

json_t *cli_score(const ct_score *s) {
    ct_text t = {0};
    ct_score_json(s, &t);
    json_t *v = t.failed ? NULL : json_loads(t.data, 0, NULL);
    ct_text_free(&t);
    return v;
}

void cli_json(json_t *v) {
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12)) : NULL;
    printf("%s\n", text ? text : "{\"error\":\"out of memory\",\"code\":5,\"file\":null,\"pos\":null}");
    fflush(stdout);
    if (text) {
        json_malloc_t m;
        json_free_t f;
        json_get_alloc_funcs(&m, &f);
        f(text);
    }
    json_decref(v);
}
