/* tensorboard.c: an event file is a row of TFRecords
 *
 *     u64 length | u32 masked CRC32C of the length | bytes | u32 masked CRC32C of the bytes        (little endian)
 *
 * each a protobuf message Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
 * SessionLog session_log = 7 }, with Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value =
 * 2 } and SessionLog { int status = 1 } (1: START). The mask is a turn by 15 bits and a constant, as
 * tensorflow/core/lib/hash/crc32c.h has it. */
#include "task/report/tensorboard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- TFRecord ---- */

/* CRC32C (Castagnoli), the reversed polynomial 0x82f63b78, bit by bit: files are small. */
static uint32_t crc32c(const void *data, size_t bytes) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= ((const uint8_t *)data)[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void add_u32(ct_text *t, uint32_t v) {
    char b[4] = {(char)(v & 255), (char)(v >> 8 & 255), (char)(v >> 16 & 255), (char)(v >> 24 & 255)};
    ct_text_bytes(t, b, sizeof b);
}
static void add_masked(ct_text *t, const void *data, size_t bytes) {
    uint32_t crc = crc32c(data, bytes);
    add_u32(t, (crc >> 15 | crc << 17) + 0xa282ead8u);
}

static void end_record(ct__events *v) {
    ct_text *t = &v->buffer;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)v->record.length >> (8 * i));
    ct_text_bytes(t, (const char *)length, sizeof length);
    add_masked(t, length, sizeof length);
    ct_text_bytes(t, v->record.data, v->record.length);
    add_masked(t, v->record.data, v->record.length);
    t->failed |= v->record.failed;
    v->record.length = 0;
}

/* ---- protobuf ---- */

static void add_varint(ct_text *t, uint64_t v) {
    for (; v >= 128; v >>= 7) ct_text_bytes(t, &(char){(char)((v & 127) | 128)}, 1);
    ct_text_bytes(t, &(char){(char)v}, 1);
}
static void add_bytes(ct_text *t, int field, const void *data, size_t bytes) {
    add_varint(t, (uint64_t)field << 3 | 2);
    add_varint(t, bytes);
    ct_text_bytes(t, data, bytes);
}

static void begin_event(ct__events *v, int64_t step) {
    struct timespec now;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    double wall = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &wall, sizeof bits);
    add_varint(&v->record, 1 << 3 | 1);
    add_u32(&v->record, (uint32_t)bits);
    add_u32(&v->record, (uint32_t)(bits >> 32));
    add_varint(&v->record, 2 << 3);
    add_varint(&v->record, (uint64_t)step);
}

void ct__events_add(ct__events *v, int64_t step, const char *tag, double value) {
    float narrow = (float)value;
    uint32_t bits;
    ct_text one = {.allocator = v->buffer.allocator}, summary = {.allocator = v->buffer.allocator};
    memcpy(&bits, &narrow, sizeof bits);
    add_bytes(&one, 1, tag, strlen(tag));
    add_varint(&one, 2 << 3 | 5);
    add_u32(&one, bits);
    if (!one.failed) add_bytes(&summary, 1, one.data, one.length);
    begin_event(v, step);
    if (!one.failed && !summary.failed) add_bytes(&v->record, 5, summary.data, summary.length);
    v->record.failed |= one.failed | summary.failed;
    end_record(v);
    ct_text_free(&one);
    ct_text_free(&summary);
}

/* ---- the file ---- */

ct_status ct__events_open(ct__events *v, const ct_files *f, const ct_allocator *a, const char *folder,
                          const char *name, int64_t step, ct_err *e) {
    static const char version[] = "brain.Event:2";
    int32_t made;
    *v = (ct__events){.files = f, .record.allocator = a, .buffer.allocator = a, .every = 1};
    ct_status s = ct_folder_make(f, folder, &made, e);
    if (s) return s;
    int n = snprintf(v->path, sizeof v->path, "%.3900s/events.out.tfevents.%lld.%.200s", folder,
                     (long long)time(NULL), name);
    if (n < 0 || (size_t)n >= sizeof v->path)
        return ct_fail(e, CT_EUSAGE,
                       "--tensorboard: its path is too long; wanted at most 3900 bytes; give a shorter one");
    begin_event(v, 0);
    add_bytes(&v->record, 3, version, sizeof version - 1);
    end_record(v);
    if (step > 0) {
        begin_event(v, step);
        add_bytes(&v->record, 7, (const char[]){1 << 3, 1}, 2); /* a session starts here */
        end_record(v);
    }
    return ct__events_flush(v, e);
}

ct_status ct__events_flush(ct__events *v, ct_err *e) {
    if (v->buffer.failed) return ct_fail(e, CT_ELIMIT, "--tensorboard: out of memory");
    ct_status s =
        v->buffer.length ? ct_file_append(v->files, v->path, v->buffer.data, v->buffer.length, e) : CT_OK;
    v->buffer.length = 0;
    return s;
}

void ct__events_close(ct__events *v) {
    ct_text_free(&v->record);
    ct_text_free(&v->buffer);
}
