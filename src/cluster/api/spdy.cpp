#include "cluster/api/spdy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>

#include "base/guarded.h"
#include "base/text.h"

namespace slipway::cluster {
namespace {

constexpr std::size_t max_header_block = 64 << 10, max_queued = 16 << 20, max_streams = 512;
enum FrameType : std::uint16_t { syn_stream = 1, syn_reply = 2, rst_stream = 3, ping = 6, goaway = 7 };
constexpr std::uint8_t fin = 1;

std::string be(std::uint64_t n, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(n >> (8 * i) & 0xff);
  return out;
}
std::uint32_t be32(std::string_view bytes) {
  std::uint32_t n = 0;
  for (std::size_t i = 0; i < 4; ++i) n = n << 8 | static_cast<unsigned char>(bytes[i]);
  return n;
}

// The words that SPDY/3 headers are compressed against, section 2.6.10.1: 1,423 bytes, Adler-32 e3c6a7c2.
std::string dictionary() {
  std::string out;
  for (std::string_view word : {"options",
                                "head",
                                "post",
                                "put",
                                "delete",
                                "trace",
                                "accept",
                                "accept-charset",
                                "accept-encoding",
                                "accept-language",
                                "accept-ranges",
                                "age",
                                "allow",
                                "authorization",
                                "cache-control",
                                "connection",
                                "content-base",
                                "content-encoding",
                                "content-language",
                                "content-length",
                                "content-location",
                                "content-md5",
                                "content-range",
                                "content-type",
                                "date",
                                "etag",
                                "expect",
                                "expires",
                                "from",
                                "host",
                                "if-match",
                                "if-modified-since",
                                "if-none-match",
                                "if-range",
                                "if-unmodified-since",
                                "last-modified",
                                "location",
                                "max-forwards",
                                "pragma",
                                "proxy-authenticate",
                                "proxy-authorization",
                                "range",
                                "referer",
                                "retry-after",
                                "server",
                                "te",
                                "trailer",
                                "transfer-encoding",
                                "upgrade",
                                "user-agent",
                                "vary",
                                "via",
                                "warning",
                                "www-authenticate",
                                "method",
                                "get",
                                "status",
                                "200 OK",
                                "version",
                                "HTTP/1.1",
                                "url",
                                "public",
                                "set-cookie",
                                "keep-alive",
                                "origin"})
    out += be(word.size(), 4) + std::string(word);
  out +=
      "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
      "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
      "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr "
      "May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
      "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/"
      "javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
  return out;
}

// One compression context a direction, for all header blocks. Threads: one.
class HeaderCodec {
 public:
  HeaderCodec() : words_(dictionary()) {
    inflateInit(&in_);
    deflateInit(&out_, Z_BEST_COMPRESSION);
    deflateSetDictionary(&out_, reinterpret_cast<const Bytef*>(words_.data()), static_cast<uInt>(words_.size()));
  }
  ~HeaderCodec() {
    inflateEnd(&in_);
    deflateEnd(&out_);
  }
  HeaderCodec(const HeaderCodec&) = delete;
  HeaderCodec& operator=(const HeaderCodec&) = delete;

  Result<std::map<std::string, std::string>> decode(std::string_view block) {
    std::string text;
    in_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
    in_.avail_in = static_cast<uInt>(block.size());
    std::array<char, 4096> buffer;
    while (in_.avail_in > 0) {
      in_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      in_.avail_out = buffer.size();
      int code = inflate(&in_, Z_SYNC_FLUSH);
      if (code == Z_NEED_DICT)
        code =
            inflateSetDictionary(&in_, reinterpret_cast<const Bytef*>(words_.data()), static_cast<uInt>(words_.size()));
      if (code != Z_OK && code != Z_BUF_ERROR) return fail(Kind::invalid, "spdy: broken header block");
      auto got = buffer.size() - in_.avail_out;
      text.append(buffer.data(), got);
      if (text.size() > max_header_block)
        return fail(Kind::invalid, "spdy: header block over {} bytes", max_header_block);
      if (code == Z_BUF_ERROR && got == 0) break;
    }
    return pairs(text);
  }
  std::string encode_empty() {
    auto text = be(0, 4);
    std::string out(64, '\0');
    out_.next_in = reinterpret_cast<Bytef*>(text.data());
    out_.avail_in = static_cast<uInt>(text.size());
    out_.next_out = reinterpret_cast<Bytef*>(out.data());
    out_.avail_out = static_cast<uInt>(out.size());
    deflate(&out_, Z_SYNC_FLUSH);
    return out.substr(0, out.size() - out_.avail_out);
  }

 private:
  static Result<std::map<std::string, std::string>> pairs(std::string_view text) {
    std::map<std::string, std::string> out;
    auto word = [&]() -> std::optional<std::string> {
      if (text.size() < 4) return std::nullopt;
      auto size = be32(text);
      if (text.size() - 4 < size) return std::nullopt;
      auto value = std::string(text.substr(4, size));
      text.remove_prefix(4 + size);
      return value;
    };
    if (text.size() < 4) return fail(Kind::invalid, "spdy: header block of {} bytes", text.size());
    auto count = be32(text);
    text.remove_prefix(4);
    for (std::uint32_t i = 0; i < count; ++i) {
      auto name = word(), value = word();
      if (!name || !value) return fail(Kind::invalid, "spdy: header block cut short");
      out[lower(*name)] = *std::move(value);
    }
    return out;
  }
  std::string words_;
  z_stream in_{}, out_{};
};

struct Stream {
  std::string type, request;
  int port = 0;
  Fd fd;
  Queue<std::string> outgoing;  // to the pod; closed at the client's FIN
  std::atomic<std::size_t> queued{0};
  std::atomic<bool> done{false};
  std::jthread to_pod, from_pod;
};

class Session {
 public:
  using Connect = std::function<Result<Fd>(const Ctx&, int)>;
  Session(const Ctx& ctx, net::WebSocket& socket, const Connect& connect)
      : stop_(ctx.stop), ctx_(ctx.with_stop(stop_.token())), socket_(socket), connect_(connect) {}
  ~Session() {
    stop_.request_stop();
    for (auto& [id, stream] : streams_) {
      stream->outgoing.close();
      if (stream->fd) ::shutdown(stream->fd.get(), SHUT_RDWR);
    }
  }

  Result<> run() {
    std::string in;
    for (;;) {
      TRY(auto message, socket_.receive(ctx_));
      if (!message) return {};
      in += message->data;  // frames are split over messages as it happens
      std::size_t at = 0;
      while (in.size() - at >= 8) {
        auto size = be32(std::string_view(in).substr(at + 4)) & 0xffffff;
        if (in.size() - at - 8 < size) break;
        TRY_OK(frame(std::string_view(in).substr(at, 8 + size)));
        at += 8 + size;
      }
      in.erase(0, at);
    }
  }

 private:
  Result<> put(std::string bytes) { return socket_.send(ctx_, bytes, true); }
  Result<> data(std::uint32_t id, std::string_view bytes, std::uint8_t flags) {
    std::string out = be(id & 0x7fffffff, 4) + static_cast<char>(flags) + be(bytes.size(), 3);
    out += bytes;
    return put(std::move(out));
  }
  Result<> control(FrameType type, std::string_view body) {
    std::string out = be(0x8003, 2) + be(type, 2) + be(body.size(), 4);
    out += body;
    return put(std::move(out));
  }

  Result<> frame(std::string_view f) {
    auto flags = static_cast<std::uint8_t>(f[4]);
    auto body = f.substr(8);
    if ((f[0] & 0x80) == 0) return incoming(be32(f), body, flags);
    auto type = static_cast<std::uint16_t>(be32(f) & 0xffff);
    if (type == syn_stream) return open(body, flags);
    if (type == ping) return put(std::string(f));
    if (type == goaway) return fail(Kind::cancelled, "spdy: the client goes away");
    if (type == rst_stream && body.size() >= 4) drop(be32(body) & 0x7fffffff);
    return {};
  }

  void drop(std::uint32_t id) {
    auto it = streams_.find(id);
    if (it == streams_.end()) return;
    it->second->outgoing.close();
    if (it->second->fd) ::shutdown(it->second->fd.get(), SHUT_RDWR);
  }

  void reap() {
    std::erase_if(streams_, [](const auto& s) { return s.second->done.load(); });
  }

  Result<> open(std::string_view body, std::uint8_t) {
    if (body.size() < 10) return fail(Kind::invalid, "spdy: SYN_STREAM of {} bytes", body.size());
    auto id = be32(body) & 0x7fffffff;
    TRY(auto headers, codec_.decode(body.substr(10)));
    reap();
    if (streams_.size() >= max_streams) return control(rst_stream, be(id, 4) + be(3, 4));
    auto stream = std::make_shared<Stream>();
    stream->type = headers["streamtype"], stream->request = headers["requestid"];
    stream->port = static_cast<int>(to_int(headers["port"]).value_or(0));
    streams_[id] = stream;
    TRY_OK(control(syn_reply, be(id, 4) + codec_.encode_empty()));
    if (stream->type == "error") return {};
    return start(id, stream);
  }

  std::uint32_t error_stream_of(const Stream& stream) const {
    for (const auto& [id, other] : streams_)
      if (other->type == "error" && other->request == stream.request) return id;
    return 0;
  }

  Result<> start(std::uint32_t id, const std::shared_ptr<Stream>& stream) {
    auto error_id = error_stream_of(*stream);
    auto error_stream = error_id != 0 ? streams_[error_id] : nullptr;
    auto fd = connect_(ctx_.within(Millis(10000)), stream->port);
    if (!fd) {
      stream->done = true;
      if (error_id != 0)
        TRY_OK(
            data(error_id, fmt::format("an error occurred forwarding {}: {}", stream->port, fd.error().what()), fin));
      if (error_stream) error_stream->done = true;
      return data(id, {}, fin);
    }
    stream->fd = *std::move(fd);
    auto* s = stream.get();
    stream->to_pod = std::jthread([this, s] { feed(*s); });
    stream->from_pod = std::jthread([this, s, id, error_id, error_stream] {
      drain(*s, id);
      if (error_id != 0) (void)data(error_id, {}, fin);
      if (error_stream) error_stream->done = true;
      s->outgoing.close();
      s->done = true;
    });
    return {};
  }

  void feed(Stream& s) {
    for (;;) {
      auto piece = s.outgoing.pop(ctx_);
      if (!piece) return;
      if (!*piece) break;
      std::string_view rest = **piece;
      while (!rest.empty()) {
        auto n = ::send(s.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
          rest.remove_prefix(static_cast<std::size_t>(n));
        else if (errno == EAGAIN) {
          if (!wait(ctx_, s.fd.get(), POLLOUT)) return;
        } else if (errno != EINTR)
          return;
      }
      s.queued -= (*piece)->size();
    }
    ::shutdown(s.fd.get(), SHUT_WR);
  }

  void drain(Stream& s, std::uint32_t id) {
    std::array<char, 32768> buffer;
    for (;;) {
      auto n = ::recv(s.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n > 0) {
        if (!data(id, {buffer.data(), static_cast<std::size_t>(n)}, 0)) return;
        continue;
      }
      if (n == 0) break;
      if (errno == EINTR) continue;
      if (errno != EAGAIN || !wait(ctx_, s.fd.get(), POLLIN)) break;
    }
    (void)data(id, {}, fin);
  }

  Result<> incoming(std::uint32_t id, std::string_view bytes, std::uint8_t flags) {
    auto it = streams_.find(id);
    if (it == streams_.end() || !it->second->fd) return {};
    auto& s = *it->second;
    if (!bytes.empty()) {
      if ((s.queued += bytes.size()) > max_queued) {
        drop(id);  // the pod takes nothing: the one connection is given up, not the whole session
        return control(rst_stream, be(id, 4) + be(7, 4));
      }
      s.outgoing.push(std::string(bytes));
    }
    if ((flags & fin) != 0) s.outgoing.close();
    return {};
  }

  ChildStop stop_;
  Ctx ctx_;
  net::WebSocket& socket_;
  const Connect& connect_;
  HeaderCodec codec_;
  std::map<std::uint32_t, std::shared_ptr<Stream>> streams_;
};

}  // namespace

void forward_ports(const Ctx& ctx, net::WebSocket& socket,
                   const std::function<Result<Fd>(const Ctx&, int port)>& connect) {
  (void)Session(ctx, socket, connect).run();
  (void)socket.close(ctx.within(Millis(2000)));
}

}  // namespace slipway::cluster
