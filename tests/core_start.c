/* What host_runner.c stands on in QEMU: from reset to main(), with files of the host through semihosting.
 *
 * All sections lie where the emulator loads them to, so that nothing has to be copied. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern uint32_t bss_start[], bss_end[], stack_top[];
int main(void);
void initialise_monitor_handles(void); /* newlib's librdimon */
void reset(void);
void fault(void);

static void semihosting(int32_t operation, const void *argument)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void finish(uint32_t status)
{
    const uint32_t reason[2] = {0x20026, status}; /* ADP_Stopped_ApplicationExit */
    semihosting(0x20, reason);                    /* SYS_EXIT_EXTENDED */
    for (;;) {
    }
}

void reset(void)
{
    memset(bss_start, 0, (size_t)((uint8_t *)bss_end - (uint8_t *)bss_start));
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: floating point and MVE */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
#if __ARM_ARCH_ISA_THUMB == 1
    /* CCR.UNALIGN_TRP: what is not aligned faults, as it does on the core that the code is for. */
    *(volatile uint32_t *)0xE000ED14u |= 1u << 3;
#endif
    initialise_monitor_handles();
    if (freopen("requests", "rb", stdin) == NULL || freopen("results", "wb", stdout) == NULL) {
        finish(4);
    }
    const int status = main();
    fclose(stdout);
    finish((uint32_t)status);
}

void fault(void)
{
    semihosting(0x04, "fault\n"); /* SYS_WRITE0 */
    finish(5);
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*exception[15])(void);
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault, fault}};
