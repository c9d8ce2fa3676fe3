/* csv.h: the reader's own parts. */
#ifndef CT_DATA_READ_CSV_H
#define CT_DATA_READ_CSV_H

#include "data/read/file.h"

#define CT__CSV_RECORD (UINT64_C(64) << 20)
#define CT__CSV_COLUMNS 65536

typedef struct ct__csv_field {
    size_t at; /* in the record */
    int64_t line, column;
    int64_t quoted; /* 1: empty by intent */
} ct__csv_field;

struct ct_csv {
    const ct_allocator *allocator;
    const ct_files *files;
    char *path;
    size_t path_bytes;
    int32_t fd; /* -1: bytes in memory, or closed */
    int32_t from_memory;
    const char *data; /* in memory: all, and what is not yet in the buffer */
    uint64_t bytes, given;
    uint64_t read; /* from the file so far */
    ct__stamp stamp;
    ct_csv_options o;

    char *buffer; /* what was read and not yet given out */
    size_t capacity, begin, end;
    int32_t ended;    /* nothing more to read */
    int32_t after_cr; /* a LF that comes next belongs to the record before */
    int64_t line;     /* of the byte at `begin` */

    ct__csv_field *field; /* [room] of the current record */
    int32_t fields, room;
    int32_t columns;
    char **name;
    size_t *name_bytes;
    int64_t row_line;
    char *row; /* the current record's bytes, fields NUL-terminated */
};

/* csv_file.c: bytes. */
ct_status ct__csv_open_file(ct_csv *c,
                            ct_err *e); /* from the beginning; checks the stamp when there is one */
void ct__csv_close_file(ct_csv *c);
ct_status ct__csv_fill(ct_csv *c,
                       ct_err *e); /* more bytes behind the window, which moves to begin = 0; or `ended` */

#endif
