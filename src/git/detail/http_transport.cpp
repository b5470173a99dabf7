#include "git/detail/http_transport.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/encode.h"
#include "base/fd.h"
#include "base/files.h"

namespace slipway::git {
namespace {

Result<Fd> spool_file() {
  Fd fd(::open(fs::temp_directory_path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, "temporary file");
  return fd;
}

struct Subtransport {
  git_smart_subtransport base;  // first: libgit2 casts
  HttpSession* session;
};

// One request: what is written is kept until the first read sends it.
struct Stream {
  git_smart_subtransport_stream base;  // first: libgit2 casts
  HttpSession* session;
  git_smart_service_t action;
  Fd request, response;
  std::int64_t request_size = 0;
  bool sent = false;

  std::string_view service() const {
    return action == GIT_SERVICE_RECEIVEPACK || action == GIT_SERVICE_RECEIVEPACK_LS ? "git-receive-pack"
                                                                                     : "git-upload-pack";
  }
  bool is_listing() const { return action == GIT_SERVICE_UPLOADPACK_LS || action == GIT_SERVICE_RECEIVEPACK_LS; }
  Result<> send();
  Result<> check(const net::ClientResponse& response) const;
};

Result<> Stream::check(const net::ClientResponse& answer) const {
  const auto& url = session->base;
  if (answer.status == 401)
    return Fail(Error(Kind::denied, fmt::format("{}: the server wants credentials", url))
                    .with_hint("a Secret of the namespace argocd with the label argocd.argoproj.io/secret-type: "
                               "repository holds them"));
  if (answer.status == 403) return fail(Kind::denied, "{}: the server refuses access (403)", url);
  if (answer.status == 404) return fail(Kind::not_found, "{}: no repository here (404)", url);
  if (!answer.ok())
    return fail(answer.status >= 500 ? Kind::unavailable : Kind::invalid, "{}: HTTP status {}", url, answer.status);
  auto want = fmt::format("application/x-{}-{}", service(), is_listing() ? "advertisement" : "result");
  auto type = answer.headers.get_or("content-type", "");
  if (!type.starts_with(want)) return fail(Kind::invalid, "{}: not a git server (content type \"{}\")", url, type);
  return {};
}

Result<> Stream::send() {
  sent = true;
  TRY(response, spool_file());
  net::ClientRequest call;
  call.headers.set("Accept", "*/*");
  if (!session->authorization.empty()) call.headers.set("Authorization", session->authorization);
  if (is_listing()) {
    call.url = fmt::format("{}/info/refs?service={}", session->base, service());
  } else {
    call.method = "POST";
    call.url = fmt::format("{}/{}", session->base, service());
    call.redirects = 0;  // a POST that turns into a GET says nothing useful
    call.headers.set("Content-Type", fmt::format("application/x-{}-request", service()));
    call.headers.set("Accept", fmt::format("application/x-{}-result", service()));
    auto offset = std::make_shared<off_t>(0);
    call.upload = [this, offset](std::span<char> buffer) -> std::size_t {
      auto n = ::pread(request.get(), buffer.data(), buffer.size(), *offset);
      if (n > 0) *offset += n;
      return n > 0 ? static_cast<std::size_t>(n) : 0;
    };
    call.upload_size = request_size;
  }
  call.limit = std::size_t{64} << 30;
  std::optional<Error> write_error;
  auto sink = [&](std::string_view piece) {
    auto r = write_all(response.get(), piece);
    if (!r) write_error = r.error();
    return r.has_value();
  };
  auto answer = session->client->stream(*session->ctx, std::move(call), sink);
  if (write_error) return Fail(*write_error);
  if (!answer) return Fail(std::move(answer).error());
  TRY_OK(check(*answer));
  if (auto tail = answer->url.find("/info/refs"); is_listing() && tail != std::string::npos)
    session->base = answer->url.substr(0, tail);
  if (::lseek(response.get(), 0, SEEK_SET) < 0) return fail_errno(errno, "temporary file");
  return {};
}

int failed(HttpSession* session, Error error) {
  git_error_set_str(GIT_ERROR_NET, error.what().c_str());
  if (!session->error) session->error = std::move(error);
  return -1;
}

int stream_read(git_smart_subtransport_stream* base, char* buffer, std::size_t size, std::size_t* got) {
  auto* stream = reinterpret_cast<Stream*>(base);
  *got = 0;
  if (!stream->sent)
    if (auto r = stream->send(); !r) return failed(stream->session, std::move(r).error());
  auto n = ::read(stream->response.get(), buffer, size);
  if (n < 0) return failed(stream->session, fail_errno(errno, "temporary file").error());
  *got = static_cast<std::size_t>(n);
  return 0;
}

int stream_write(git_smart_subtransport_stream* base, const char* buffer, std::size_t size) {
  auto* stream = reinterpret_cast<Stream*>(base);
  if (!stream->request) {
    auto file = spool_file();
    if (!file) return failed(stream->session, std::move(file).error());
    stream->request = *std::move(file);
  }
  if (auto r = write_all(stream->request.get(), {buffer, size}); !r)
    return failed(stream->session, std::move(r).error());
  stream->request_size += static_cast<std::int64_t>(size);
  return 0;
}

void stream_free(git_smart_subtransport_stream* base) { delete reinterpret_cast<Stream*>(base); }

int start_action(git_smart_subtransport_stream** out, git_smart_subtransport* base, const char*,
                 git_smart_service_t action) {
  auto* transport = reinterpret_cast<Subtransport*>(base);
  auto* stream = new Stream{};
  stream->base = {base, stream_read, stream_write, stream_free};
  stream->session = transport->session;
  stream->action = action;
  *out = &stream->base;
  return 0;
}

int close_transport(git_smart_subtransport*) { return 0; }
void free_transport(git_smart_subtransport* base) { delete reinterpret_cast<Subtransport*>(base); }

int make_subtransport(git_smart_subtransport** out, git_transport*, void* session) {
  auto* transport = new Subtransport{};
  transport->base = {start_action, close_transport, free_transport};
  transport->session = static_cast<HttpSession*>(session);
  *out = &transport->base;
  return 0;
}

}  // namespace

int make_http_transport(git_transport** out, git_remote* owner, void* session) {
  git_smart_subtransport_definition definition = {make_subtransport, 1, session};
  return git_transport_smart(out, owner, &definition);
}

}  // namespace slipway::git
