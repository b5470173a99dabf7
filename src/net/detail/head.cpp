#include "net/detail/head.h"

#include "base/encode.h"
#include "base/text.h"

namespace slipway::net {
namespace {

constexpr std::size_t max_fields = 200;

using Bad = std::unexpected<HeadError>;
Bad bad(std::string what, int status = 400) { return Bad(HeadError{status, std::move(what)}); }

bool is_token_char(unsigned char c) {
  if (c >= 'a' && c <= 'z') return true;
  if (c >= 'A' && c <= 'Z') return true;
  if (c >= '0' && c <= '9') return true;
  return c != 0 && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

bool is_field_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The next line without its CRLF. A bare CR or LF has no meaning that all parsers share.
std::expected<std::string_view, HeadError> take_line(std::string_view& rest) {
  auto end = rest.find('\n');
  if (end == rest.npos) return bad("the head is cut off");
  auto line = rest.substr(0, end);
  if (line.empty() || line.back() != '\r') return bad("a line ends in a bare LF");
  line.remove_suffix(1);
  if (line.find('\r') != line.npos) return bad("a bare CR in a line");
  rest.remove_prefix(end + 1);
  return line;
}

std::expected<Headers, HeadError> take_fields(std::string_view rest) {
  Headers headers;
  for (;;) {
    auto line = take_line(rest);
    if (!line) return Bad(line.error());
    if (line->empty()) break;
    if (line->front() == ' ' || line->front() == '\t') return bad("a folded header line");
    auto colon = line->find(':');
    if (colon == line->npos || !is_token(line->substr(0, colon))) return bad("a header line without a proper name");
    auto value = trim_ows(line->substr(colon + 1));
    if (!is_field_value(value)) return bad("a control character in a header value");
    if (headers.list().size() >= max_fields) return bad("more than 200 header lines", 431);
    headers.add(line->substr(0, colon), value);
  }
  if (!rest.empty()) return bad("bytes after the head");
  return headers;
}

std::expected<Framing, HeadError> framing_of(const Headers& headers, int minor) {
  auto lengths = headers.all("Content-Length");
  auto codings = headers.all("Transfer-Encoding");
  if (!codings.empty()) {
    // RFC 9112 section 6.1 allows both with TE winning; it names the attack in the same breath.
    if (!lengths.empty()) return bad("both Content-Length and Transfer-Encoding");
    if (minor == 0) return bad("Transfer-Encoding in HTTP/1.0");
    if (codings.size() != 1) return bad("more than one Transfer-Encoding");
    if (!iequals(codings[0], "chunked")) return bad("a Transfer-Encoding other than chunked", 501);
    return Framing{Framing::Kind::chunked, 0};
  }
  if (lengths.empty()) return Framing{};
  if (lengths.size() != 1) return bad("more than one Content-Length");
  auto digits = lengths[0];
  if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != digits.npos)
    return bad("a Content-Length that is not a number");
  return Framing{Framing::Kind::length, static_cast<std::uint64_t>(*to_int(digits))};
}

std::optional<int> minor_of(std::string_view version) {
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  return std::nullopt;
}

bool keeps_alive(const Headers& headers, int minor) {
  if (has_word(headers, "Connection", "close")) return false;
  return minor == 1 || has_word(headers, "Connection", "keep-alive");
}

bool is_host_value(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7f && std::strchr("/\\?#@<>\"^`{|},", c) == nullptr;
  });
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool has_word(const Headers& headers, std::string_view name, std::string_view word) {
  for (const auto& [key, value] : headers.list()) {
    if (!iequals(key, name)) continue;
    for (auto part : split(value, ','))
      if (iequals(trim_ows(part), word)) return true;
  }
  return false;
}

std::optional<std::size_t> head_end(std::string_view bytes, std::size_t& scanned) {
  // A bare LF LF also ends the wait: the parser then refuses it at once instead of the peer timing out.
  for (auto at = bytes.find('\n', scanned); at != bytes.npos; at = bytes.find('\n', at + 1)) {
    auto rest = bytes.substr(at + 1);
    if (rest.starts_with("\r\n")) return at + 3;
    if (rest.starts_with('\n')) return at + 2;
  }
  scanned = bytes.size() > 3 ? bytes.size() - 3 : 0;
  return std::nullopt;
}

std::expected<RequestHead, HeadError> parse_request_head(std::string_view head) {
  auto line = take_line(head);
  if (!line) return Bad(line.error());
  auto first = line->find(' '), last = line->rfind(' ');
  if (first == line->npos || first == last) return bad("the request line is not \"METHOD target HTTP/1.1\"");
  auto version = line->substr(last + 1);
  RequestHead result;
  result.method = line->substr(0, first);
  result.target = line->substr(first + 1, last - first - 1);
  auto minor = minor_of(version);
  if (!is_token(result.method)) return bad("the method is no token");
  if (!minor) return bad("the version is not HTTP/1.1 or HTTP/1.0", version.starts_with("HTTP/") ? 505 : 400);
  auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  if (result.target.empty() || !std::all_of(result.target.begin(), result.target.end(), visible))
    return bad("the target holds a byte that must be percent-encoded");
  result.minor = *minor;
  auto headers = take_fields(head);
  if (!headers) return Bad(headers.error());
  result.headers = std::move(*headers);
  auto hosts = result.headers.all("Host");
  if (hosts.size() > 1 || (hosts.empty() && result.minor == 1)) return bad("want exactly one Host header");
  if (!hosts.empty() && !is_host_value(hosts[0])) return bad("the Host header is no host");
  auto framing = framing_of(result.headers, result.minor);
  if (!framing) return Bad(framing.error());
  result.framing = *framing;
  result.keep_alive = keeps_alive(result.headers, result.minor);
  return result;
}

std::expected<ResponseHead, HeadError> parse_response_head(std::string_view head) {
  auto line = take_line(head);
  if (!line) return Bad(line.error());
  auto minor = minor_of(line->substr(0, 8));
  if (!minor || line->size() < 12 || (*line)[8] != ' ') return bad("the status line is not \"HTTP/1.1 200 ...\"");
  auto status = to_int(line->substr(9, 3));
  if (!status || *status < 100 || *status > 599 || (line->size() > 12 && (*line)[12] != ' '))
    return bad("the status is no number of three digits");
  ResponseHead result;
  result.status = static_cast<int>(*status), result.minor = *minor;
  auto headers = take_fields(head);
  if (!headers) return Bad(headers.error());
  result.headers = std::move(*headers);
  auto framing = framing_of(result.headers, result.minor);
  if (!framing) return Bad(framing.error());
  result.framing = *framing;
  result.keep_alive = keeps_alive(result.headers, result.minor);
  if (result.framing.kind == Framing::Kind::none) {
    result.framing.kind = Framing::Kind::until_close;
    result.keep_alive = false;
  }
  return result;
}

std::expected<Target, HeadError> read_target(const RequestHead& head) {
  Target result;
  std::string_view target = head.target;
  if (head.method == "CONNECT") return bad("CONNECT is not served here", 501);
  if (target == "*") {
    if (head.method != "OPTIONS") return bad("the target * is for OPTIONS");
    result.raw_path = result.path = "*";
    return result;
  }
  if (target.front() != '/') {
    // The absolute form, as proxies are asked. Its host is not trusted over the Host header.
    auto parts = cut(target, "://");
    if (!parts || !(iequals(parts->first, "http") || iequals(parts->first, "https")))
      return bad("the target is neither a path nor a URL");
    auto slash = parts->second.find_first_of("/?");
    target = slash == parts->second.npos ? "/" : parts->second.substr(slash);
  }
  auto mark = target.find('?');
  result.raw_path = target.substr(0, mark);
  if (result.raw_path.empty()) result.raw_path = "/";
  if (mark != target.npos) result.query = target.substr(mark + 1);
  auto path = percent_decode(result.raw_path);
  if (!path) return bad("a percent escape in the path is broken");
  result.path = *std::move(path);
  for (unsigned char c : result.path)
    if (c < 0x20 || c == 0x7f) return bad("a control character in the path");
  for (auto segment : split(result.path, '/'))
    if (segment == "." || segment == "..") return bad("a dot segment in the path");
  return result;
}

Result<> ChunkReader::feed(char c) {
  auto broken = [](const char* what) { return fail(Kind::invalid, "chunked body: {}", what); };
  switch (state_) {
    case State::size: {
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      if (digit >= 0 && !extension_ && !carriage_) {
        if (++digits_ > 15) return broken("a chunk size of more than 15 digits");
        left_ = left_ * 16 + digit;
        return {};
      }
      if (digits_ == 0) return broken("want a chunk size");
      if (c == '\r' && !carriage_) return carriage_ = true, Result<>{};
      if (c == '\n' && carriage_) {
        state_ = left_ == 0 ? State::trailer : State::data;
        digits_ = line_ = 0, extension_ = carriage_ = false;
        return {};
      }
      if (carriage_ || c == '\n' || (static_cast<unsigned char>(c) < 0x20 && c != '\t'))
        return broken("want CRLF after the chunk size");
      if (!extension_ && c != ';') return broken("want CRLF or an extension after the chunk size");
      extension_ = true;
      if (++line_ > 4096) return broken("a chunk extension of more than 4096 bytes");
      return {};
    }
    case State::data_cr:
      if (c != '\r') return broken("want CRLF after a chunk");
      state_ = State::data_lf;
      return {};
    case State::data_lf:
      if (c != '\n') return broken("want CRLF after a chunk");
      state_ = State::size;
      return {};
    case State::trailer:
      if (++trailers_ > 16384) return broken("trailers of more than 16384 bytes");
      if (c == '\r' && !carriage_) return carriage_ = true, Result<>{};
      if (c == '\n') {
        if (!carriage_) return broken("a bare LF in the trailers");
        if (line_ == 0) state_ = State::done;
        line_ = 0, carriage_ = false;
        return {};
      }
      if (carriage_) return broken("a bare CR in the trailers");
      ++line_;
      return {};
    default:
      return broken("internal state");
  }
}

Result<ChunkReader::Piece> ChunkReader::next(std::string_view in) {
  Piece piece;
  while (piece.consumed < in.size() && state_ != State::done) {
    if (state_ == State::data) {
      auto take = std::min<std::uint64_t>(left_, in.size() - piece.consumed);
      piece.payload = in.substr(piece.consumed, take);
      piece.consumed += take;
      left_ -= take;
      if (left_ == 0) state_ = State::data_cr;
      return piece;
    }
    TRY_OK(feed(in[piece.consumed++]));
  }
  return piece;
}

}  // namespace slipway::net
