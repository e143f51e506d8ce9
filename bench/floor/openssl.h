// The TLS transport: OpenSSL over a non-blocking socket. Read-ahead takes many
// records with one system call. The certificate is not verified.
#include <openssl/ssl.h>

#define TRANSPORT_NAME "floor-tls"

static SSL *tls;

static void transport_open(int fd) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  if (!ctx) die("SSL_CTX_new");
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_default_read_buffer_len(ctx, READ);
  tls = SSL_new(ctx);
  if (!tls || SSL_set_fd(tls, fd) != 1) die("SSL_new");
  if (SSL_connect(tls) != 1) die("TLS handshake");
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) die("O_NONBLOCK");
}

// transport_read returns what is there, 0 for nothing, -1 at the end.
static inline long transport_read(void *p, size_t n) {
  int k = SSL_read(tls, p, (int)n);
  if (k > 0) return k;
  int e = SSL_get_error(tls, k);
  return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

// transport_write writes all; what it is asked to write always fits.
static inline void transport_write(const uint8_t *p, size_t n) {
  if (SSL_write(tls, p, (int)n) != (int)n) die("SSL_write");
}
