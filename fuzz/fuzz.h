/* fuzz.h: a fuzz target is a file with these two functions. driver.c runs it with mutations of its own, on any compiler;
 * with clang and -DCOTAN_FUZZ=ON libFuzzer runs it. */
#ifndef CT_FUZZ_H
#define CT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* 0. What must not happen ends the process (a sanitizer, or fuzz_must). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
/* The corpus: good inputs, and bad ones that once mattered. */
void fuzz_seeds(void (*add)(void *user, const void *data, size_t bytes), void *user);

#define fuzz_must(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

#endif
