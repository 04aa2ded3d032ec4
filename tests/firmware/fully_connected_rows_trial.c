/* Runs td_fully_connected_rows on the trials of trials.h, on a host or on QEMU's mps2-an386 with semihosting. Prints a
 * line for each: the instructions that the core executed (0 on a host), whether something was written around the output
 * or the scratch memory, and the outputs in hexadecimal. */
#include <stdint.h>
#include <string.h>

#include "td_fully_connected_rows.h"

struct trial {
    struct td_fully_connected_rows layer;
    const int8_t *input;
    uint32_t output_bytes, scratch_bytes;
};

#include "trials.h"

#define MARGIN 8
#define MARK 0x5a
#define OUTPUT_BYTES 8192

/* Inputs stand at odd addresses. */
static int8_t output[OUTPUT_BYTES];
static int32_t scratch[OUTPUT_BYTES / 4];
static char line[2 * OUTPUT_BYTES + 64];

#ifdef __arm__

extern uint32_t bss_start, bss_end, stack_top;

static void semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text)
{
    semihosting(0x04, text); /* SYS_WRITE0 */
}

/* The CMSDK timer counts down at 25 MHz; with -icount shift=7 an instruction takes 128 ns. */
static volatile uint32_t *const timer = (volatile uint32_t *)0x40000000;

static uint32_t instructions_between(uint32_t start, uint32_t end)
{
    return (uint32_t)((uint64_t)(start - end) * 40u / 128u);
}

static uint32_t now(void)
{
    return timer[1];
}

int main(void);

void reset(void)
{
    for (uint32_t *word = &bss_start; word < &bss_end; word++) {
        *word = 0;
    }
    timer[2] = 0xffffffffu;
    timer[1] = 0xffffffffu;
    timer[0] = 1;
    main();
    const uint32_t stopped[2] = {0x20026, 0};
    semihosting(0x20, stopped); /* SYS_EXIT_EXTENDED */
}

static void fault(void)
{
    print("fault\n");
    const uint32_t stopped[2] = {0x20026, 1};
    semihosting(0x20, stopped);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, reset, fault, fault, fault, fault, fault,
};

#else

#include <stdio.h>

static void print(const char *text)
{
    fputs(text, stdout);
}

static uint32_t instructions_between(uint32_t start, uint32_t end)
{
    return start - end;
}

static uint32_t now(void)
{
    return 0;
}

#endif

static int is_marked(const int8_t *from, const int8_t *to)
{
    while (from < to && *from == MARK) {
        from++;
    }
    return from == to;
}

static char *put_number(char *to, uint32_t number)
{
    if (number >= 10) {
        to = put_number(to, number / 10);
    }
    *to = (char)('0' + number % 10);
    return to + 1;
}

static void run(const struct trial *trial)
{
    int8_t *const result = output + MARGIN + 1;
    int8_t *const memory = (int8_t *)(scratch + MARGIN);
    memset(output, MARK, sizeof output);
    memset(scratch, MARK, sizeof scratch);

    const uint32_t start = now();
    td_fully_connected_rows(&trial->layer, trial->input, result, memory);
    const uint32_t end = now();

    const int intact = is_marked(output, result) && is_marked(result + trial->output_bytes, output + sizeof output) &&
                       is_marked((int8_t *)scratch, memory) &&
                       is_marked(memory + trial->scratch_bytes, (int8_t *)scratch + sizeof scratch);
    char *to = put_number(line, instructions_between(start, end));
    memcpy(to, intact ? " intact " : " overrun ", 9);
    to += strlen(intact ? " intact " : " overrun ");
    for (uint32_t i = 0; i < trial->output_bytes; i++) {
        *to++ = "0123456789abcdef"[(uint8_t)result[i] >> 4];
        *to++ = "0123456789abcdef"[(uint8_t)result[i] & 15];
    }
    *to++ = '\n';
    *to = 0;
    print(line);
}

int main(void)
{
    for (uint32_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        run(&trials[i]);
    }
    return 0;
}
