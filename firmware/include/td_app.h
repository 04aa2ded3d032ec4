/* What a product adds to a deployed model: where inputs come from while no host asks, and what is done with outputs.
 *
 * The first four are the application's own, in src/app.c; the runner calls them from the main program, never from an
 * interrupt. They use the same buffers as the link:
 *
 *     td_app_input() fills one buffer while the model computes the other; nothing is copied.
 *
 * Inputs and outputs are laid out as td_model.input and td_model.output say (td_model.h). When a host opens a session it
 * takes over, until the board restarts. */
#ifndef TD_APP_H
#define TD_APP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Once, before all others. `status` is 0, or why the model could not be started: then no input is asked for. */
void td_app_start(int status);

/* Whether `inputs`, TD_INPUT_BYTES long and TD_ALIGN-aligned, now holds a complete input, which is computed next. Until
 * this returns true it is called with the same buffer, so an interrupt or DMA may fill it between the calls; afterwards
 * the buffer must not be written to. Called when there is a buffer to fill and something may have happened: after every
 * interrupt, and between layers after td_app_wake(). */
bool td_app_input(uint8_t *inputs);

/* A result. `status` is 0, or why the inference failed; the outputs then mean nothing. They stay until this returns. */
void td_app_output(const uint8_t *outputs, int status);

/* A host has taken over: whatever fills the buffer last given to td_app_input() must have stopped when this returns. */
void td_app_stop(void);

/* For the application to call, from interrupts too: td_app_input() is to be asked (again) without delay. An interrupt
 * that completes an input calls it; without it, one that came at the wrong moment would be noticed only at the next. */
void td_app_wake(void);

/* For the application to call where it had to drop data because it had no buffer: STATS counts these as overruns. Which
 * data it drops is its own policy. Calls must not overlap. */
void td_app_overrun(void);

#ifdef __cplusplus
}
#endif

#endif
