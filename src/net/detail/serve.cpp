#include <sys/epoll.h>
#include <sys/socket.h>

#include <ctime>
#include <exception>

#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "net/detail/body.h"
#include "net/detail/conn.h"

namespace slipway::net {
namespace {

constexpr std::size_t drain_limit = 256 << 10;

Counter requests("slipway_net_requests_total", "requests answered, by class of status");

// Everything the answer to one request needs to know.
struct Exchange {
  const Ctx& ctx;
  Core& core;
  const ConnPtr& conn;
  const RequestHead& head;
  RequestBody& body;
  bool keep = true;

  bool is_head() const { return head.method == "HEAD"; }
  bool http11() const { return head.minor == 1; }
  Millis idle() const { return core.options().transfer_timeout; }
  Result<> put(std::initializer_list<std::string_view> pieces) const {
    return conn->transport.write_pieces(ctx, {pieces.begin(), pieces.size()}, idle());
  }
  std::string print(const Response& response, std::string_view framing) const {
    std::string extra(framing);
    if (!keep)
      extra += "Connection: close\r\n";
    else if (!http11())
      extra += "Connection: keep-alive\r\n";
    return print_head(response.status, response.headers, extra);
  }
};

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

// The framing headers are ours; a handler that answers HEAD or 304 may say how long the body would be.
std::string own_length(Response& response) {
  auto length = response.headers.get("Content-Length");
  return length ? fmt::format("Content-Length: {}\r\n", *length) : std::string();
}
void strip_framing(Headers& headers) {
  for (auto name : {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date"}) headers.erase(name);
}

class StreamWriter final : public BodyWriter {
 public:
  StreamWriter(Exchange& exchange, Response& response) : exchange_(exchange), response_(response) {
    if (auto given = response.headers.get("Content-Length")) length_ = to_int(*given);
    chunked_ = !length_ && exchange.http11();
  }
  Result<> write(const Ctx&, std::string_view bytes) override {
    std::string head;
    if (!started_) {
      started_ = true;
      if (!length_ && !chunked_) exchange_.keep = false;
      auto framing = length_    ? fmt::format("Content-Length: {}\r\n", *length_)
                     : chunked_ ? "Transfer-Encoding: chunked\r\n"
                                : "";
      strip_framing(response_.headers);
      head = exchange_.print(response_, framing);
    }
    written_ += bytes.size();
    if (length_ && written_ > static_cast<std::uint64_t>(*length_))
      return fail(Kind::internal, "stream body: more bytes than the {} announced", *length_);
    if (bytes.empty() || !chunked_) return exchange_.put({head, bytes});
    return exchange_.put({head, fmt::format("{:x}\r\n", bytes.size()), bytes, "\r\n"});
  }
  bool started() const { return started_; }
  Result<> end(const Ctx& ctx) {
    if (!started_) TRY_OK(write(ctx, {}));
    if (length_ && written_ != static_cast<std::uint64_t>(*length_))
      return fail(Kind::internal, "stream body: {} bytes instead of the {} announced", written_, *length_);
    return chunked_ ? exchange_.put({"0\r\n\r\n"}) : Result<>{};
  }

 private:
  Exchange& exchange_;
  Response& response_;
  std::optional<std::int64_t> length_;
  std::uint64_t written_ = 0;
  bool chunked_ = false, started_ = false;
};

class UpgradedStream final : public ByteStream {
 public:
  UpgradedStream(Conn& conn) : conn_(conn) {}
  Result<std::size_t> read(const Ctx& ctx, std::span<char> buffer) override {
    if (!conn_.in.empty()) {
      auto take = std::min(buffer.size(), conn_.in.size());
      std::memcpy(buffer.data(), conn_.in.data(), take);
      conn_.in.erase(0, take);
      return take;
    }
    return conn_.transport.read_some(ctx, buffer, forever);
  }
  Result<> write(const Ctx& ctx, std::string_view bytes) override {
    std::lock_guard hold(write_mutex_);
    return conn_.transport.write_all(ctx, bytes, Millis(60000));
  }
  void shutdown() override {
    conn_.transport.close_notify();
    conn_.transport.shutdown(SHUT_RDWR);
  }

 private:
  static constexpr Millis forever{1000LL * 3600 * 24 * 365};
  Conn& conn_;
  std::mutex write_mutex_;
};

After answer_string(Exchange& x, Response& response, const std::string& body) {
  std::string framing;
  if (x.is_head() || response.status == 304) {
    framing = own_length(response);
    if (framing.empty() && response.status != 304) framing = fmt::format("Content-Length: {}\r\n", body.size());
  } else if (!has_no_body(response.status)) {
    framing = fmt::format("Content-Length: {}\r\n", body.size());
  }
  strip_framing(response.headers);
  auto head = x.print(response, framing);
  bool bare = x.is_head() || has_no_body(response.status);
  if (!x.put({head, bare ? std::string_view() : std::string_view(body)})) return After::abort;
  return x.keep ? After::keep : After::close;
}

After answer_file(Exchange& x, Response& response, const FileBody& file) {
  strip_framing(response.headers);
  auto head = x.print(response, fmt::format("Content-Length: {}\r\n", file.length));
  if (!x.put({head})) return After::abort;
  if (!x.is_head()) {
    auto sent = x.conn->transport.send_file(x.ctx, file.fd.get(), file.offset, file.length, x.idle());
    if (!sent) return After::abort;
  }
  return x.keep ? After::keep : After::close;
}

After answer_stream(Exchange& x, Response& response, StreamBody& body) {
  if (x.is_head() || has_no_body(response.status)) return answer_string(x, response, "");
  StreamWriter writer(x, response);
  auto result = body(x.ctx, writer);
  if (!result && !writer.started()) {
    auto instead = Response::error(result.error());
    return answer_string(x, instead, std::get<std::string>(instead.body));
  }
  if (result) result = writer.end(x.ctx);
  if (!result) {
    LOG(debug, "net.stream.broken_off", {"target", x.head.target}, {"why", result.error().what()});
    return After::abort;
  }
  return x.keep ? After::keep : After::close;
}

After answer_upgrade(Exchange& x, Response& response, UpgradeBody& body) {
  response.status = 101;
  for (auto name : {"Content-Length", "Transfer-Encoding"}) response.headers.erase(name);
  if (!x.put({print_head(101, response.headers, "")})) return After::abort;
  // The peer may close its half and still listen: that stops nothing any more.
  x.core.arm(*x.conn, 0);
  UpgradedStream stream(*x.conn);
  body(x.ctx, stream);
  return After::close;
}

// True: the stream has the connection.
bool park(Exchange& x, Response& response, ParkBody& body) {
  bool chunked = x.http11();
  if (!chunked) x.keep = false;
  strip_framing(response.headers);
  if (!x.put({x.print(response, chunked ? "Transfer-Encoding: chunked\r\n" : "")})) return false;
  std::shared_ptr<Parked> parked;
  {
    std::lock_guard hold(x.conn->mutex);
    if (x.conn->state == Conn::State::closed || x.core.stopping()) return false;
    parked = std::make_shared<Parked>(x.core.shared_from_this(), x.conn, chunked, x.keep ? After::keep : After::close);
    x.conn->parked = parked;
    x.conn->state = Conn::State::parked;
    x.core.arm(*x.conn, EPOLLIN | EPOLLRDHUP);
  }
  // When the last holder lets go of the stream, it ends.
  body(std::shared_ptr<PushStream>(parked.get(), [parked](PushStream*) { parked->close(); }));
  return true;
}

Request make_request(const Exchange& x, Target target) {
  Request request;
  request.method = x.head.method;
  request.target = x.head.target;
  request.path = std::move(target.path);
  request.raw_path = std::move(target.raw_path);
  request.query = parse_query(target.query);
  request.headers = x.head.headers;
  request.peer = x.conn->peer;
  request.tls = x.conn->transport.tls();
  if (request.tls) std::tie(request.client_cert_cn, request.client_cert_org) = x.conn->transport.peer_name_and_org();
  request.body = &x.body;
  return request;
}

Response call_handler(Exchange& x) {
  auto target = read_target(x.head);
  if (!target) {
    x.keep = false;  // who sends that gets no second try on this connection
    return Response::text(target.error().status, target.error().what + "\n");
  }
  auto expect = x.head.headers.get("Expect");
  if (expect && !iequals(*expect, "100-continue")) return Response::text(417, "want no Expect but 100-continue\n");
  auto request = make_request(x, std::move(*target));
  try {
    auto response = x.core.handler()(x.ctx, request);
    // read_body() has no status of its own to fail with.
    if (response.status == 400 && x.body.over_limit()) response.status = 413;
    return response;
  } catch (const std::exception& e) {
    LOG(error, "net.handler.threw", {"target", x.head.target}, {"what", e.what()});
    return Response::text(500, "internal error\n");
  }
}

After answer(Exchange& x, Response& response) {
  return std::visit(
      [&](auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, std::string>)
          return answer_string(x, response, body);
        else if constexpr (std::is_same_v<Body, FileBody>)
          return answer_file(x, response, body);
        else if constexpr (std::is_same_v<Body, StreamBody>)
          return answer_stream(x, response, body);
        else if constexpr (std::is_same_v<Body, UpgradeBody>)
          return answer_upgrade(x, response, body);
        else
          return answer_string(x, response, "");  // a parked one comes here for HEAD only
      },
      response.body);
}

std::string_view date_line() {
  // Once a second and thread is enough.
  thread_local std::time_t when = 0;
  thread_local char text[64];
  auto now = std::time(nullptr);
  if (now != when) {
    std::tm tm{};
    ::gmtime_r(&now, &tm);
    std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    when = now;
  }
  return text;
}

void append_clean(std::string& text, std::string_view value) {
  // A line break in a value would be a header of somebody else's making.
  for (char c : value) text += (c == '\r' || c == '\n' || c == '\0') ? ' ' : c;
}

}  // namespace

std::string print_head(int status, const Headers& headers, std::string_view extra) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, status_text(status));
  for (const auto& [name, value] : headers.list()) {
    append_clean(text, name);
    text += ": ";
    append_clean(text, value);
    text += "\r\n";
  }
  text += extra;
  if (status >= 200) text += date_line();
  text += "\r\n";
  return text;
}

void serve(const Ctx& pool_ctx, Core& core, const ConnPtr& conn, RequestHead head) {
  // Stopped by the server's end or the peer's, whichever is first.
  ChildStop stop(pool_ctx.stop);
  std::stop_source request;
  {
    std::lock_guard hold(conn->mutex);
    request = conn->request;
  }
  std::stop_callback forward(request.get_token(), [&] { stop.request_stop(); });
  Ctx ctx = pool_ctx.with_stop(stop.token());

  RequestBody body(core, *conn, head);
  Exchange x{ctx, core, conn, head, body, head.keep_alive};
  auto response = call_handler(x);
  // Small rests are read away so that the connection can go on.
  if (!body.drainable(drain_limit) || core.stopping()) x.keep = false;
  requests.add(1, {{"class", fmt::format("{}xx", response.status / 100)}});
  auto* parks = std::get_if<ParkBody>(&response.body);
  if (parks != nullptr && !x.is_head()) {
    if (x.keep && !body.drain(ctx, drain_limit)) x.keep = false;
    if (!park(x, response, *parks)) core.finish(conn, After::abort);
    return;
  }
  auto after = answer(x, response);
  if (after == After::keep && !body.drain(ctx, drain_limit)) after = After::close;
  core.finish(conn, after);
}

}  // namespace slipway::net
