/* Which instances of its kernels this model uses: one for each immediate output shift, and the general one. */
#ifndef TD_SHIFTS_H
#define TD_SHIFTS_H

#endif
