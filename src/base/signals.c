/* signals.c: threads of ours take no signals: they are the host program's. A new thread inherits the mask of the one
 * that makes it, so all are blocked while threads are made; faults stay where they happen. */
#include <signal.h>
#include <string.h>

#include "cotan/base.h"

_Static_assert(sizeof(sigset_t) <= sizeof(ct_signals), "ct_signals");

int ct_signals_block(ct_signals *old) {
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    if (pthread_sigmask(SIG_SETMASK, &all, &before)) return 0;
    memcpy(old, &before, sizeof before);
    return 1;
}

void ct_signals_restore(const ct_signals *old) {
    sigset_t before;
    memcpy(&before, old, sizeof before);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}
