// A gRPC health check (grpc.health.v1.Health/Check) with as much of HTTP/2 (RFC 9113) as one request needs: our
// settings and headers out, the message back. Header blocks are skipped, not decoded: the answer is in the data.
#include "cluster/node/probe.h"
#include "cluster/node/socket.h"

namespace slipway::cluster {
namespace {

enum Type : unsigned char {
  data_frame = 0,
  headers_frame = 1,
  reset_frame = 3,
  settings_frame = 4,
  ping_frame = 6,
  goaway_frame = 7
};
constexpr unsigned char kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8;
constexpr std::size_t kLimit = 1 << 20;

std::string frame(Type type, unsigned char flags, std::uint32_t stream, std::string_view payload) {
  std::string out;
  auto size = static_cast<std::uint32_t>(payload.size());
  for (int shift : {16, 8, 0}) out += static_cast<char>(size >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift);
  out += payload;
  return out;
}

// A literal header field never indexed, without Huffman coding (RFC 7541 section 6.2.3).
void literal(std::string& out, std::string_view name, std::string_view value) {
  out += '\x10';
  for (auto text : {name, value}) {
    if (text.size() < 127) {
      out += static_cast<char>(text.size());
    } else {
      out += '\x7f';
      std::size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
      out += static_cast<char>(rest);
    }
    out += text;
  }
}

std::string request(const std::string& authority, std::string_view service) {
  std::string headers;
  literal(headers, ":method", "POST");
  literal(headers, ":scheme", "http");
  literal(headers, ":path", "/grpc.health.v1.Health/Check");
  literal(headers, ":authority", authority);
  literal(headers, "content-type", "application/grpc");
  literal(headers, "te", "trailers");
  literal(headers, "user-agent", "kube-probe/1.32");
  std::string message;
  if (!service.empty() && service.size() < 128) ((message += '\x0a') += static_cast<char>(service.size())) += service;
  std::string body("\0\0\0\0", 4);
  (body += static_cast<char>(message.size())) += message;
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings_frame, 0, 0, "") +
         frame(headers_frame, kEndHeaders, 1, headers) + frame(data_frame, kEndStream, 1, body);
}

// HealthCheckResponse.status: 1 is SERVING. Nothing while the message is not whole.
std::optional<int> status_of(std::string_view body) {
  if (body.size() < 5) return std::nullopt;
  std::size_t size = 0;
  for (int i = 1; i < 5; ++i) size = size * 256 + static_cast<unsigned char>(body[static_cast<std::size_t>(i)]);
  if (body.size() < 5 + size) return std::nullopt;
  if (body[0] != 0) return -1;  // compressed, which we did not ask for
  auto message = body.substr(5, size);
  if (message.size() >= 2 && message[0] == '\x08') return static_cast<unsigned char>(message[1]);
  return 0;
}

struct Frame {
  unsigned char type, flags;
  std::uint32_t stream;
  std::string payload;
};

class Conversation {
 public:
  Conversation(const Ctx& ctx, int fd) : ctx_(ctx), fd_(fd) {}
  Result<Frame> next() {
    TRY_OK(fill(9));
    auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(buffer_[i])); };
    std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (size > kLimit) return fail(Kind::unavailable, "not a gRPC server");
    Frame f{static_cast<unsigned char>(byte(3)),
            static_cast<unsigned char>(byte(4)),
            (byte(5) & 0x7f) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8),
            {}};
    TRY_OK(fill(9 + size));
    f.payload = buffer_.substr(9, size);
    buffer_.erase(0, 9 + size);
    return f;
  }

 private:
  Result<> fill(std::size_t size) {
    while (buffer_.size() < size) {
      TRY(auto piece, receive_some(ctx_, fd_, 16384));
      if (piece.empty()) return fail(Kind::unavailable, "the server closed the connection");
      buffer_ += piece;
    }
    return {};
  }
  const Ctx& ctx_;
  int fd_;
  std::string buffer_;
};

}  // namespace

Result<> check_grpc_health(const Ctx& ctx, const std::string& ip, int port, std::string_view service) {
  TRY(auto fd, connect_tcp(ctx, ip, port));
  TRY_OK(send_all(ctx, fd.get(), request(fmt::format("{}:{}", ip, port), service)));
  Conversation conversation(ctx, fd.get());
  std::string body;
  for (int frames = 0; frames < 100; ++frames) {
    TRY(auto f, conversation.next());
    if (f.type == settings_frame && (f.flags & kAck) == 0) {
      TRY_OK(send_all(ctx, fd.get(), frame(settings_frame, kAck, 0, "")));
    }
    if (f.type == ping_frame && (f.flags & kAck) == 0) {
      TRY_OK(send_all(ctx, fd.get(), frame(ping_frame, kAck, 0, f.payload)));
    }
    if (f.type == reset_frame || f.type == goaway_frame) break;
    if (f.stream != 1) continue;
    if (f.type == data_frame) {
      if ((f.flags & kPadded) != 0 && !f.payload.empty()) {
        auto pad = static_cast<unsigned char>(f.payload[0]);
        f.payload = f.payload.substr(1, f.payload.size() > pad + 1U ? f.payload.size() - pad - 1 : 0);
      }
      body += f.payload;
      if (auto status = status_of(body)) {
        if (*status == 1) return {};
        return fail(Kind::unavailable, "service unhealthy (responded with \"{}\")",
                    *status == 2 ? "NOT_SERVING" : "UNKNOWN");
      }
    }
    if ((f.flags & kEndStream) != 0) break;
  }
  return fail(Kind::unavailable, "grpc health check: no answer from the health service");
}

}  // namespace slipway::cluster
