/* Yours: where inputs come from while no host asks, and what is done with the outputs. tinydeploy writes this file once
 * and leaves it alone from then on. firmware/include/td_app.h says what each function is for. */
#include "td_app.h"

void td_app_start(int status)
{
    (void)status;
}

bool td_app_input(uint8_t *inputs)
{
    (void)inputs;
    return false; /* no inputs but the host's */
}

void td_app_output(const uint8_t *outputs, int status)
{
    (void)outputs;
    (void)status;
}

void td_app_stop(void)
{
}
