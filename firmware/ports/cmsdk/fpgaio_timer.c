/* The counter in the FPGAIO block of Arm's MPS2+ and MPS3 images (Arm DAI 0505, FPGA system control and I/O; QEMU 7.2
 * hw/misc/mps2-fpgaio.c): 32 bits, counts up once per PRESCALE + 1 clocks. */
#include <stdint.h>

#include "td_cmsdk.h"
#include "td_config.h"
#include "td_cortex_m.h"
#include "td_port.h"

#define COUNTER (TD_TIMER_BASE + 0x18u)
#define PRESCALE (TD_TIMER_BASE + 0x1Cu)

void td_timer_init(void)
{
    *td_register(PRESCALE) = 0;
}

uint32_t td_port_ticks(void)
{
    return *td_register(COUNTER);
}
