/* open.c: what the command gives to the library: settings, the log, and files in which "-" is standard input. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

static int write_all(int fd, const char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        data += n;
        bytes -= (size_t)n;
    }
    return 1;
}

/* Readers want a regular file, whose size is known before memory is taken: standard input becomes one in memory. */
static int open_input(void) {
    char buffer[1 << 16];
    int fd = memfd_create("standard input", MFD_CLOEXEC);
    if (fd < 0) return -1;
    for (;;) {
        ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0 && lseek(fd, 0, SEEK_SET) == 0) return fd;
        if (n <= 0 || !write_all(fd, buffer, (size_t)n)) {
            close(fd);
            return -1;
        }
    }
}

static int open_file(void *user, const char *path, int flags, int mode) {
    (void)user;
    if (strcmp(path, "-") == 0 && (flags & O_ACCMODE) == O_RDONLY) return open_input();
    return open(path, flags, (mode_t)mode);
}

const ct_files *cli_files(void) {
    static const ct_files files = {.open = open_file};
    return &files;
}

static void log_line(void *user, const char *line) {
    (void)user;
    fprintf(stderr, "%s\n", line);
}

ct_status cli_idle(cli *c, const char *const *options, const char *name, const char *why) {
    for (; *options; options++)
        if (cli_given(c, *options))
            return ct_fail(&c->e, CT_EUSAGE, "--%s: %.200s is %s; leave it out", *options, name, why);
    return CT_OK;
}

ct_status cli_output(cli *c) {
    if (!c->output || strcmp(c->output, "-") != 0) return CT_OK;
    return ct_fail(
        &c->e, CT_EUSAGE,
        "-o -: a model is no stream; wanted a file name; give one such as m.safetensors, or ./- if "
        "that is its name");
}

/* A pipe is read as standard input alone: of a path the size must be known before memory is taken. */
static int is_pipe(const char *path) {
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

ct_status cli_read(cli *c, const char *name, const char *path, uint64_t limit, void **data, uint64_t *bytes) {
    ct_err why = {0};
    if (is_pipe(path))
        return ct_fail(&c->e, CT_EIO,
                       "--%s %.300s: a pipe; wanted a file, or - for standard input; give - and pipe into "
                       "cotan %s",
                       name, path, c->verb);
    ct_status s = ct_file_read(cli_files(), NULL, path, limit, data, bytes, &why);
    if (!s || c->e.status) return s;
    ct_fail(&c->e, s, "--%s %s", name, why.text);
    memcpy(c->e.file, why.file, sizeof why.file);
    return s;
}

ct_status cli_transform(cli *c) {
    void *data;
    uint64_t bytes;
    if (!c->transform || c->transform[0] != '@') return CT_OK;
    ct_status s = cli_read(c, "transform", c->transform + 1, 1 << 20, &data, &bytes);
    if (s) return s;
    c->transform = ct_arena_format(&c->arena, "%.*s", (int)bytes, (const char *)data);
    ct_delete(NULL, data, bytes);
    return c->transform ? CT_OK : ct_fail(&c->e, CT_ELIMIT, "--transform: out of memory");
}

ct_status cli_labels(cli *c) {
    void *data;
    uint64_t bytes;
    if (!c->labels) return CT_OK;
    ct_status s = cli_read(c, "labels", c->labels, 16 << 20, &data, &bytes);
    if (s) return s;
    c->names = ct_arena_format(&c->arena, "%.*s", (int)bytes, (const char *)data);
    ct_delete(NULL, data, bytes);
    return c->names ? CT_OK : ct_fail(&c->e, CT_ELIMIT, "--labels: out of memory");
}

ct_options cli_context(const cli *c) {
    return (ct_options){.threads = (int32_t)c->threads,
                        .seed = c->seed,
                        .debug = c->debug,
                        .trap = c->trap,
                        .strict = c->strict,
                        .log = c->debug ? log_line : NULL,
                        .files = cli_files()};
}

/* What a file begins as, of the things that may stand beside a model; NULL: none of them. */
static const char *other_than_model(const char *path) {
    struct stat st;
    uint8_t head[16];
    int fd = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);
    if (fd >= 0) close(fd);
    if (n < (ssize_t)sizeof head) return NULL;
    if (ct_picture_likely(NULL, head, sizeof head)) return "a picture";
    if (head[0] == 0x1f && head[1] == 0x8b) return "data packed by gzip";
    return head[0] == 0 && head[1] == 0 && head[2] >= 8 && head[2] <= 14 && head[3] <= 8 ? "an idx file"
                                                                                         : NULL;
}

ct_status cli_no_model(cli *c, const char *path) {
    const char *found = c->e.status == CT_EDATA ? other_than_model(path) : NULL;
    ct_status s = (ct_status)c->e.status;
    if (!found) return s;
    ct_error_clear(&c->e);
    if (strcmp(c->verb, "inspect") == 0 || strcmp(c->verb, "plan") == 0)
        return ct_fail_at(&c->e, s, path, 0, "found %s; wanted a model (.safetensors); see cotan %s --help",
                          found, c->verb);
    return ct_fail_at(&c->e, s, path, 0,
                      "found %s; wanted a model (.safetensors), which comes before the data: cotan %s MODEL "
                      "...; give it",
                      found, c->verb);
}

ct_status cli_model(cli *c, const char *path, ct_model **out) {
    char n[32];
    struct stat st;
    ct_options o = cli_context(c);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return ct_fail_at(
            &c->e, CT_EIO, path, -1,
            "a folder; wanted a model file, which comes before the data: cotan %s MODEL ...; give it",
            c->verb);
    ct_status s = ct_model_open(path, &o, out, &c->e);
    if (s) return cli_no_model(c, path);
    int64_t wrong = ct_model_nonfinite(*out);
    if (wrong)
        fprintf(stderr, "  %s of its weights are NaN or infinite; --strict refuses them\n",
                ct_group_digits(wrong, n));
    return CT_OK;
}
