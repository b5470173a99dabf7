#pragma once
// The head of an HTTP/1 message, read strictly: what two parsers could understand differently is refused, so that
// no request can hide inside another one behind a proxy. Rule: RFC 9112.
#include "net/http.h"

namespace slipway::net {

// How the bytes of a body are told apart from what follows.
struct Framing {
  enum class Kind { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
};

struct RequestHead {
  std::string method, target;
  int minor = 1;  // HTTP/1.minor
  Headers headers;
  Framing framing;
  bool keep_alive = true;
};
struct ResponseHead {
  int status = 0, minor = 1;
  Headers headers;
  Framing framing;  // as for a GET: HEAD, 204 and 304 are the caller's matter
  bool keep_alive = true;
};

// Why a head is refused: the status to answer with.
struct HeadError {
  int status = 400;
  std::string what;
};

// The bytes of the head with its empty line, if it is whole; `scanned` remembers where an earlier call stopped.
std::optional<std::size_t> head_end(std::string_view bytes, std::size_t& scanned);

// `head` ends with its empty line. Threads: any.
std::expected<RequestHead, HeadError> parse_request_head(std::string_view head);
std::expected<ResponseHead, HeadError> parse_response_head(std::string_view head);

// The target as a place on this server: origin form and absolute form. Errors: invalid (dot segments, bad escapes).
struct Target {
  std::string raw_path, path, query;
};
std::expected<Target, HeadError> read_target(const RequestHead& head);

bool is_token(std::string_view text);
// Whether a comma-separated header holds the word ("Connection: keep-alive, Upgrade").
bool has_word(const Headers& headers, std::string_view name, std::string_view word);

// Takes the chunked coding off, byte by byte as they come. Threads: one.
class ChunkReader {
 public:
  // Consumes from `in`, appends payload to nothing: gives the span of payload inside `in`. Call until `in` is empty.
  // Errors: invalid.
  struct Piece {
    std::size_t consumed = 0;
    std::string_view payload;
  };
  Result<Piece> next(std::string_view in);
  bool done() const { return state_ == State::done; }

 private:
  enum class State { size, data, data_cr, data_lf, trailer, done };
  Result<> feed(char c);
  State state_ = State::size;
  std::uint64_t left_ = 0;
  std::size_t digits_ = 0, line_ = 0, trailers_ = 0;
  bool extension_ = false, carriage_ = false;
};

}  // namespace slipway::net
