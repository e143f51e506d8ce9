// The floor: the least that a client of this work can do. It asks the kernel
// again and again for bytes and steps from frame header to frame header; it
// checks nothing, answers nothing, and knows only what the feed server sends.
// What a real client takes beside it is the price of being one.
//
//   usage: floor PORT PATH [ITERATIONS]       one JSON line on standard output
//
// The transport is a header, so that the calls in the loop are direct: tcp.h, or
// openssl.h when compiled with -DFLOOR_TLS.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  WARM_UP = 500,      // rounds of a burst before those that count
  REQUEST = 256,      // bytes of payload in a burst's question
  STAMP_AT = 6,       // where a payload holds the sender's clock
  STAMP_DIGITS = 19,
  READ = 64 << 10,    // bytes asked of the transport at once
  BUFFER = 256 << 10,
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

#ifdef FLOOR_TLS
#include "openssl.h"
#else
#include "tcp.h"
#endif

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t cpu_ns(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000000) + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * INT64_C(1000);
}

// The input: bytes from begin to end are unread.
static uint8_t input[BUFFER];
static size_t begin, end;
static volatile uint8_t touched; // keeps the compiler from dropping the look at a payload

// fill reads once; 0 at the end of the stream.
static int fill(void) {
  if (begin == end) {
    begin = end = 0;
  } else if (BUFFER - end < READ) {
    memmove(input, input + begin, end - begin);
    end -= begin;
    begin = 0;
  }
  long n = transport_read(input + end, BUFFER - end < READ ? BUFFER - end : READ);
  if (n < 0) return 0;
  end += (size_t)n;
  return 1;
}

// next steps over one complete frame, returns its opcode and points payload
// at its payload; -1 when there is none.
static inline int next(const uint8_t **payload) {
  size_t have = end - begin;
  if (have < 2) return -1;
  const uint8_t *f = input + begin;
  size_t head = 2, size = f[1];
  if (size == 126) {
    if (have < 4) return -1;
    head = 4;
    size = (size_t)f[2] << 8 | f[3];
  }
  if (have < head + size) return -1;
  *payload = f + head;
  begin += head + size;
  return f[0] & 15;
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

// samples returns room for n measurements, its pages already there.
static int64_t *samples(long n) {
  int64_t *s = malloc((size_t)(n + 1) * sizeof *s);
  if (!s) die("malloc");
  memset(s, 1, (size_t)(n + 1) * sizeof *s);
  return s;
}

static void print_percentiles(int64_t *s, long n) {
  qsort(s, (size_t)n, sizeof *s, by_value);
  const char *name[] = {"p50_us", "p99_us", "p999_us"};
  const double share[] = {.5, .99, .999};
  for (int i = 0; i < 3; i++) printf(",\"%s\":%.2f", name[i], s[(long)(n * share[i])] / 1e3);
  printf(",\"max_us\":%.2f", s[n - 1] / 1e3);
}

static void print_head(const char *mode, long messages) { printf("{\"name\":\"%s\",\"mode\":\"%s\",\"msgs\":%ld", TRANSPORT_NAME, mode, messages); }
static void print_cost(int64_t ns, int64_t cpu, long messages) {
  printf(",\"ns_per_msg\":%.1f,\"cpu_ns_per_msg\":%.1f", (double)ns / messages, (double)cpu / messages);
}

// burst asks for n frames, takes them, and asks again.
static void burst(long n, long rounds) {
  uint8_t question[8 + REQUEST] = {0x81, 0x80 | 126, REQUEST >> 8, REQUEST & 255}; // the mask is 0
  memset(question + 8, 'q', REQUEST);
  int64_t *s = samples(rounds), start = 0, cpu = 0;
  const uint8_t *payload;
  for (long i = -WARM_UP; i < rounds; i++) {
    int64_t asked = now_ns();
    if (i == 0) start = asked, cpu = cpu_ns();
    transport_write(question, sizeof question);
    for (long got = 0; got < n;) {
      if (next(&payload) >= 0) {
        touched = payload[0];
        got++;
      } else if (!fill()) {
        fprintf(stderr, "end of stream in round %ld\n", i);
        exit(1);
      }
    }
    if (i >= 0) s[i] = now_ns() - asked;
  }
  int64_t took = now_ns() - start;
  cpu = cpu_ns() - cpu;
  print_head("burst", n * rounds);
  print_cost(took, cpu, n * rounds);
  print_percentiles(s, rounds);
  puts("}");
}

// drain takes what comes, each frame by handle, until a close frame or the end,
// and returns how many frames there were and what they took.
static inline long drain(void (*handle)(const uint8_t *payload, long i), int64_t *took, int64_t *cpu) {
  int64_t start = 0, spent = 0;
  long got = 0;
  const uint8_t *payload;
  for (;;) {
    int op = next(&payload);
    if (op == 8) break;
    if (op >= 0) {
      if (got == 0) start = now_ns(), spent = cpu_ns();
      handle(payload, got++);
    } else if (!fill()) {
      break;
    }
  }
  *took = now_ns() - start;
  *cpu = cpu_ns() - spent;
  if (got == 0) {
    fprintf(stderr, "no message came\n");
    exit(1);
  }
  return got;
}

static void look(const uint8_t *payload, long i) {
  (void)i;
  touched = payload[0];
}

static int64_t *delay;
static long delays;

static void stamp(const uint8_t *payload, long i) {
  int64_t sent = 0;
  for (int k = 0; k < STAMP_DIGITS; k++) sent = sent * 10 + (payload[STAMP_AT + k] - '0');
  if (i < delays) delay[i] = now_ns() - sent;
}

static void flood(void) {
  int64_t took, cpu;
  long got = drain(look, &took, &cpu);
  print_head("flood", got);
  print_cost(took, cpu, got);
  puts("}");
}

static void paced(long n) {
  int64_t took, cpu;
  delay = samples(n);
  delays = n;
  long got = drain(stamp, &took, &cpu);
  if (got > n) got = n;
  long drop = got / 10;
  print_head("paced", got - drop);
  print_percentiles(delay + drop, got - drop);
  puts("}");
}

static int connect_to(const char *port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) die("connect");
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) die("TCP_NODELAY");
  return fd;
}

// upgrade makes the opening handshake and believes the answer. What comes
// behind the answer is the first input.
static void upgrade(const char *path) {
  char request[1024];
  int n = snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                   path);
  if (n >= (int)sizeof request) {
    fprintf(stderr, "path too long\n");
    exit(2);
  }
  transport_write((uint8_t *)request, (size_t)n);
  for (;;) {
    uint8_t *blank = memmem(input, end, "\r\n\r\n", 4);
    if (blank) {
      begin = (size_t)(blank + 4 - input);
      break;
    }
    if (end > 8192 || !fill()) {
      fprintf(stderr, "no answer to the upgrade\n");
      exit(1);
    }
  }
  if (memcmp(input, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "the server refused: %.40s\n", (char *)input);
    exit(1);
  }
}

int main(int argc, char **argv) {
  char mode[16];
  long n;
  if (argc < 3 || sscanf(argv[2], "/%15[a-z]/%ld/", mode, &n) != 2 || n < 1) {
    fprintf(stderr, "usage: floor PORT PATH [ITERATIONS]\n");
    return 2;
  }
  int is_burst = !strcmp(mode, "burst");
  long rounds = argc > 3 ? atol(argv[3]) : 0;
  if (is_burst && rounds < 1) {
    fprintf(stderr, "a burst needs ITERATIONS\n");
    return 2;
  }
  transport_open(connect_to(argv[1]));
  upgrade(argv[2]);
  if (is_burst) burst(n, rounds);
  else if (!strcmp(mode, "flood")) flood();
  else paced(n);
  return 0;
}
