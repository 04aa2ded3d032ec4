/* The cycle counter of the Data Watchpoint and Trace unit: Armv7-M ARM (DDI 0403E) C1.6.5 and C1.8, Armv8-M ARM
 * (DDI 0553) D1.2. */
#include <stdint.h>

#include "td_arduino.h"

#define DEMCR 0xE000EDFCu
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL 0xE0001000u
#define DWT_CTRL_CYCCNTENA 0x1u
#define DWT_CYCCNT 0xE0001004u
#define DWT_LAR 0xE0001FB0u
#define DWT_LAR_KEY 0xC5ACCE55u /* CoreSight's; a Cortex-M7 ignores writes without it, the others have no such lock */

static volatile uint32_t *reg(uint32_t address)
{
    return reinterpret_cast<volatile uint32_t *>(address);
}

void td_dwt_init(void)
{
    *reg(DEMCR) |= DEMCR_TRCENA;
    *reg(DWT_LAR) = DWT_LAR_KEY;
    *reg(DWT_CTRL) |= DWT_CTRL_CYCCNTENA;
}

uint32_t td_dwt_cycles(void)
{
    return *reg(DWT_CYCCNT);
}
