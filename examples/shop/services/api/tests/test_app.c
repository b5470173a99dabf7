// Unit tests in TAP.
#include <stdio.h>
#include <string.h>

#include "../src/app.h"

static int number, failed;
static void check(int good, const char *what) {
  printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
  failed += !good;
}

int main(void) {
  struct answer a;
  printf("1..6\n");
  app_answer("GET", "/healthz", 1, &a);
  check(a.status == 200, "healthz answers");
  app_answer("GET", "/items", 1, &a);
  check(a.status == 200 || app_fail_every() > 0, "the catalogue answers");
  check(app_fail_every() > 0 || strstr(a.body, "\"anchor\"") != NULL, "the catalogue has an anchor");
  app_answer("POST", "/items", 1, &a);
  check(a.status == 405, "only GET");
  app_answer("GET", "/nothing", 1, &a);
  check(a.status == 404, "unknown pages are 404");
  app_answer("GET", "/version", 1, &a);
  check(strlen(a.body) > 1, "the version is known");
  return failed != 0;
}
