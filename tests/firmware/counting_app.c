/* An application that makes TEST_APP_INPUTS inputs, each in four pieces, and drops one whenever it is asked for more. It
 * finds out itself whether the runner keeps to td_app.h and whether the results are right, and ends the program if not. */
#include <stdlib.h>
#include <string.h>

#include "td_app.h"
#include "td_config.h"
#include "td_messages.h"
#include "td_model.h"

#ifndef TEST_APP_INPUTS
#define TEST_APP_INPUTS 3
#endif
#ifndef TEST_INIT_STATUS
#define TEST_INIT_STATUS 0
#endif

#define PIECES 4u
#define PIECE_BYTES (TD_INPUT_BYTES / PIECES)
#define RESULT_BYTES (TD_OUTPUT_BYTES - 4)

static uint8_t *lent;
static uint32_t pieces;
static uint8_t begun;
static uint8_t finished;
static bool is_stopped;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

void td_app_start(int status)
{
    check(status == TEST_INIT_STATUS);
}

bool td_app_input(uint8_t *inputs)
{
    check(!is_stopped && TEST_INIT_STATUS == 0);
    check((uintptr_t)inputs % TD_ALIGN == 0);
    check(lent == NULL || lent == inputs);
    lent = inputs;
    if (begun == TEST_APP_INPUTS) {
        td_app_overrun();
        return false;
    }
    memset(&inputs[pieces * PIECE_BYTES], begun, PIECE_BYTES);
    if (++pieces < PIECES) {
        td_app_wake();
        return false;
    }
    pieces = 0;
    begun++;
    lent = NULL;
    return true;
}

void td_app_output(const uint8_t *outputs, int status)
{
    check(status == 0);
    for (uint32_t i = 0; i < RESULT_BYTES; i++) {
        check(outputs[i] == (uint8_t)(finished + 1u));
    }
    check(td_get_u32(&outputs[RESULT_BYTES]) == (uint32_t)(finished + 1u));
    finished++;
}

void td_app_stop(void)
{
    check(!is_stopped);
    is_stopped = true;
    lent = NULL;
}
