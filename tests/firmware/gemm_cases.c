/* Runs cases of the dsp matrix products: cases.bin → results.bin, on the host or on QEMU's mps2-an386.
 *
 * A case is a header of 32 words, the stream of all pairs, that of an odd channel, and a memory image in which input and
 * output lie. Its result is the number of instructions (0 on the host), whether the scratch memory's end was respected,
 * and the image after the call. test_kernels_dsp_gemm.py writes and reads them. */
#include <stddef.h>

#include "td_conv_2d_gemm.h"
#include "td_pointwise.h"

#define MEMORY_BYTES (1 << 20)
#define GUARD 0x5aa55aa5

enum { POINTWISE, CONVOLUTION, INSTRUCTIONS };

struct header {
    int32_t kind, tile, channel_step, words, depth, last_words, last_offset;
    int32_t rows, columns, row_step, pixel_step, origin;
    int32_t own[12]; /* of the kernel's struct, behind the product */
    int32_t input, output, memory_bytes, scratch_bytes;
    int32_t unused[4];
};

static uint32_t streams[MEMORY_BYTES / 4];
static int8_t memory[MEMORY_BYTES] __attribute__((aligned(16)));
static int8_t scratch[1 << 16] __attribute__((aligned(16)));

static td_gemm_tile *const tiles[] = {
    td_gemm_4x2_general,
    td_gemm_4x2_wide_general,
#define SHIFT(shift) td_gemm_4x2_shift_##shift, td_gemm_4x2_wide_shift_##shift,
    TD_GEMM_SHIFTS(SHIFT)
};

#ifdef __arm__

static int32_t semihosting(int32_t operation, const void *block)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int32_t open_file(const char *name, int32_t length, int32_t mode)
{
    const uint32_t block[] = {(uint32_t)name, (uint32_t)mode, (uint32_t)length};
    return semihosting(1, block);
}

#define OPEN_TO_READ(name) open_file(name, sizeof name - 1, 1)
#define OPEN_TO_WRITE(name) open_file(name, sizeof name - 1, 5)

static void read_file(int32_t file, void *to, int32_t bytes)
{
    const uint32_t block[] = {(uint32_t)file, (uint32_t)to, (uint32_t)bytes};
    semihosting(6, block);
}

static void write_file(int32_t file, const void *from, int32_t bytes)
{
    const uint32_t block[] = {(uint32_t)file, (uint32_t)from, (uint32_t)bytes};
    semihosting(5, block);
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

int main(void);
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

static FILE *files[2];

#define OPEN_TO_READ(name) (files[0] = fopen(name, "rb"), 0)
#define OPEN_TO_WRITE(name) (files[1] = fopen(name, "wb"), 1)

static void read_file(int32_t file, void *to, int32_t bytes)
{
    if (fread(to, 1, (size_t)bytes, files[file]) != (size_t)bytes) {
        memset(to, 0, (size_t)bytes);
    }
}

static void write_file(int32_t file, const void *from, int32_t bytes)
{
    fwrite(from, 1, (size_t)bytes, files[file]);
    fflush(files[file]);
}

static void start_counting(void)
{
}

static int32_t instructions(void)
{
    return 0;
}

#endif

static void run_pointwise(const struct header *header, const struct td_gemm *gemm)
{
    const struct td_pointwise pointwise = {
        .gemm = *gemm,
        .input_channels = header->own[0],
        .plane_bytes = header->own[1],
        .input_row_step = header->own[2],
        .input_pixel_step = header->own[3],
        .input_origin = header->own[4],
        .backwards = header->own[5],
    };
    td_pointwise(&pointwise, memory + header->input, memory + header->output, scratch);
}

static void run_convolution(const struct header *header, const struct td_gemm *gemm)
{
    const struct td_conv_2d_gemm conv = {
        .gemm = *gemm,
        .input_height = (uint16_t)header->own[0],
        .input_width = (uint16_t)header->own[1],
        .input_channels = (uint16_t)header->own[2],
        .kernel_height = (uint16_t)header->own[3],
        .kernel_width = (uint16_t)header->own[4],
        .stride_height = (uint16_t)header->own[5],
        .stride_width = (uint16_t)header->own[6],
        .dilation_height = (uint16_t)header->own[7],
        .dilation_width = (uint16_t)header->own[8],
        .pad_top = (uint16_t)header->own[9],
        .pad_left = (uint16_t)header->own[10],
        .input_zero_point = (int16_t)header->own[11],
    };
    td_conv_2d_gemm(&conv, memory + header->input, memory + header->output, scratch);
}

/* Every function of td_dsp.h for each 3 words of the memory: 16 words of results. */
static void run_instructions(const struct header *header)
{
    const uint32_t *from = (const uint32_t *)(const void *)(memory + header->input);
    uint32_t *to = (uint32_t *)(void *)(memory + header->output);

    for (int32_t i = 0; i < header->rows; i++, from += 3, to += 16) {
        const uint32_t a = from[0];
        const uint32_t b = from[1];
        const int32_t c = (int32_t)from[2];
        const uint32_t results[16] = {
            (uint32_t)td_smlad(a, b, c),  (uint32_t)td_smlabb(a, b, c), (uint32_t)td_smlabt(a, b, c),
            (uint32_t)td_smlatb(a, b, c), (uint32_t)td_smlatt(a, b, c), (uint32_t)td_smmla((int32_t)a, (int32_t)b, c),
            (uint32_t)td_smmlar((int32_t)a, (int32_t)b, c),
            td_pkhbt(a, b), td_pkhtb(a, b), td_sxtb16(a), td_sxtb16_ror8(a), td_usada8(a, b, (uint32_t)c),
            (uint32_t)td_ssat8((int32_t)a, 1), (uint32_t)td_ssat8((int32_t)a, 24), (uint32_t)td_ssat8((int32_t)a, 31), 0,
        };
        memcpy(to, results, sizeof results);
    }
}

static void run(const struct header *header)
{
    const struct td_gemm gemm = {
        .tile = tiles[header->tile],
        .pairs = {header->channel_step, (uint32_t)header->words, header->depth, streams},
        .last = {0, (uint32_t)header->last_words, header->depth, header->last_words ? streams + header->words : NULL},
        .last_offset = header->last_offset,
        .rows = header->rows,
        .columns = header->columns,
        .row_step = header->row_step,
        .pixel_step = header->pixel_step,
        .origin = header->origin,
    };
    if (header->kind == POINTWISE) {
        run_pointwise(header, &gemm);
    } else if (header->kind == CONVOLUTION) {
        run_convolution(header, &gemm);
    } else {
        run_instructions(header);
    }
}

int main(void)
{
    const int32_t cases = OPEN_TO_READ("cases.bin");
    const int32_t results = OPEN_TO_WRITE("results.bin");
    struct header header;
    int32_t count;

    read_file(cases, &count, sizeof count);
    for (int32_t i = 0; i < count; i++) {
        read_file(cases, &header, sizeof header);
        read_file(cases, streams, (header.words + header.last_words) * 4);
        read_file(cases, memory, header.memory_bytes);
        /* Whatever an earlier case left in the buffer must not matter. */
        memset(scratch, 0x7f, sizeof scratch);
        const int32_t guard = GUARD;
        memcpy(scratch + header.scratch_bytes, &guard, sizeof guard);
        start_counting();
        run(&header);
        int32_t facts[2] = {instructions(), 0};
        int32_t word;
        memcpy(&word, scratch + header.scratch_bytes, sizeof word);
        facts[1] = word == GUARD;
        write_file(results, facts, sizeof facts);
        write_file(results, memory, header.memory_bytes);
    }
    return 0;
}
