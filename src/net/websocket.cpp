#include "net/websocket.h"

#include "base/encode.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/text.h"
#include "net/detail/frames.h"
#include "net/detail/head.h"

namespace slipway::net {

Result<std::optional<FrameHead>> parse_frame_head(std::string_view bytes) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return std::optional<FrameHead>();
  FrameHead head;
  head.final = (byte(0) & 0x80) != 0;
  head.opcode = static_cast<Opcode>(byte(0) & 0x0f);
  head.masked = (byte(1) & 0x80) != 0;
  if ((byte(0) & 0x70) != 0) return fail(Kind::invalid, "websocket: reserved bits are set, no extension was agreed");
  int code = byte(0) & 0x0f;
  if ((code > 2 && code < 8) || code > 10) return fail(Kind::invalid, "websocket: unknown opcode {}", code);
  int small = byte(1) & 0x7f;
  if (is_control(head.opcode) && (small > 125 || !head.final))
    return fail(Kind::invalid, "websocket: a control frame is split or longer than 125 bytes");
  std::size_t extra = small == 126 ? 2 : small == 127 ? 8 : 0;
  head.size = 2 + extra + (head.masked ? 4 : 0);
  if (bytes.size() < head.size) return std::optional<FrameHead>();
  head.length = extra == 0 ? small : 0;
  for (std::size_t i = 0; i < extra; ++i) head.length = head.length << 8 | byte(2 + i);
  if ((head.length >> 63) != 0) return fail(Kind::invalid, "websocket: a frame length with the top bit set");
  if (head.masked) std::memcpy(head.mask, bytes.data() + 2 + extra, 4);
  return std::optional(head);
}

std::string frame_head(Opcode opcode, std::uint64_t length) {
  std::string head(1, static_cast<char>(0x80 | static_cast<int>(opcode)));
  int bytes = length < 126 ? 0 : length <= 0xffff ? 2 : 8;
  head += static_cast<char>(bytes == 0 ? length : bytes == 2 ? 126 : 127);
  for (int i = bytes - 1; i >= 0; --i) head += static_cast<char>(length >> (8 * i) & 0xff);
  return head;
}

void unmask(const char (&mask)[4], std::uint64_t offset, char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(bytes[i] ^ mask[(offset + i) & 3]);
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    unsigned char c = text[i];
    int more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;
    if (more < 0 || text.size() - i <= static_cast<std::size_t>(more)) return false;
    std::uint32_t point = more == 0 ? c : c & (0x3f >> more);
    for (int k = 1; k <= more; ++k) {
      unsigned char next = text[i + k];
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3f);
    }
    if ((more == 2 && (point < 0x800 || (point >= 0xd800 && point < 0xe000))) ||
        (more == 3 && (point < 0x10000 || point > 0x10ffff)))
      return false;
    i += more + 1;
  }
  return true;
}

struct WebSocket::Rep {
  ByteStream& stream;
  std::size_t limit;
  std::string in;  // read, not yet used
  std::size_t at = 0;
  std::string message;         // fragments so far
  std::optional<Opcode> kind;  // of the message in progress
  std::mutex write_mutex;
  bool close_sent = false;  // under write_mutex

  Result<> fill(const Ctx& ctx, std::size_t want) {
    if (at > 0 && (at == in.size() || at > 65536)) in.erase(0, std::exchange(at, 0));
    std::array<char, 16384> buffer;
    while (in.size() - at < want) {
      TRY(auto got, stream.read(ctx, buffer));
      if (got == 0) return fail(Kind::unavailable, "websocket: the connection ended without a close frame");
      in.append(buffer.data(), got);
    }
    return {};
  }
  Result<> write(const Ctx& ctx, Opcode opcode, std::string_view data) {
    std::lock_guard hold(write_mutex);
    if (close_sent) return fail(Kind::unavailable, "websocket: closed");
    if (opcode == Opcode::close) close_sent = true;
    auto frame = frame_head(opcode, data.size());
    if (data.size() > 65536) {
      TRY_OK(stream.write(ctx, frame));
      return stream.write(ctx, data);
    }
    frame += data;
    return stream.write(ctx, frame);
  }
  Result<> close(const Ctx& ctx, int code, std::string_view reason) {
    std::string body{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    body += reason.substr(0, 123);
    auto r = write(ctx, Opcode::close, body);
    return r || r.error().is(Kind::unavailable) ? Result<>{} : std::move(r);
  }
  // A protocol error is told to the peer, then to the caller.
  Fail broken(const Ctx& ctx, int code, Error error) {
    (void)close(ctx, code, "");
    return Fail(std::move(error));
  }
  Result<FrameHead> next_head(const Ctx& ctx);
  Result<std::string> payload(const Ctx& ctx, const FrameHead& head);
  // True: the message is whole.
  Result<bool> take_data(const Ctx& ctx, const FrameHead& head, std::string data);
};

Result<FrameHead> WebSocket::Rep::next_head(const Ctx& ctx) {
  for (std::size_t want = 2;; ++want) {
    TRY_OK(fill(ctx, want));
    auto head = parse_frame_head(std::string_view(in).substr(at));
    if (!head) return broken(ctx, 1002, std::move(head).error());
    if (!*head) {
      want = std::max(want, in.size() - at);
      continue;
    }
    if (!(*head)->masked)
      return broken(ctx, 1002, Error(Kind::invalid, "websocket: a frame from a client is not masked"));
    at += (*head)->size;
    return **head;
  }
}

Result<std::string> WebSocket::Rep::payload(const Ctx& ctx, const FrameHead& head) {
  if (!is_control(head.opcode) && (head.length > limit || message.size() + head.length > limit))
    return broken(ctx, 1009, Error(Kind::invalid, fmt::format("websocket: a message of more than {} bytes", limit)));
  TRY_OK(fill(ctx, head.length));
  auto data = in.substr(at, head.length);
  at += head.length;
  unmask(head.mask, 0, data.data(), data.size());
  return data;
}

Result<bool> WebSocket::Rep::take_data(const Ctx& ctx, const FrameHead& head, std::string data) {
  bool continues = head.opcode == Opcode::continuation;
  if (continues != kind.has_value())
    return broken(ctx, 1002,
                  Error(Kind::invalid, continues ? "websocket: a continuation of nothing"
                                                 : "websocket: a new message inside another"));
  if (!continues) kind = head.opcode;
  if (message.empty())
    message = std::move(data);
  else
    message += data;
  if (head.final && *kind == Opcode::text && !is_utf8(message))
    return broken(ctx, 1007, Error(Kind::invalid, "websocket: a text message that is not UTF-8"));
  return head.final;
}

WebSocket::WebSocket(ByteStream& stream, std::size_t limit) : rep_(new Rep{stream, limit, {}, 0, {}, {}, {}, false}) {}
WebSocket::~WebSocket() = default;

Result<std::optional<Message>> WebSocket::receive(const Ctx& ctx) {
  for (;;) {
    TRY(auto head, rep_->next_head(ctx));
    TRY(auto data, rep_->payload(ctx, head));
    switch (head.opcode) {
      case Opcode::ping:
        (void)rep_->write(ctx, Opcode::pong, data);
        break;
      case Opcode::pong:
        break;
      case Opcode::close: {
        (void)rep_->close(ctx, 1000, "");
        return std::optional<Message>();
      }
      default: {
        TRY(bool whole, rep_->take_data(ctx, head, std::move(data)));
        if (!whole) break;
        Message message{*rep_->kind == Opcode::binary, std::move(rep_->message)};
        rep_->message.clear();
        rep_->kind.reset();
        return std::optional(std::move(message));
      }
    }
  }
}

Result<> WebSocket::send(const Ctx& ctx, std::string_view data, bool binary) {
  return rep_->write(ctx, binary ? Opcode::binary : Opcode::text, data);
}

Result<> WebSocket::close(const Ctx& ctx, int code, std::string_view reason) { return rep_->close(ctx, code, reason); }

namespace {

Result<std::string> choose_protocol(const Request& request, const std::vector<std::string>& protocols) {
  if (protocols.empty()) return std::string();
  for (const auto& ours : protocols)
    if (has_word(request.headers, "Sec-WebSocket-Protocol", ours)) return ours;
  return fail(Kind::invalid, "websocket: no common protocol, want one of {}", join(protocols, ", "));
}

}  // namespace

Result<Response> accept_websocket(
    const Request& request, const std::vector<std::string>& protocols,
    std::move_only_function<void(const Ctx&, WebSocket&, const std::string& protocol)> session) {
  if (request.method != "GET" || !has_word(request.headers, "Upgrade", "websocket") ||
      !has_word(request.headers, "Connection", "Upgrade"))
    return fail(Kind::invalid, "websocket: want GET with Connection: Upgrade and Upgrade: websocket");
  if (request.headers.get_or("Sec-WebSocket-Version", "") != "13")
    return fail(Kind::invalid, "websocket: want Sec-WebSocket-Version: 13");
  auto key = request.headers.get_or("Sec-WebSocket-Key", "");
  auto raw = from_base64(key);
  if (!raw || raw->size() != 16) return fail(Kind::invalid, "websocket: want a Sec-WebSocket-Key of 16 bytes");
  TRY(auto protocol, choose_protocol(request, protocols));
  Hasher hasher(Hasher::Algorithm::sha1);
  hasher.update(key).update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");  // RFC 6455 section 1.3
  Response response;
  response.status = 101;
  response.headers = {
      {"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", to_base64(hasher.finish_raw())}};
  if (!protocol.empty()) response.headers.add("Sec-WebSocket-Protocol", protocol);
  response.body = UpgradeBody([session = std::move(session), protocol](const Ctx& ctx, ByteStream& stream) mutable {
    WebSocket socket(stream);
    session(ctx, socket, protocol);
    (void)socket.close(ctx.within(Millis(1000)));
  });
  return response;
}

}  // namespace slipway::net
