/* The main program of a deployed model. It owns all of the link's and the buffers' memory, statically. */
#ifndef TD_RUNNER_H
#define TD_RUNNER_H

#ifdef __cplusplus
extern "C" {
#endif

/* Starts the model and then computes one input after the other, for ever; sleeps where there is none. Inputs are the
 * application's (td_app.h) until a host opens a session. Call it from main() after td_port_init(). A model that cannot be
 * started computes nothing, but the link says so. */
void td_runner_run(void);

#ifdef __cplusplus
}
#endif

#endif
