/* What becomes of a fault: a restart. Nothing can be repaired here; the host gets no reply to what it asked, and can
 * ask again. And how a stack that overflows is made to fault:
 *
 *   Armv8-M  the stack pointer's limit register
 *   Armv7-M  an MPU region without access below RAM, because some systems ignore writes to where there is no memory
 *            (so does QEMU's MPS2)
 *   Armv6-M  nothing but that there is no memory below RAM; the core may lock up, and the host sees silence
 *
 * Sources: Armv7-M ARM (DDI 0403E) B3.2 and B3.5, Armv8-M ARM (DDI 0553), stack limit checks. */
#include <stdint.h>

#include "td_cortex_m.h"
#include "td_faults.h"
#include "td_port.h"
#include "td_stack.h"

/* The stack cannot be trusted: it is started anew before anything is called. */
__attribute__((naked)) void td_fault(void)
{
    __asm__ volatile("ldr r0, =td_stack_top\n"
                     "mov sp, r0\n"
                     "bl td_port_reset\n"
                     ".ltorg");
}

#if __ARM_ARCH_ISA_THUMB == 2

#define SHCSR 0xE000ED24u
#define SHCSR_FAULTS (0x7u << 16) /* MemManage, BusFault, UsageFault: not by way of HardFault, on whose entry a broken
                                   * stack may be fatal */

#if __ARM_ARCH >= 8

static void limit_stack(void)
{
    __asm__ volatile("msr msplim, %0" : : "r"(td_stack_bottom));
}

#else

#define MPU_TYPE 0xE000ED90u
#define MPU_CTRL 0xE000ED94u
#define MPU_CTRL_ENABLE 0x1u
#define MPU_CTRL_PRIVDEFENA 0x4u /* elsewhere the default memory map holds */
#define MPU_RNR 0xE000ED98u
#define MPU_RBAR 0xE000ED9Cu
#define MPU_RASR 0xE000EDA0u
#define MPU_RASR_1MB_NO_ACCESS ((1u << 28) | (19u << 1) | 1u) /* XN, AP 0, 2^(19 + 1) bytes, enabled */

static void limit_stack(void)
{
    if (*td_register(MPU_TYPE) == 0) {
        return;
    }
    *td_register(MPU_RNR) = 0;
    *td_register(MPU_RBAR) = (uint32_t)(uintptr_t)td_stack_bottom - (1u << 20); /* linker.ld asserts the alignment */
    *td_register(MPU_RASR) = MPU_RASR_1MB_NO_ACCESS;
    *td_register(MPU_CTRL) = MPU_CTRL_PRIVDEFENA | MPU_CTRL_ENABLE;
}

#endif

void td_faults_init(void)
{
    limit_stack();
    *td_register(SHCSR) |= SHCSR_FAULTS;
    __asm__ volatile("dsb\n isb" ::: "memory");
}

#else

void td_faults_init(void)
{
}

#endif
