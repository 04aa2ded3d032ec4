/* What a program needs that takes cases from cases.bin and leaves results in results.bin, on a host or on QEMU's
 * mps2-an386 with semihosting and kernels_m4.ld. On a host it counts no instructions. */
#ifndef CASE_FILES_H
#define CASE_FILES_H

#include <stdint.h>

#define CASES "cases.bin"
#define RESULTS "results.bin"

int main(void);

#ifdef __arm__

static int32_t semihosting(int32_t operation, const void *block)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* Opens the file first; `mode` is 1 to read, 5 to write. */
static void transfer(int32_t *file, const char *name, int32_t name_bytes, int32_t mode, const void *memory,
                     int32_t bytes)
{
    if (*file == 0) {
        const uint32_t block[] = {(uint32_t)name, (uint32_t)mode, (uint32_t)name_bytes};
        *file = semihosting(1, block);
    }
    const uint32_t block[] = {(uint32_t)*file, (uint32_t)memory, (uint32_t)bytes};
    semihosting(mode == 1 ? 6 : 5, block);
}

static void read_cases(void *to, int32_t bytes)
{
    static int32_t file;
    transfer(&file, CASES, sizeof CASES - 1, 1, to, bytes);
}

static void write_results(const void *from, int32_t bytes)
{
    static int32_t file;
    transfer(&file, RESULTS, sizeof RESULTS - 1, 5, from, bytes);
}

static void leave(int32_t status)
{
    const uint32_t block[] = {0x20026u, (uint32_t)status};
    semihosting(0x20, block);
}

/* Counts down at 25 MHz; with -icount shift=7 an instruction takes 3.2 ticks. */
static volatile uint32_t *const timer = (volatile uint32_t *)0x40000000;

static void start_counting(void)
{
    timer[2] = 0xffffffffu;
    timer[1] = 0xffffffffu;
    timer[0] = 1;
}

static int32_t instructions(void)
{
    return (int32_t)((uint64_t)(0xffffffffu - timer[1]) * 40 / 128);
}

extern uint32_t bss_start[], bss_end[], stack_top[];

void start(void)
{
    for (uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
    leave(main());
}

static void fail(void)
{
    leave(99);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (void *)start, (void *)fail, (void *)fail, (void *)fail, (void *)fail, (void *)fail,
};

#else

#include <stdio.h>
#include <stdlib.h>

static FILE *opened(FILE **file, const char *name, const char *mode)
{
    if (!*file && !(*file = fopen(name, mode))) {
        abort();
    }
    return *file;
}

static void read_cases(void *to, int32_t bytes)
{
    static FILE *file;
    if (fread(to, 1, (size_t)bytes, opened(&file, CASES, "rb")) != (size_t)bytes) {
        abort();
    }
}

static void write_results(const void *from, int32_t bytes)
{
    static FILE *file;
    fwrite(from, 1, (size_t)bytes, opened(&file, RESULTS, "wb"));
}

static void start_counting(void)
{
}

static int32_t instructions(void)
{
    return 0;
}

#endif

#endif
