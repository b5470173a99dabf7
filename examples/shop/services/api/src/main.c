// A small HTTP server: one thread a connection, GET only.
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"

static unsigned long counter;

static int send_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
    if (sent <= 0) return -1;
    bytes += sent;
    n -= (size_t)sent;
  }
  return 0;
}

static void *serve(void *argument) {
  int fd = (int)(long)argument;
  char request[4096];
  size_t used = 0;
  for (;;) {
    char *end;
    while (request[used] = 0, (end = strstr(request, "\r\n\r\n")) == NULL) {
      ssize_t n = used < sizeof request - 1 ? recv(fd, request + used, sizeof request - 1 - used, 0) : 0;
      if (n <= 0) goto done;
      used += (size_t)n;
    }
    char method[16], path[1024];
    if (sscanf(request, "%15s %1023s", method, path) != 2) break;
    int close_after = strstr(request, "Connection: close") != NULL;
    struct answer answer;
    app_answer(method, path, __atomic_add_fetch(&counter, strcmp(path, "/items") == 0, __ATOMIC_RELAXED), &answer);
    char head[256];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", answer.status,
                     answer.status == 200 ? "OK" : "Error", answer.type, strlen(answer.body),
                     close_after ? "Connection: close\r\n" : "");
    if (send_all(fd, head, (size_t)n) < 0 || send_all(fd, answer.body, strlen(answer.body)) < 0 || close_after) break;
    size_t taken = (size_t)(end + 4 - request);
    memmove(request, request + taken, used - taken);
    used -= taken;
  }
done:
  close(fd);
  return NULL;
}

static void stop(int number) {
  (void)number;
  _exit(0);
}

int main(void) {
  const char *port = getenv("PORT");
  signal(SIGTERM, stop);
  signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port ? port : "8080"))};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0) {
    perror("listen");
    return 1;
  }
  printf("listening on %s\n", port ? port : "8080");
  fflush(stdout);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, (void *)(long)fd) != 0)
      close(fd);
    else
      pthread_detach(thread);
  }
}
