// The shop's catalogue: routes in, answers out, no sockets, so that tests need none.
#ifndef APP_H
#define APP_H
#include <stddef.h>

struct answer {
  int status;
  const char *type;
  char body[2048];
};

// Fills `answer` for a request line's method and path. `counter` counts requests, for FAIL_EVERY.
void app_answer(const char *method, const char *path, unsigned long counter, struct answer *answer);
// FAIL_EVERY compiled in: every n-th request of the catalogue fails. 0: none.
int app_fail_every(void);
#endif
