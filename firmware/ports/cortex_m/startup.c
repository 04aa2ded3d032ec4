/* From reset to main(): vector table, memory, floating-point unit, painted stack, and what C++ asks for. */
#include <stdint.h>

#include "td_config.h"
#include "td_cortex_m.h"
#include "td_faults.h"
#include "td_port.h"
#include "td_stack.h"

#define VTOR 0xE000ED08u
#define CPACR 0xE000ED88u
#define CPACR_FPU_FULL (0xFu << 20) /* CP10 and CP11: floating point and MVE */

typedef void td_vector(void);

/* Entries that are not named stay empty: their lines are never enabled. */
struct td_vectors {
    uint32_t *stack;
    td_vector *exception[15];
    td_vector *irq[TD_IRQS];
};

/* linker.ld */
extern uint32_t td_data_start[], td_data_end[], td_bss_start[], td_bss_end[];
extern const uint32_t td_data_load[];
extern void (*const td_constructors_start[])(void);
extern void (*const td_constructors_end[])(void);

int main(void);
void td_reset(void);

extern const struct td_vectors td_vectors;
__attribute__((section(".vectors"), used)) const struct td_vectors td_vectors = {
    .stack = td_stack_top,
    .exception = {
        [0] = td_reset,
        [1] = td_fault, /* NMI */
        [2] = td_fault, /* HardFault, and every configurable fault while it is not enabled */
        [3] = td_fault, /* MemManage */
        [4] = td_fault, /* BusFault */
        [5] = td_fault, /* UsageFault */
        [6] = td_fault, /* SecureFault */
    },
    .irq = {
        [TD_UART_RX_IRQ] = td_uart_isr,
#if TD_UART_TX_IRQ != TD_UART_RX_IRQ
        [TD_UART_TX_IRQ] = td_uart_isr,
#endif
    },
};

static void enable_core_features(void)
{
#if __ARM_ARCH_ISA_THUMB == 2 /* Armv6-M has neither register */
    *td_register(VTOR) = (uint32_t)(uintptr_t)&td_vectors;
#endif
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *td_register(CPACR) |= CPACR_FPU_FULL;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
}

void td_reset(void)
{
    td_stack_paint();
    enable_core_features();
    td_faults_init();
    const uint32_t *from = td_data_load;
    for (uint32_t *to = td_data_start; to < td_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *word = td_bss_start; word < td_bss_end;) {
        *word++ = 0;
    }
    for (void (*const *constructor)(void) = td_constructors_start; constructor < td_constructors_end; constructor++) {
        (*constructor)();
    }
    main();
    td_port_reset();
}

/* What C's and C++'s libraries call in place of going on. Their own versions print a message, with all that this needs. */
void abort(void);
void __assert_func(const char *file, int line, const char *function, const char *expression);
void __cxa_pure_virtual(void);

void abort(void)
{
    td_port_reset();
    for (;;) {
    }
}

void __assert_func(const char *file, int line, const char *function, const char *expression)
{
    (void)file;
    (void)line;
    (void)function;
    (void)expression;
    abort();
}

void __cxa_pure_virtual(void)
{
    abort();
}
