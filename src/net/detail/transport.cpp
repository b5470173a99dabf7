#include "net/detail/transport.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <vector>

namespace slipway::net {
namespace {

using Bio = Owned<BIO, BIO_free_all>;
using Certificate = Owned<X509, X509_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;

Fail ssl_fail(std::string_view doing) {
  char text[256] = "unknown error";
  if (auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return fail(Kind::invalid, "{}: {}", doing, text);
}

Bio memory(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// One certificate with its chain and its key.
struct Identity {
  Certificate leaf;
  std::vector<Certificate> chain;
  Key key;
};

// The PEM texts may hold several, each certificate before its chain; keys say which certificates are leaves.
Result<std::vector<Identity>> identities(std::string_view certificates, std::string_view keys) {
  std::vector<Identity> out;
  auto key_bio = memory(keys);
  std::vector<Key> unused;
  while (EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr)) unused.emplace_back(key);
  if (unused.empty()) return ssl_fail("private key");
  auto bio = memory(certificates);
  while (X509* read = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    Certificate certificate(read);
    auto key = std::find_if(unused.begin(), unused.end(),
                            [&](const Key& k) { return X509_check_private_key(read, k.get()) == 1; });
    if (key != unused.end()) {
      out.push_back({std::move(certificate), {}, std::move(*key)});
      unused.erase(key);
    } else if (out.empty()) {
      return ssl_fail("certificate and private key");
    } else {
      out.back().chain.push_back(std::move(certificate));
    }
  }
  ERR_clear_error();
  if (out.empty()) return fail(Kind::invalid, "certificate: want a PEM certificate");
  if (!unused.empty()) return fail(Kind::invalid, "private key: of no certificate");
  return out;
}

Result<> use(SSL_CTX* ctx, Identity identity) {
  if (SSL_CTX_use_certificate(ctx, identity.leaf.get()) != 1) return ssl_fail("certificate");
  for (auto& next : identity.chain)
    if (SSL_CTX_add1_chain_cert(ctx, next.get()) != 1) return ssl_fail("certificate chain");
  if (SSL_CTX_use_PrivateKey(ctx, identity.key.get()) != 1) return ssl_fail("private key");
  return {};
}

using Others = std::vector<SslContext>;  // for the names of further certificates

int index_of_others() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* others, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Others*>(others); });
  return index;
}

// Who asks for a name gets the certificate that has it; others the first.
int choose_certificate(SSL* ssl, int*, void* arg) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  for (const auto& other : *static_cast<Others*>(arg))
    if (X509_check_host(SSL_CTX_get0_certificate(other.get()), name, 0, 0, nullptr) == 1) {
      SSL_set_SSL_CTX(ssl, other.get());
      break;
    }
  return SSL_TLSEXT_ERR_OK;
}

Result<> accept_clients_of(SSL_CTX* ctx, std::string_view pem) {
  auto bio = memory(pem);
  int count = 0;
  while (true) {
    Certificate ca(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!ca) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.get()) != 1) return ssl_fail("client CA");
    SSL_CTX_add_client_CA(ctx, ca.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return fail(Kind::invalid, "client CA: want a PEM certificate");
  // Asked for, not demanded: bearer tokens work without one. A bad one ends the handshake.
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  return {};
}

int choose_http11(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                  unsigned offered_size, void*) {
  static constexpr unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* pick = nullptr;
  if (SSL_select_next_proto(&pick, size, ours, sizeof ours, offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = pick;
  return SSL_TLSEXT_ERR_OK;
}

std::string entries(X509_NAME* name, int nid) {
  std::string all;
  for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0; at = X509_NAME_get_index_by_NID(name, nid, at)) {
    unsigned char* utf8 = nullptr;
    int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (size < 0) continue;
    if (!all.empty()) all += ',';
    all.append(reinterpret_cast<char*>(utf8), size);
    OPENSSL_free(utf8);
  }
  return all;
}

}  // namespace

void free_ssl(ssl_st* ssl) { SSL_free(ssl); }
void free_ssl_ctx(ssl_ctx_st* ctx) { SSL_CTX_free(ctx); }

Result<SslContext> make_server_context(const TlsServerSettings& settings) {
  SslContext ctx(SSL_CTX_new(TLS_server_method()));
  if (!ctx) return ssl_fail("tls");
  SSL_CTX_set_min_proto_version(ctx.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(ctx.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(ctx.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(ctx.get(), choose_http11, nullptr);
  static constexpr unsigned char session_id[] = "slipway";
  SSL_CTX_set_session_id_context(ctx.get(), session_id, sizeof session_id);
  TRY(auto all, identities(settings.certificate_pem, settings.key_pem));
  TRY_OK(use(ctx.get(), std::move(all.front())));
  if (all.size() > 1) {
    auto others = std::make_unique<Others>();
    for (std::size_t i = 1; i < all.size(); ++i) {
      SslContext other(SSL_CTX_new(TLS_server_method()));
      if (!other) return ssl_fail("tls");
      TRY_OK(use(other.get(), std::move(all[i])));
      others->push_back(std::move(other));
    }
    SSL_CTX_set_tlsext_servername_callback(ctx.get(), choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(ctx.get(), others.get());
    SSL_CTX_set_ex_data(ctx.get(), index_of_others(), others.release());
  }
  if (!settings.client_ca_pem.empty()) TRY_OK(accept_clients_of(ctx.get(), settings.client_ca_pem));
  return ctx;
}

short Step::poll_events() const { return want == Want::write ? POLLOUT : POLLIN; }

Result<> Transport::begin_tls(ssl_ctx_st* context) {
  ssl_.reset(SSL_new(context));
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1) return ssl_fail("tls");
  SSL_set_accept_state(ssl_.get());
  return {};
}

Step Transport::ssl_step(int result) const {
  if (result > 0) return {static_cast<std::size_t>(result), Step::Want::nothing};
  int error = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return {0, Step::Want::read};
    case SSL_ERROR_WANT_WRITE:
      return {0, Step::Want::write};
    case SSL_ERROR_ZERO_RETURN:
      return {0, Step::Want::end};
    default:
      return {0, Step::Want::failed};
  }
}

Step Transport::handshake() {
  std::lock_guard hold(ssl_mutex_);
  ERR_clear_error();
  return ssl_step(SSL_do_handshake(ssl_.get()));
}

std::pair<std::string, std::string> Transport::peer_name_and_org() const {
  if (!ssl_) return {};
  std::lock_guard hold(ssl_mutex_);
  Certificate certificate(SSL_get1_peer_certificate(ssl_.get()));
  if (!certificate || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  auto* name = X509_get_subject_name(certificate.get());
  return {entries(name, NID_commonName), entries(name, NID_organizationName)};
}

Step Transport::read(std::span<char> buffer) {
  if (ssl_) {
    std::lock_guard hold(ssl_mutex_);
    ERR_clear_error();
    return ssl_step(
        SSL_read(ssl_.get(), buffer.data(), static_cast<int>(std::min<std::size_t>(buffer.size(), INT_MAX))));
  }
  for (;;) {
    auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) return {static_cast<std::size_t>(got), Step::Want::nothing};
    if (got == 0) return {0, Step::Want::end};
    if (errno == EAGAIN) return {0, Step::Want::read};
    if (errno != EINTR) return {0, Step::Want::failed};
  }
}

Step Transport::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (ssl_) {
    std::lock_guard hold(ssl_mutex_);
    ERR_clear_error();
    return ssl_step(
        SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
  }
  for (;;) {
    auto put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) return {static_cast<std::size_t>(put), Step::Want::nothing};
    if (errno == EAGAIN) return {0, Step::Want::write};
    if (errno != EINTR) return {0, Step::Want::failed};
  }
}

bool Transport::pending() const {
  if (!ssl_) return false;
  std::lock_guard hold(ssl_mutex_);
  return SSL_has_pending(ssl_.get()) == 1;
}

Result<> Transport::wait_for(const Ctx& ctx, Step step, Millis idle, std::string_view doing) const {
  // Measured on the real clock: a peer does not live in a simulation.
  Ctx bounded = ctx.within(idle);
  auto r = wait(bounded, fd_.get(), step.poll_events());
  if (!r && r.error().is(Kind::timeout)) {
    TRY_OK(ctx.alive());
    return fail(Kind::timeout, "{}: the peer did nothing for {} ms", doing, idle.count());
  }
  return r;
}

Result<std::size_t> Transport::read_some(const Ctx& ctx, std::span<char> buffer, Millis idle) {
  for (;;) {
    auto step = read(buffer);
    if (step.moved()) return step.bytes;
    if (step.want == Step::Want::end) return std::size_t{0};
    if (step.want == Step::Want::failed) return fail(Kind::unavailable, "read: the connection broke");
    TRY_OK(wait_for(ctx, step, idle, "read"));
  }
}

Result<> Transport::write_all(const Ctx& ctx, std::string_view bytes, Millis idle) {
  while (!bytes.empty()) {
    auto step = write(bytes);
    if (step.moved()) {
      bytes.remove_prefix(step.bytes);
      continue;
    }
    if (!step.blocked()) return fail(Kind::unavailable, "write: the peer is gone");
    TRY_OK(wait_for(ctx, step, idle, "write"));
  }
  return {};
}

Result<> Transport::write_pieces(const Ctx& ctx, std::span<const std::string_view> pieces, Millis idle) {
  std::size_t total = 0;
  for (auto piece : pieces) total += piece.size();
  if (ssl_ && total <= 16384) {
    // One TLS record instead of one a piece.
    std::string joined;
    joined.reserve(total);
    for (auto piece : pieces) joined += piece;
    return write_all(ctx, joined, idle);
  }
  std::size_t done = 0;
  if (!ssl_) {
    std::array<iovec, 8> vectors;
    std::size_t count = std::min(pieces.size(), vectors.size());
    for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    msghdr message{};
    message.msg_iov = vectors.data(), message.msg_iovlen = count;
    auto put = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return fail(Kind::unavailable, "write: the peer is gone");
    done = put > 0 ? static_cast<std::size_t>(put) : 0;
  }
  for (auto piece : pieces) {
    auto skip = std::min(done, piece.size());
    done -= skip;
    TRY_OK(write_all(ctx, piece.substr(skip), idle));
  }
  return {};
}

Result<> Transport::send_file(const Ctx& ctx, int file, std::uint64_t offset, std::uint64_t length, Millis idle) {
  auto cut_off = [&] { return fail(Kind::corrupt, "file body: {} bytes fewer than announced", length); };
  if (ssl_) {
    std::string buffer(std::min<std::uint64_t>(length, 256 << 10), '\0');
    while (length > 0) {
      auto got =
          ::pread(file, buffer.data(), std::min<std::uint64_t>(length, buffer.size()), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, "file body");
      if (got == 0) return cut_off();
      TRY_OK(write_all(ctx, {buffer.data(), static_cast<std::size_t>(got)}, idle));
      offset += got, length -= got;
    }
    return {};
  }
  auto at = static_cast<off_t>(offset);
  while (length > 0) {
    auto put = ::sendfile(fd_.get(), file, &at, std::min<std::uint64_t>(length, 1 << 20));
    if (put > 0) {
      length -= put;
      continue;
    }
    if (put == 0) return cut_off();
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail_errno(errno, "send file");
    TRY_OK(wait_for(ctx, {0, Step::Want::write}, idle, "write"));
  }
  return {};
}

void Transport::close_notify() {
  if (!ssl_) return;
  std::lock_guard hold(ssl_mutex_);
  ERR_clear_error();
  if (SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void Transport::shutdown(int how) { ::shutdown(fd_.get(), how); }

}  // namespace slipway::net
