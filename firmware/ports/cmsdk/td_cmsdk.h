/* Inside the CMSDK port: the UART's driver is one, the timers are several. */
#ifndef TD_CMSDK_H
#define TD_CMSDK_H

/* Starts the timer behind td_port_ticks(). */
void td_timer_init(void);

#endif
