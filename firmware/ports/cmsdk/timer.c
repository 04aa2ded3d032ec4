/* Timer of Arm's Cortex-M System Design Kit (Arm DDI 0479, APB timer): 32 bits, counts down. */
#include <stdint.h>

#include "td_cmsdk.h"
#include "td_config.h"
#include "td_cortex_m.h"
#include "td_port.h"

#define CTRL (TD_TIMER_BASE + 0x0u)
#define VALUE (TD_TIMER_BASE + 0x4u)
#define RELOAD (TD_TIMER_BASE + 0x8u)
#define CTRL_ENABLE 0x1u

void td_timer_init(void)
{
    *td_register(RELOAD) = UINT32_MAX;
    *td_register(VALUE) = UINT32_MAX;
    *td_register(CTRL) = CTRL_ENABLE;
}

uint32_t td_port_ticks(void)
{
    return ~*td_register(VALUE);
}
