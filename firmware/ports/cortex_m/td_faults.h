/* Between startup.c and faults.c. */
#ifndef TD_FAULTS_H
#define TD_FAULTS_H

/* The handler of every fault: restarts the board. */
void td_fault(void);

/* Makes a stack overflow fault, as far as the core can. */
void td_faults_init(void);

#endif
