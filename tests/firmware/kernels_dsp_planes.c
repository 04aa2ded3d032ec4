/* The dsp kernels on planes, for pools and for sums, against plain C on random shapes and values. Every case compares
 * the whole of the memory that the kernel was given: what it has no business to write must be as it was. On a Cortex-M
 * under QEMU, with semihosting, the instructions of some calls are counted as well.
 *
 * Prints a line for each failure and each count; the exit code says whether there were failures. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "td_add_affine.h"
#include "td_average_planes.h"
#include "td_average_pool_2d.h"
#include "td_depthwise_planes.h"
#include "td_max_pool_2d.h"
#include "td_to_planes.h"

#define MOST_BYTES 60000
#define CASES 300

#ifdef __arm__

#define SYS_WRITE0 4
#define SYS_EXIT_EXTENDED 0x20
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u
#define TIMER ((volatile uint32_t *)0x40000000) /* CMSDK timer: control, value, reload; counts down at 25 MHz */

static void semihost(int32_t operation, const void *argument)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text)
{
    semihost(SYS_WRITE0, text);
}

static void leave(uint32_t code)
{
    const uint32_t reason[2] = {ADP_STOPPED_APPLICATION_EXIT, code};
    semihost(SYS_EXIT_EXTENDED, reason);
}

/* With -icount shift=7 an instruction takes 128 ns, 3.2 ticks. */
static uint32_t instructions_since(uint32_t start)
{
    return (uint32_t)((uint64_t)(start - TIMER[1]) * 10 / 32);
}

int main(void);
void reset(void);
extern void (*const vectors[16])(void);

void reset(void)
{
    TIMER[2] = TIMER[1] = UINT32_MAX;
    TIMER[0] = 1;
    leave((uint32_t)main());
}

static void fault(void)
{
    print("fault\n");
    leave(2);
}

/* For the linker: --entry=reset --undefined=vectors --section-start=.vectors=0 */
__attribute__((section(".vectors"))) void (*const vectors[16])(void) = {
    (void (*)(void))0x20400000, reset, fault, fault, fault, fault, fault, fault,
};

/* One case has all its memory from here. */
static int8_t pool[4 * MOST_BYTES];
static size_t taken;

static int8_t *take(size_t bytes)
{
    int8_t *const here = pool + taken;
    taken += bytes;
    return here;
}

static void give_back(void)
{
    taken = 0;
}

#else

#include <stdio.h>

static int8_t *blocks[16];
static int32_t taken;

/* Of the exact size, so that AddressSanitizer sees every access beyond it. */
static int8_t *take(size_t bytes)
{
    return blocks[taken++] = malloc(bytes);
}

static void give_back(void)
{
    while (taken > 0) {
        free(blocks[--taken]);
    }
}

static void print(const char *text)
{
    (void)fputs(text, stdout);
}

#endif

static uint32_t noise = 1;

static uint32_t any(void)
{
    noise = noise * 1664525u + 1013904223u;
    return noise >> 8 ^ noise << 16;
}

/* In [low, high]. */
static int32_t in_range(int32_t low, int32_t high)
{
    return low + (int32_t)(any() % ((uint32_t)(high - low) + 1u));
}

/* Now and then all at one end. */
static void fill_randomly(int8_t *to, int32_t bytes)
{
    const int32_t kind = in_range(0, 9);
    for (int32_t i = 0; i < bytes; i++) {
        to[i] = (int8_t)(kind == 0 ? -128 : kind == 1 ? 127 : in_range(-128, 127));
    }
}

static void print_numbers(const char *name, const int32_t *numbers, int32_t count)
{
    print(name);
    for (int32_t i = 0; i < count; i++) {
        char digits[13];
        char *digit = digits + sizeof digits;
        uint32_t rest = (uint32_t)(numbers[i] < 0 ? -numbers[i] : numbers[i]);
        *--digit = 0;
        do {
            *--digit = (char)('0' + rest % 10u);
            rest /= 10u;
        } while (rest);
        if (numbers[i] < 0) {
            *--digit = '-';
        }
        *--digit = ' ';
        print(digit);
    }
    print("\n");
}

static int32_t failures;

static void expect_equal(const int8_t *expected, const int8_t *got, int32_t bytes, const char *what,
                         const int32_t *numbers, int32_t count)
{
    for (int32_t i = 0; i < bytes; i++) {
        if (expected[i] != got[i]) {
            const int32_t where[] = {i, expected[i], got[i]};
            print("failed: ");
            print_numbers(what, numbers, count);
            print_numbers("  byte, expected, got", where, 3);
            failures++;
            return;
        }
    }
}

static int8_t saturated(int64_t value)
{
    return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

/* ---- depthwise convolution ---- */

static uint32_t bytes4(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (uint32_t)(a & 255) | (uint32_t)(b & 255) << 8 | (uint32_t)(c & 255) << 16 | (uint32_t)(d & 255) << 24;
}

#define MOST_CHANNELS 256
static int8_t weights[MOST_CHANNELS][9];
static uint32_t constants[MOST_CHANNELS * 7];

static void make_constants(int32_t channels, int32_t shift)
{
    uint32_t *next = constants;
    for (int32_t c = 0; c < channels; c++) {
        int8_t *const w = weights[c];
        fill_randomly(w, 9);
        *next++ = bytes4(w[0], w[1], w[2], w[4]);
        *next++ = bytes4(w[3], w[7], w[5], 0);
        *next++ = bytes4(w[6], 0, w[8], 0);
        *next++ = (uint32_t)in_range(-200000, 200000) * (in_range(0, 9) ? 1u : 4000u);
        *next++ = (uint32_t)in_range(1 << 24, INT32_MAX - 1);
        *next++ = (uint32_t)in_range(-40000, 40000);
        if (shift == 0) {
            *next++ = (uint32_t)in_range(1, 16);
        }
    }
}

static int8_t depthwise_output(const struct td_depthwise_planes *conv, int32_t channel, const int8_t *values,
                               int32_t shift)
{
    const uint32_t *const own = constants + channel * conv->constant_words;
    const int64_t multiplier = (int32_t)own[4];
    const int64_t offset = (int32_t)own[5];
    int64_t sum = (int32_t)own[3];

    for (int32_t tap = 0; tap < 9; tap++) {
        sum += values[tap / 3 * conv->input_pitch + tap % 3] * weights[channel][tap];
    }
    if (shift) {
        return saturated((offset + (sum * multiplier >> 32)) >> shift);
    }
    return saturated((offset - (sum < 0) + ((2 * sum * multiplier + (INT64_C(1) << 31)) >> 32)) >> own[6]);
}

static struct td_depthwise_planes make_depthwise(int32_t stride, int32_t shift, int32_t channels, int32_t rows,
                                                 int32_t columns, int32_t more_pitch, int32_t more_plane)
{
    const int32_t pitch = (columns - 1) * stride + 3 + more_pitch;
    const int32_t plane = ((rows - 1) * stride + 3) * pitch + more_plane;
    return (struct td_depthwise_planes){
        .form = stride == 1 ? shift == 0 ? td_depthwise_planes_1_general
                              : shift == 8 ? td_depthwise_planes_1_shift_8 : td_depthwise_planes_1_shift_11
                            : shift == 0 ? td_depthwise_planes_2_general
                              : shift == 8 ? td_depthwise_planes_2_shift_8 : td_depthwise_planes_2_shift_11,
        .constants = constants,
        .constant_words = shift ? 6 : 7,
        .channels = channels,
        .rows = rows,
        .columns = columns,
        .input_pitch = pitch,
        .input_plane_bytes = plane,
        .output_pitch = stride == 1 ? pitch : columns,
        .output_plane_bytes = stride == 1 ? plane : rows * columns,
    };
}

static void check_depthwise(int32_t stride, int32_t shift, int in_place, int32_t channels, int32_t rows,
                            int32_t columns)
{
    const struct td_depthwise_planes conv =
        make_depthwise(stride, shift, channels, rows, columns, in_range(0, 3), in_range(0, 5));
    const int32_t bytes = channels * conv.input_plane_bytes + 1;
    const int32_t output_bytes = channels * conv.output_plane_bytes;
    int8_t *const input = take((size_t)bytes);
    int8_t *const output = in_place ? input : take((size_t)output_bytes + (stride == 1));
    int8_t *const expected = take((size_t)bytes);
    const int32_t facts[] = {stride, shift, in_place, channels, rows, columns};

    make_constants(channels, shift);
    fill_randomly(input, bytes);
    memcpy(expected, input, (size_t)bytes); /* in place, and out of place with stride 1, the rest is the input's */
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t y = 0; y < rows; y++) {
            for (int32_t x = 0; x < columns; x++) {
                const int8_t *const values = input + c * conv.input_plane_bytes + (y * conv.input_pitch + x) * stride;
                expected[c * conv.output_plane_bytes + y * conv.output_pitch + x] =
                    depthwise_output(&conv, c, values, shift);
            }
        }
    }
    td_depthwise_planes(&conv, input, output);
    if (in_place && stride == 2) { /* what is behind the outputs is of no use to anybody */
        expect_equal(expected, output, output_bytes, "depthwise", facts, 6);
        expect_equal(expected + bytes - 1, output + bytes - 1, 1, "depthwise, the byte behind", facts, 6);
    } else {
        expect_equal(expected, output, in_place ? bytes : output_bytes, "depthwise", facts, 6);
    }
    give_back();
}

/* ---- borders, planes from dense tensors, averages ---- */

static struct td_planes random_planes(int32_t channels)
{
    const int32_t height = in_range(1, 9);
    const int32_t width = in_range(1, 14);
    const int32_t left = in_range(0, 3);
    const int32_t pitch = left + width + in_range(0, 6);
    const int32_t top = in_range(0, 2);
    return (struct td_planes){
        .channels = channels,
        .height = height,
        .width = width,
        .pitch = pitch,
        .plane_bytes = (top + height + in_range(0, 2)) * pitch + in_range(0, 3),
        .origin = top * pitch + left,
    };
}

static void check_to_planes(void)
{
    const struct td_planes planes = random_planes(in_range(1, 11));
    const struct td_to_planes to_planes = {.planes = planes};
    const struct td_plane_border border = {.planes = planes, .value = in_range(-128, 127)};
    const int32_t values = planes.channels * planes.height * planes.width;
    const int32_t bytes = planes.channels * planes.plane_bytes;
    int8_t *const input = take((size_t)values);
    int8_t *const output = take((size_t)bytes);
    int8_t *const expected = take((size_t)bytes);
    const int32_t facts[] = {planes.channels, planes.height, planes.width, planes.pitch, planes.plane_bytes};

    fill_randomly(input, values);
    fill_randomly(output, bytes);
    memset(expected, border.value, (size_t)bytes);
    for (int32_t i = 0; i < values; i++) {
        const int32_t pixel = i / planes.channels;
        expected[i % planes.channels * planes.plane_bytes + planes.origin + pixel / planes.width * planes.pitch +
                 pixel % planes.width] = input[i];
    }
    td_to_planes(&to_planes, input, output);
    td_plane_border(&border, output);
    expect_equal(expected, output, bytes, "to_planes", facts, 5);
    give_back();
}

static int32_t rounded(int32_t sum, int32_t count)
{
    return (2 * abs(sum) + count) / (2 * count) * (sum < 0 ? -1 : 1);
}

static void check_average_planes(int is_mean)
{
    const struct td_planes planes = random_planes(in_range(1, 7));
    const int32_t count = planes.height * planes.width;
    struct td_average_planes average = {.planes = planes, .divisor = is_mean ? 0 : count};
    const int32_t bytes = planes.channels * planes.plane_bytes + 3;
    int8_t *const input = take((size_t)bytes);
    int8_t *const expected = take((size_t)bytes);
    const int32_t facts[] = {is_mean, planes.channels, planes.height, planes.width, planes.pitch};

    average.min = (int16_t)in_range(-128, 0);
    average.max = (int16_t)in_range(0, 127);
    if (is_mean) {
        average.start = in_range(-128, 127) * count;
        average.zero_point = (int16_t)in_range(-128, 127);
        average.multiplier.mantissa = in_range(1 << 30, INT32_MAX - 1);
        average.multiplier.shift = -in_range(0, 9);
    }
    fill_randomly(input, bytes);
    memcpy(expected, input, (size_t)bytes);
    for (int32_t c = 0; c < planes.channels; c++) {
        int32_t sum = average.start;
        for (int32_t i = 0; i < count; i++) {
            sum += input[c * planes.plane_bytes + planes.origin + i / planes.width * planes.pitch + i % planes.width];
        }
        expected[c] = (int8_t)td_clamp(
            is_mean ? td_multiply(sum, average.multiplier.mantissa, average.multiplier.shift) + average.zero_point
                    : rounded(sum, count),
            average.min, average.max);
    }
    td_average_planes(&average, input, input);
    expect_equal(expected, input, bytes, "average_planes", facts, 5);
    give_back();
}

/* ---- pools ---- */

static int8_t pooled(const struct td_pool *w, const int8_t *input, int32_t y, int32_t x, int32_t c, int is_max)
{
    int32_t sum = 0;
    int32_t max = -128;
    int32_t count = 0;
    for (int32_t tap = 0; tap < w->filter_height * w->filter_width; tap++) {
        const int32_t row = y * w->stride_height - w->pad_top + tap / w->filter_width;
        const int32_t column = x * w->stride_width - w->pad_left + tap % w->filter_width;
        if (row >= 0 && row < w->input_height && column >= 0 && column < w->input_width) {
            const int32_t value = input[(row * w->input_width + column) * w->channels + c];
            sum += value;
            count++;
            max = value > max ? value : max;
        }
    }
    return (int8_t)td_clamp(is_max ? max : rounded(sum, count), w->min, w->max);
}

static void check_pool(int is_max)
{
    const int32_t filter_height = in_range(1, 10) == 10 ? 40 : in_range(1, 6);
    const int32_t filter_width = in_range(1, 10) == 10 ? 30 : in_range(1, 6);
    const int32_t height = in_range(filter_height / 2 + 1, filter_height + 8);
    const int32_t width = in_range(filter_width / 2 + 1, filter_width + 8);
    struct td_pool w = {
        .input_height = (uint16_t)height,
        .input_width = (uint16_t)width,
        .channels = (uint16_t)in_range(1, 13),
        .filter_height = (uint16_t)filter_height,
        .filter_width = (uint16_t)filter_width,
        .stride_height = (uint16_t)in_range(1, 3),
        .stride_width = (uint16_t)in_range(1, 3),
        .pad_top = (uint16_t)(filter_height / 3),
        .pad_left = (uint16_t)(filter_width / 3),
        .min = (int16_t)in_range(-128, -100),
        .max = (int16_t)in_range(50, 127),
    };
    w.output_height = (uint16_t)((height - 1 + w.pad_top) / w.stride_height + 1);
    w.output_width = (uint16_t)((width - 1 + w.pad_left) / w.stride_width + 1);
    const int32_t values = height * width * w.channels;
    const int32_t outputs = w.output_height * w.output_width * w.channels;
    int8_t *const input = take((size_t)values);
    int8_t *const output = take((size_t)outputs);
    int8_t *const expected = take((size_t)outputs);
    const int32_t facts[] = {is_max, height, width, w.channels, filter_height, filter_width};

    fill_randomly(input, values);
    for (int32_t i = 0; i < outputs; i++) {
        const int32_t pixel = i / w.channels;
        expected[i] = pooled(&w, input, pixel / w.output_width, pixel % w.output_width, i % w.channels, is_max);
    }
    if (is_max) {
        td_max_pool_2d(&(struct td_max_pool_2d){.window = w}, input, output);
    } else {
        td_average_pool_2d(&(struct td_average_pool_2d){.window = w}, input, output);
    }
    expect_equal(expected, output, outputs, "pool", facts, 6);
    give_back();
}

/* ---- sums ---- */

static int64_t floor_shift(int64_t value, int32_t shift)
{
    return value >= 0 ? value >> shift : -((-value + (INT64_C(1) << shift) - 1) >> shift);
}

static void check_add(int where)
{
    const int is_bounded = in_range(0, 1);
    const struct td_add_affine add = {
        .count = in_range(1, 40),
        .first = in_range(-400000000, 400000000),
        .second = in_range(-400000000, 400000000),
        .start = in_range(-400000000, 400000000),
        .min = is_bounded ? in_range(-128, 0) : -128,
        .max = is_bounded ? in_range(0, 127) : 127,
    };
    int8_t *const first = take((size_t)add.count);
    int8_t *const second = take((size_t)add.count);
    int8_t *const expected = take((size_t)add.count);
    int8_t *const output = where == 0 ? first : where == 1 ? second : take((size_t)add.count);
    const int32_t facts[] = {where, add.count, add.first, add.second, add.start};

    fill_randomly(first, add.count);
    fill_randomly(second, add.count);
    for (int32_t i = 0; i < add.count; i++) {
        const int64_t sum = floor_shift((int64_t)add.first * first[i], 8) +
                            floor_shift((int64_t)add.second * second[i], 8) + add.start;
        expected[i] = (int8_t)td_clamp(saturated(floor_shift(sum, TD_ADD_AFFINE_SHIFT)), add.min, add.max);
    }
    td_add_affine(&add, first, second, output);
    expect_equal(expected, output, add.count, "add_affine", facts, 5);
    give_back();
}

static void check_all(void)
{
    static const int32_t shifts[] = {0, 8, 11};
    for (int32_t i = 0; i < CASES; i++) {
        check_depthwise(i % 2 + 1, shifts[i % 3], i / 6 % 2, in_range(1, 5), in_range(1, 13), in_range(1, 11));
        check_to_planes();
        check_average_planes(i % 2);
        check_pool(i % 2);
        check_add(i % 3);
    }
}

#ifdef __arm__

static void count_depthwise(int32_t stride, int32_t shift, int in_place, int32_t channels, int32_t rows,
                            int32_t columns)
{
    const struct td_depthwise_planes conv = make_depthwise(stride, shift, channels, rows, columns, 0, 0);
    const int32_t bytes = channels * conv.input_plane_bytes;
    const uint32_t start = TIMER[1];
    td_depthwise_planes(&conv, pool, in_place ? pool : pool + bytes);
    const int32_t facts[] = {stride, shift, in_place, channels, rows, columns, (int32_t)instructions_since(start)};
    print_numbers("count depthwise_planes", facts, 7);
}

static void count_planes(int32_t channels, int32_t height, int32_t width, int32_t before, int32_t behind)
{
    const int32_t pitch = before + width + behind;
    const struct td_planes planes = {
        channels, height, width, pitch, (before + height + behind) * pitch, before * pitch + before,
    };
    const struct td_to_planes to_planes = {.planes = planes};
    const struct td_plane_border border = {.planes = planes, .value = 0};
    const struct td_average_planes average = {.planes = planes, .divisor = height * width, .min = -128, .max = 127};
    int32_t facts[] = {channels, height, width, before, behind, 0};
    uint32_t start = TIMER[1];
    td_plane_border(&border, pool);
    facts[5] = (int32_t)instructions_since(start);
    print_numbers("count plane_border", facts, 6);
    start = TIMER[1];
    td_to_planes(&to_planes, pool + 2 * MOST_BYTES, pool);
    facts[5] = (int32_t)instructions_since(start);
    print_numbers("count to_planes", facts, 6);
    start = TIMER[1];
    td_average_planes(&average, pool, pool);
    facts[5] = (int32_t)instructions_since(start);
    print_numbers("count average_planes", facts, 6);
}

static void count_pools(int32_t channels, int32_t size, int32_t filter)
{
    const struct td_pool w = {
        (uint16_t)size,          (uint16_t)size,   (uint16_t)channels, (uint16_t)(size / filter),
        (uint16_t)(size / filter), (uint16_t)filter, (uint16_t)filter,   (uint16_t)filter,
        (uint16_t)filter,        0,                0,                  -128,
        127,
    };
    uint32_t start = TIMER[1];
    td_average_pool_2d(&(struct td_average_pool_2d){.window = w}, pool, pool + 2 * MOST_BYTES);
    int32_t facts[] = {channels, size, filter, (int32_t)instructions_since(start)};
    print_numbers("count average_pool_2d", facts, 4);
    start = TIMER[1];
    td_max_pool_2d(&(struct td_max_pool_2d){.window = w}, pool, pool + 2 * MOST_BYTES);
    facts[3] = (int32_t)instructions_since(start);
    print_numbers("count max_pool_2d", facts, 4);
}

static void count_add(int32_t count, int is_bounded)
{
    const struct td_add_affine add = {count, 1000, 1000, 0, is_bounded ? -100 : -128, 127};
    const uint32_t start = TIMER[1];
    td_add_affine(&add, pool, pool + MOST_BYTES, pool);
    const int32_t facts[] = {count, is_bounded, (int32_t)instructions_since(start)};
    print_numbers("count add_affine", facts, 3);
}

static void count_all(void)
{
    static const int32_t shapes[][3] = {{48, 48, 8}, {24, 24, 32}, {12, 12, 64}, {6, 6, 128},
                                         {3, 3, 256}, {25, 5, 64}, {1, 1, 8}, {2, 7, 16}};
    for (int32_t i = 0; i < 8; i++) {
        const int32_t channels = shapes[i][2];
        for (int32_t shift = 0; shift <= 8; shift += 8) {
            count_depthwise(1, shift, 1, channels, shapes[i][0], shapes[i][1]);
            count_depthwise(2, shift, 1, channels, (shapes[i][0] + 1) / 2, (shapes[i][1] + 1) / 2);
            count_depthwise(2, shift, 0, channels, (shapes[i][0] + 1) / 2, (shapes[i][1] + 1) / 2);
        }
        count_depthwise(1, 8, 0, channels, shapes[i][0], shapes[i][1]);
        count_planes(channels, shapes[i][0], shapes[i][1], 1, 1);
        count_planes(channels, shapes[i][0], shapes[i][1], 0, 1);
        count_planes(channels, shapes[i][0], shapes[i][1], 2, 2);
        count_add(16 * channels, 0);
        count_add(16 * channels, 1);
    }
    count_planes(7, 10, 9, 1, 1);
    count_planes(3, 20, 15, 0, 1);
    count_planes(64, 1, 125, 0, 0);
    count_planes(64, 1, 64, 0, 0);
    count_pools(64, 8, 8);
    count_pools(64, 24, 24);
    count_pools(16, 24, 2);
    count_pools(7, 12, 3);
}

#endif

int main(void)
{
    check_all();
#ifdef __arm__
    count_all();
#endif
    return failures != 0;
}
