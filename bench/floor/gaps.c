// Gaps: a loop in C that never sleeps and writes down when it did not run. What it
// sees is the machine's own, not that of any runtime.
//
//   usage: gaps CPU WATCH THRESHOLD      times in nanoseconds; CPU -1: any
//
// It looks at what the kernel has counted of the thread after each gap, and once in
// a millisecond, so that what moved belongs to the gap; looking is no part of the
// time watched. What it prints is described at ReadFloor in internal/jitter.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
  WARM_UP = 50 * 1000 * 1000,  // ns in which gaps are not counted
  REFRESH = 1000 * 1000,       // ns that the counters get old
  KEPT = 1 << 19,              // gaps; no more are written down
};

struct counters {
  int64_t voluntary, involuntary, faults;
  int cpu;
};

struct gap {
  int64_t at, length;
  struct counters moved;
};

static struct gap gaps[KEPT];

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static struct counters look(void) {
  struct rusage u;
  getrusage(RUSAGE_THREAD, &u);
  return (struct counters){u.ru_nvcsw, u.ru_nivcsw, u.ru_minflt + u.ru_majflt, sched_getcpu()};
}

static int64_t number(const char *text, const char *what, int64_t least) {
  char *end;
  errno = 0;
  int64_t n = strtoll(text, &end, 10);
  if (errno != 0 || *text == 0 || *end != 0 || n < least) {
    fprintf(stderr, "gaps: %s \"%s\" is not a number from %" PRId64 "\n", what, text, least);
    exit(2);
  }
  return n;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: gaps CPU WATCH THRESHOLD (ns; CPU -1: any)\n");
    return 2;
  }
  int64_t cpu = number(argv[1], "CPU", -1), watch = number(argv[2], "WATCH", 1), threshold = number(argv[3], "THRESHOLD", 1);
  if (cpu >= CPU_SETSIZE) {
    fprintf(stderr, "gaps: CPU %" PRId64 " is not below %d\n", cpu, CPU_SETSIZE);
    return 2;
  }
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
      perror("gaps: sched_setaffinity");
      return 1;
    }
  }
  for (int i = 0; i < KEPT; i += 64) {  // mapped now, not at a gap
    ((volatile struct gap *)gaps)[i].at = 0;
  }

  int64_t n = 0, steps = 0, looking = 0;
  struct counters before = look();
  int64_t last = now_ns(), begin = last + WARM_UP, refresh = last + REFRESH;
  while (last - begin < watch) {
    int64_t now = now_ns();
    if (now >= begin) {
      steps++;
    }
    if (now - last <= threshold && now < refresh) {
      last = now;
      continue;
    }
    struct counters after = look();
    if (now - last > threshold && last >= begin && n < KEPT) {
      gaps[n++] = (struct gap){last - begin, now - last, {
        after.voluntary - before.voluntary, after.involuntary - before.involuntary,
        after.faults - before.faults, after.cpu != before.cpu,
      }};
    }
    before = look();
    last = now_ns();
    refresh = last + REFRESH;
    if (now >= begin) {
      looking += last - now;
    }
  }

  printf("threshold %" PRId64 "\nwatched %" PRId64 "\nlooking %" PRId64 "\nsteps %" PRId64 "\n",
         threshold, last - begin - looking, looking, steps);
  for (int64_t i = 0; i < n; i++) {
    const struct gap *g = &gaps[i];
    printf("gap %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d\n",
           g->at, g->length, g->moved.voluntary, g->moved.involuntary, g->moved.faults, g->moved.cpu);
  }
  return n == KEPT ? (fprintf(stderr, "gaps: only the first %d gaps were kept\n", KEPT), 1) : 0;
}
