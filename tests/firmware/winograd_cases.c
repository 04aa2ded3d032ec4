/* Runs cases of td_conv_2d_winograd: cases.bin → results.bin, on the host or on QEMU's mps2-an386.
 *
 * A case is a header, the stream of constants, and a memory image in which input and output lie. Its result is the
 * number of instructions, whether the scratch memory's end was respected, and the image after the call.
 * test_kernels_dsp_winograd.py writes and reads them. */
#include "case_files.h"
#include "td_conv_2d_winograd.h"

#define MEMORY_BYTES (1 << 18)
#define STREAM_WORDS (1 << 17)
#define GUARD 0x5aa55aa5

struct header {
    int32_t shift; /* 0: the general form */
    int32_t words, groups, column_step, row_step;
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t pad_top, pad_left, input_zero_point;
    int32_t input, output, memory_bytes, scratch_bytes;
};

static uint32_t stream[STREAM_WORDS];
static int8_t memory[MEMORY_BYTES] __attribute__((aligned(16)));
static int8_t scratch[1 << 16] __attribute__((aligned(16)));

static td_winograd_tile *const tiles[] = {
    td_winograd_tile_general,
#define SHIFT(shift) [shift] = td_winograd_tile_shift_##shift,
    TD_WINOGRAD_SHIFTS(SHIFT)
};

static void run(const struct header *header)
{
    const struct td_conv_2d_winograd conv = {
        .tile = tiles[header->shift],
        .channels = {stream, (uint32_t)header->words, header->groups, header->column_step, header->row_step},
        .input_height = (uint16_t)header->input_height,
        .input_width = (uint16_t)header->input_width,
        .input_channels = (uint16_t)header->input_channels,
        .output_height = (uint16_t)header->output_height,
        .output_width = (uint16_t)header->output_width,
        .output_channels = (uint16_t)header->output_channels,
        .pad_top = (uint16_t)header->pad_top,
        .pad_left = (uint16_t)header->pad_left,
        .input_zero_point = (int16_t)header->input_zero_point,
    };
    td_conv_2d_winograd(&conv, memory + header->input, memory + header->output, scratch);
}

int main(void)
{
    const int32_t guard = GUARD;
    int32_t count;

    read_cases(&count, sizeof count);
    for (int32_t i = 0; i < count; i++) {
        struct header header;
        int32_t facts[2], behind;
        read_cases(&header, sizeof header);
        read_cases(stream, header.words * 4);
        read_cases(memory, header.memory_bytes);
        /* Whatever an earlier call left in the scratch memory must not matter. */
        memset(scratch, 0x7f, sizeof scratch);
        memcpy(scratch + header.scratch_bytes, &guard, sizeof guard);
        start_counting();
        run(&header);
        facts[0] = instructions();
        memcpy(&behind, scratch + header.scratch_bytes, sizeof behind);
        facts[1] = behind == GUARD;
        write_results(facts, sizeof facts);
        write_results(memory, header.memory_bytes);
    }
    return 0;
}
