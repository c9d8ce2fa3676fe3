/* csv.c: records of a CSV file, by a machine of four states over a window of bytes.
 *
 * Fields are unquoted in place: what is written never runs ahead of what is read. A record that is not complete in
 * the window is scanned on, not anew, when more bytes have come, so time is linear whatever the length of a line. */
#include "data/read/csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef enum state { START, BARE, QUOTED, QUOTE } state; /* QUOTE: one was seen inside quotes */

typedef struct scan { /* of one record; positions count from its first byte */
    state state;
    int done;
    size_t from, to;      /* next byte to read, next to write */
    int64_t line, column; /* of the next byte, from 1 */
    ct__csv_field field;  /* the current one */
} scan;

static int32_t small(int64_t n) { return n > INT32_MAX ? INT32_MAX : (int32_t)n; }
static ct_status refuse_at(const ct_csv *c, int64_t line, int64_t column, ct_status status, ct_err *e,
                           const char *text) {
    return ct_fail_line(e, status, c->path, small(line), small(column), "%s", text);
}

/* ---- one record ---- */

static ct_status end_field(ct_csv *c, scan *s, ct_err *e) {
    if (c->fields == CT__CSV_COLUMNS)
        return ct_fail_line(e, CT_ELIMIT, c->path, small(s->line), small(s->column),
                            "more than %d columns; wanted at most that many; is it no CSV?", CT__CSV_COLUMNS);
    if (c->fields == c->room) {
        size_t room = c->room ? 2 * (size_t)c->room : 64;
        ct__csv_field *fresh =
            ct_resize(c->allocator, c->field, (size_t)c->room * sizeof *fresh, room * sizeof *fresh);
        if (!fresh)
            return ct_fail(e, CT_ELIMIT, "%s: out of memory for a record; use a smaller file", c->path);
        c->field = fresh;
        c->room = (int32_t)room;
    }
    c->field[c->fields++] = s->field;
    c->buffer[c->begin + s->to++] = 0; /* over the delimiter that was read */
    s->field = (ct__csv_field){s->to, s->line, s->column + 1, 0};
    s->state = START;
    return CT_OK;
}

static ct_status wrong_byte(const ct_csv *c, const scan *s, char byte, ct_err *e) {
    if (byte == 0)
        return refuse_at(c, s->line, s->column, CT_EDATA, e,
                         "a NUL byte; wanted text; is it UTF-16 or no CSV? convert it to UTF-8");
    if (s->state == QUOTE)
        return refuse_at(
            c, s->line, s->column, CT_EDATA, e,
            "text after a closing quote; wanted a delimiter or the end of the line; write \"\" for a quote "
            "inside");
    return refuse_at(c, s->line, s->column, CT_EDATA, e,
                     "a quote inside a bare field; wanted the whole field in quotes, and \"\" for a quote "
                     "inside; quote it");
}

/* One byte into the machine. */
static ct_status step(ct_csv *c, scan *s, char byte, ct_err *e) {
    int ends = byte == '\n' || byte == '\r', delimits = byte == (char)c->o.delimiter;
    if (byte == 0) return wrong_byte(c, s, byte, e);
    if (s->state == QUOTED) {
        if (byte == '"')
            s->state = QUOTE;
        else
            c->buffer[c->begin + s->to++] = byte;
    } else if (delimits || ends) {
        ct_status status = end_field(c, s, e);
        if (status) return status;
        s->done = ends;
        c->after_cr = byte == '\r';
    } else if (s->state == QUOTE && byte == '"') {
        c->buffer[c->begin + s->to++] = byte;
        s->state = QUOTED;
    } else if (s->state == QUOTE || (s->state == BARE && byte == '"')) {
        return wrong_byte(c, s, byte, e);
    } else if (byte == '"') {
        s->state = QUOTED;
        s->field.quoted = 1;
    } else {
        c->buffer[c->begin + s->to++] = byte;
        s->state = BARE;
    }
    return CT_OK;
}

/* Lines inside quotes count: LF, CRLF and CR alike. */
static void advance(scan *s, char byte, char next) {
    s->column++;
    if (byte == '\n' || (byte == '\r' && next != '\n')) {
        s->line++;
        s->column = 1;
    }
}

static ct_status end_of_file(ct_csv *c, scan *s, ct_err *e) {
    if (s->state == QUOTED)
        return refuse_at(c, s->field.line, s->field.column, CT_EDATA, e,
                         "a quote that is never closed; wanted a closing one before the end of the file; "
                         "close it, or double a quote inside");
    s->done = 1;
    return s->from == 0 ? CT_OK
                        : end_field(c, s, e); /* the last line without its LF: room for the NUL is kept */
}

/* The record at `begin` into c->field; c->fields is 0 at the end of the file. */
static ct_status scan_record(ct_csv *c, ct_err *e) {
    scan s = {.line = c->line, .column = 1, .field = {0, c->line, 1, 0}};
    c->fields = 0;
    c->row_line = c->line;
    for (;;) {
        while (c->begin + s.from + 1 < c->end || (c->ended && c->begin + s.from < c->end)) {
            char byte = c->buffer[c->begin + s.from],
                 next = c->ended && c->begin + s.from + 1 == c->end ? 0 : c->buffer[c->begin + s.from + 1];
            s.from++;
            if (c->after_cr && byte == '\n' && s.from == 1) { /* the LF of the CRLF before */
                c->after_cr = 0;
                c->begin++;
                s.from = 0;
                continue;
            }
            c->after_cr = 0;
            ct_status status = step(c, &s, byte, e);
            if (status) return status;
            advance(&s, byte, s.done ? 0 : next);
            if (s.done) goto done;
        }
        if (c->ended) {
            ct_status status = end_of_file(c, &s, e);
            if (status) return status;
            goto done;
        }
        ct_status status = ct__csv_fill(c, e);
        if (status) return status;
    }
done:
    c->row = c->buffer + c->begin;
    c->begin += s.from;
    c->line = s.line;
    return CT_OK;
}

/* A line of a pair of quotes is a record of one empty field. */
static int is_empty(const ct_csv *c) {
    return c->fields == 1 && c->row[c->field[0].at] == 0 && !c->field[0].quoted;
}

/* The next record that is not an empty line; an empty line that is not at the end is refused. */
static ct_status next_record(ct_csv *c, ct_err *e) {
    int64_t empty = 0;
    ct_status s = scan_record(c, e);
    while (!s && c->fields && is_empty(c)) {
        if (!empty) empty = c->row_line;
        s = scan_record(c, e);
    }
    if (!s && empty && c->fields)
        return refuse_at(c, empty, 1, CT_EDATA, e,
                         "an empty line; wanted a record, or nothing but empty lines after it; remove it");
    return s;
}

ct_status ct_csv_next(ct_csv *c, int32_t *more, ct_err *e) {
    ct_status s = next_record(c, e);
    if (s) return s;
    if (c->fields && c->fields != c->columns) {
        char text[200];
        snprintf(text, sizeof text,
                 "%d field%s; wanted %d, as the first line; is a quote or a delimiter missing?", c->fields,
                 c->fields == 1 ? "" : "s", c->columns);
        return refuse_at(c, c->row_line, 1, CT_EDATA, e, text);
    }
    *more = c->fields > 0;
    return CT_OK;
}

const char *ct_csv_text(const ct_csv *c, int32_t column) { return c->row + c->field[column].at; }
int64_t ct_csv_line(const ct_csv *c) { return c->row_line; }

ct_status ct_csv_refuse(const ct_csv *c, int32_t column, ct_status status, ct_err *e, const char *format,
                        ...) {
    char text[CT_ERROR_TEXT], name[80];
    int n = snprintf(text, sizeof text, "column %d \"%s\": ", column + 1,
                     ct_escape(c->name[column], name, sizeof name));
    va_list args;
    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof text) vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    return refuse_at(c, c->field[column].line, c->field[column].column, status, e, text);
}

/* ---- opening ---- */

static ct_status skip_mark(ct_csv *c, ct_err *e) {
    ct_status s = CT_OK;
    while (!s && !c->ended && c->end < 3) s = ct__csv_fill(c, e);
    const unsigned char *b = (const unsigned char *)c->buffer;
    if (s) return s;
    if (c->end >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
        return refuse_at(c, 1, 1, CT_EDATA, e,
                         "UTF-16; wanted UTF-8; convert it, such as by iconv -f UTF-16 -t UTF-8");
    if (c->end >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF) c->begin = 3;
    return CT_OK;
}

/* The delimiter that stands most often in the first line, outside of quotes. */
static ct_status find_delimiter(ct_csv *c, ct_err *e) {
    static const char candidates[] = {',', ';', '\t'};
    int64_t count[3] = {0};
    int quoted = 0;
    ct_status s = CT_OK;
    for (size_t i = c->begin;; i++) {
        while (!s && i >= c->end && !c->ended) { /* the window moves: so does i */
            size_t moved = c->begin;
            s = ct__csv_fill(c, e);
            i -= moved - c->begin;
        }
        if (s) return s;
        if (i >= c->end) break;
        char byte = c->buffer[i];
        if (byte == '"') quoted = !quoted;
        if (!quoted && (byte == '\n' || byte == '\r')) break;
        for (int k = 0; k < 3 && !quoted; k++) count[k] += byte == candidates[k];
    }
    int best = 0;
    for (int k = 1; k < 3; k++)
        if (count[k] > count[best]) best = k;
    c->o.delimiter = candidates[best];
    return CT_OK;
}

static ct_status begin(ct_csv *c, ct_err *e) {
    ct_status s = ct__csv_open_file(c, e);
    if (!s) s = skip_mark(c, e);
    if (!s && !c->o.delimiter) s = find_delimiter(c, e);
    return s;
}

static ct_status keep_name(ct_csv *c, int32_t column, const char *text) {
    c->name_bytes[column] = strlen(text) + 1;
    c->name[column] = ct_new(c->allocator, c->name_bytes[column]);
    if (!c->name[column]) return CT_ELIMIT;
    memcpy(c->name[column], text, c->name_bytes[column]);
    return CT_OK;
}

/* A name that stands twice. There may be 65,536 of them: a table of hashes, open addressing, finds it in linear time. */
static ct_status check_twice(ct_csv *c, ct_err *e) {
    size_t size = 4;
    while (size < 2 * (size_t)c->columns) size *= 2;
    int32_t *table = ct_new_array(c->allocator, size, sizeof *table), twice = -1;
    if (!table) return ct_fail(e, CT_ELIMIT, "%s: out of memory for its names; use a smaller file", c->path);
    for (int32_t i = 0; i < c->columns && twice < 0; i++) {
        size_t at = (size_t)ct_hash64(c->name[i], strlen(c->name[i]), 0) & (size - 1);
        while (table[at] && strcmp(c->name[table[at] - 1], c->name[i]) != 0) at = (at + 1) & (size - 1);
        if (table[at] && c->name[i][0]) twice = i;
        table[at] = i + 1;
    }
    ct_delete(c->allocator, table, size * sizeof *table);
    return twice < 0 ? CT_OK
                     : ct_csv_refuse(c, twice, CT_EDATA, e,
                                     "the name stands twice; wanted one name a column; rename one");
}

static ct_status read_names(ct_csv *c, ct_err *e) {
    ct_status s = next_record(c, e);
    if (s) return s;
    if (!c->fields)
        return ct_fail_at(e, CT_EDATA, c->path, -1,
                          "empty; wanted a line of names and records below it; is it the right file?");
    c->name = ct_new_array(c->allocator, (uint64_t)c->fields, sizeof *c->name);
    c->name_bytes = ct_new_array(c->allocator, (uint64_t)c->fields, sizeof *c->name_bytes);
    if (c->name && c->name_bytes) c->columns = c->fields;
    for (int32_t i = 0; i < c->columns && !s; i++) {
        char number[32];
        snprintf(number, sizeof number, "%d", i + 1);
        s = keep_name(c, i, c->o.no_header ? number : ct_csv_text(c, i));
    }
    if (s || !c->columns)
        return ct_fail(e, CT_ELIMIT, "%s: out of memory for its names; use a smaller file", c->path);
    return c->o.no_header ? ct_csv_rewind(c, e) : check_twice(c, e);
}

ct_status ct_csv_rewind(ct_csv *c, ct_err *e) {
    ct_status s = begin(c, e);
    if (!s && !c->o.no_header) s = next_record(c, e);
    return s;
}

static ct_status check_options(const ct_csv_options *o, ct_err *e) {
    if (o->delimiter == 0 || (o->delimiter > 0 && o->delimiter < 128 && o->delimiter != '"' &&
                              o->delimiter != '\n' && o->delimiter != '\r'))
        return CT_OK;
    return ct_fail(e, CT_EUSAGE,
                   "csv: delimiter %d; wanted an ASCII character other than a quote or an end of line; use a "
                   "comma or a tab",
                   o->delimiter);
}

static ct_status open_any(ct_csv from, const char *path, ct_csv **out, ct_err *e) {
    ct_status s = check_options(&from.o, e);
    if (s) return s;
    ct_csv *c = ct_new(from.allocator, sizeof *c);
    if (!c) return ct_fail(e, CT_ELIMIT, "%s: out of memory; close other programs", path);
    *c = from;
    c->fd = -1;
    c->path_bytes = strlen(path) + 1;
    c->path = ct_new(c->allocator, c->path_bytes);
    if (!c->path) {
        ct_delete(c->allocator, c, sizeof *c);
        return ct_fail(e, CT_ELIMIT, "%s: out of memory; close other programs", path);
    }
    memcpy(c->path, path, c->path_bytes);
    s = begin(c, e);
    if (!s) s = read_names(c, e);
    if (s)
        ct_csv_close(c);
    else
        *out = c;
    return s;
}

ct_status ct_csv_open(const ct_files *f, const ct_allocator *a, const char *path, ct_csv_options o,
                      ct_csv **out, ct_err *e) {
    return open_any((ct_csv){.allocator = a, .files = f, .o = o}, path, out, e);
}

ct_status ct_csv_parse(const ct_allocator *a, const void *data, uint64_t bytes, const char *name,
                       ct_csv_options o, ct_csv **out, ct_err *e) {
    return open_any((ct_csv){.allocator = a, .o = o, .from_memory = 1, .data = data, .bytes = bytes}, name,
                    out, e);
}

void ct_csv_close(ct_csv *c) {
    if (!c) return;
    const ct_allocator *a = c->allocator;
    ct__csv_close_file(c);
    for (int32_t i = 0; i < c->columns; i++) ct_delete(a, c->name[i], c->name_bytes[i]);
    int32_t n = c->columns ? c->columns : c->fields; /* names may have failed half way */
    ct_delete(a, c->name, (size_t)n * sizeof *c->name);
    ct_delete(a, c->name_bytes, (size_t)n * sizeof *c->name_bytes);
    ct_delete(a, c->field, (size_t)c->room * sizeof *c->field);
    ct_delete(a, c->buffer, c->capacity);
    ct_delete(a, c->path, c->path_bytes);
    ct_delete(a, c, sizeof *c);
}

/* ---- names ---- */

int32_t ct_csv_columns(const ct_csv *c) { return c->columns; }
const char *ct_csv_name(const ct_csv *c, int32_t column) { return c->name[column]; }

ct_status ct_csv_column(const ct_csv *c, const char *name, int32_t *column, ct_err *e) {
    ct_text list = {.allocator = c->allocator};
    for (int32_t i = 0; i < c->columns; i++)
        if (strcmp(c->name[i], name) == 0) {
            *column = i;
            return CT_OK;
        }
    for (int32_t i = 0; i < c->columns && i < 12; i++)
        ct_text_format(&list, "%s%.40s", i ? ", " : "", c->name[i]);
    if (c->columns > 12) ct_text_format(&list, " and %d more", c->columns - 12);
    const char *near = ct_nearest(name, (const char *const *)c->name, (size_t)c->columns);
    ct_fail_at(e, CT_EDATA, c->path, -1, "no column \"%.60s\"; wanted %s%.60s%s; there are %.500s", name,
               near ? "\"" : "one", near ? near : "", near ? "\"" : "", list.data ? list.data : "");
    ct_text_free(&list);
    return CT_EDATA;
}
