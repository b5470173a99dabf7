#include "app.h"

#include <stdio.h>
#include <string.h>

#ifndef VERSION
#define VERSION "dev"
#endif
#ifndef FAIL_EVERY
#define FAIL_EVERY 0
#endif

static const struct {
  const char *name;
  int cents;
} items[] = {{"anchor", 4200}, {"rope", 950}, {"lantern", 2300}};

int app_fail_every(void) { return FAIL_EVERY; }

static void text(struct answer *a, int status, const char *body) {
  a->status = status;
  a->type = "text/plain";
  snprintf(a->body, sizeof a->body, "%s", body);
}

static void catalogue(struct answer *a) {
  size_t used = (size_t)snprintf(a->body, sizeof a->body, "[");
  for (size_t i = 0; i < sizeof items / sizeof *items; i++)
    used += (size_t)snprintf(a->body + used, sizeof a->body - used, "%s{\"name\":\"%s\",\"cents\":%d}", i ? "," : "",
                             items[i].name, items[i].cents);
  snprintf(a->body + used, sizeof a->body - used, "]");
  a->status = 200;
  a->type = "application/json";
}

void app_answer(const char *method, const char *path, unsigned long counter, struct answer *a) {
  if (strcmp(method, "GET") != 0) {
    text(a, 405, "only GET\n");
  } else if (strcmp(path, "/healthz") == 0) {
    text(a, 200, "ok\n");
  } else if (strcmp(path, "/version") == 0) {
    text(a, 200, VERSION "\n");
  } else if (strcmp(path, "/items") == 0) {
    if (FAIL_EVERY > 0 && counter % (FAIL_EVERY > 0 ? FAIL_EVERY : 1) == 0)
      text(a, 500, "the catalogue is broken\n");
    else
      catalogue(a);
  } else {
    text(a, 404, "no such page\n");
  }
}
