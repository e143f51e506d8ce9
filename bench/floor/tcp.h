// The plain transport: a non-blocking socket.
#define TRANSPORT_NAME "floor"

static int sock;

static void transport_open(int fd) {
  sock = fd;
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) die("O_NONBLOCK");
}

// transport_read returns what is there, 0 for nothing, -1 at the end.
static inline long transport_read(void *p, size_t n) {
  long k = read(sock, p, n);
  if (k > 0) return k;
  return k < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

// transport_write writes all; what it is asked to write always fits.
static inline void transport_write(const uint8_t *p, size_t n) {
  if (write(sock, p, n) != (long)n) die("write");
}
