/* print.c: errors, numbers and JSON as the command prints them. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"

int cli_exit_status(int32_t status) {
    switch (status) {
        case CT_OK:
            return 0;
        case CT_EUSAGE:
            return 2;
        case CT_EDATA:
            return 3;
        case CT_EIO:
            return 4;
        case CT_ELIMIT:
            return 5;
        case CT_ENONFINITE:
            return 6;
        case CT_EPEER:
            return 7;
        case CT_ECANCEL:
            return 128 + (cli_signal ? cli_signal : 2);
        default:
            return 1;
    }
}

int cli_fail(cli *c) {
    int code = cli_exit_status(c->e.status);
    if (c->json) {
        json_t *v = json_pack("{s:s%, s:i}", "error", c->e.text, strlen(c->e.text), "code", code);
        if (!v) v = json_pack("{s:s, s:i}", "error", "an error whose text is not UTF-8", "code", code);
        if (c->e.file[0]) json_object_set_new(v, "file", json_string(c->e.file));
        if (c->e.pos >= 0 && c->e.file[0]) json_object_set_new(v, "pos", json_integer(c->e.pos));
        cli_json(v);
    }
    fprintf(stderr, "cotan: error: %s\n", c->e.text);
    return code;
}

const char *cli_group(int64_t n, char out[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)n), at = 0;
    for (int i = 0; i < length; i++) {
        out[at++] = digits[i];
        if ((length - i - 1) % 3 == 0 && i < length - 1 && digits[i] != '-') out[at++] = ',';
    }
    out[at] = 0;
    return out;
}

const char *cli_time(double s, char out[32]) {
    if (!(s >= 0) || s > 1e9)
        snprintf(out, 32, "?");
    else if (s < 0.1)
        snprintf(out, 32, "%.0f ms", s * 1e3);
    else if (s < 9.95)
        snprintf(out, 32, "%.1f s", s);
    else if (s < 60)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 3600)
        snprintf(out, 32, "%d min %02d s", (int)s / 60, (int)s % 60);
    else
        snprintf(out, 32, "%d h %02d min", (int)s / 3600, (int)s / 60 % 60);
    return out;
}

json_t *cli_number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

void cli_json(json_t *v) {
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12)) : NULL;
    printf("%s\n", text ? text : "{\"error\":\"out of memory\",\"code\":5}");
    fflush(stdout);
    if (text) {
        json_malloc_t m;
        json_free_t f;
        json_get_alloc_funcs(&m, &f);
        f(text);
    }
    json_decref(v);
}

ct_options cli_context(const cli *c) {
    return (ct_options){.threads = (int32_t)c->threads, .seed = c->seed, .debug = c->debug, .trap = c->trap};
}
