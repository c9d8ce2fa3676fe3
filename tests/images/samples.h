/* samples.h: the pictures that samples.py wrote, and what must come of each. */
#ifndef CT_TESTS_SAMPLES_H
#define CT_TESTS_SAMPLES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sample {
    char name[64], kind[8], text[160];
    uint8_t *data;
    size_t bytes;
} sample;

#define SAMPLES_MOST 400
/* Reads them all; returns how many, 0 on failure. sample[0].data owns the memory of all. */
static inline int samples_load(sample s[SAMPLES_MOST]) {
    char line[400];
    FILE *list = fopen(COTAN_SOURCE "/tests/images/samples.txt", "rb");
    FILE *data = fopen(COTAN_SOURCE "/tests/images/samples.bin", "rb");
    int n = 0;
    if (!list || !data) return 0;
    fseek(data, 0, SEEK_END);
    size_t all = (size_t)ftell(data);
    uint8_t *memory = malloc(all + 1), *at = memory;
    rewind(data);
    if (!memory || fread(memory, 1, all, data) != all) return 0;
    while (n < SAMPLES_MOST && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%63s %zu %7s %159[^\n]", s[n].name, &s[n].bytes, s[n].kind, s[n].text) != 4)
            return 0;
        s[n].data = at;
        at += s[n++].bytes;
    }
    fclose(list);
    fclose(data);
    return at == memory + all ? n : 0;
}

static inline const sample *sample_named(const sample *s, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(s[i].name, name) == 0) return &s[i];
    return NULL;
}

#endif
