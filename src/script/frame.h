#pragma once
// What host and runner say to each other: a frame is its length and then fields, each its length and its bytes. Shared
// with the runner, so nothing of the program's own libraries is in here.
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::script {

using Fields = std::vector<std::string_view>;

// A request or an answer may not be longer, nor have more fields.
inline constexpr std::size_t frame_limit = std::size_t{32} << 20;
inline constexpr std::size_t most_fields = 1024;

inline void append_length(std::string& out, std::size_t length) {
  auto n = static_cast<std::uint32_t>(length);
  char bytes[sizeof n];
  std::memcpy(bytes, &n, sizeof n);
  out.append(bytes, sizeof n);
}

// Nothing: the bytes end before.
inline std::optional<std::size_t> take_length(std::string_view& bytes) {
  std::uint32_t n = 0;
  if (bytes.size() < sizeof n) return std::nullopt;
  std::memcpy(&n, bytes.data(), sizeof n);
  bytes.remove_prefix(sizeof n);
  return n;
}

inline std::string frame_of(const Fields& fields) {
  std::size_t total = 0;
  for (auto field : fields) total += sizeof(std::uint32_t) + field.size();
  std::string out;
  out.reserve(sizeof(std::uint32_t) + total);
  append_length(out, total);
  for (auto field : fields) {
    append_length(out, field.size());
    out += field;
  }
  return out;
}

// What follows a frame's length. Nothing: it is no list of fields.
inline std::optional<Fields> fields_of(std::string_view body) {
  Fields fields;
  while (!body.empty()) {
    auto length = take_length(body);
    if (!length || *length > body.size() || fields.size() == most_fields) return std::nullopt;
    fields.push_back(body.substr(0, *length));
    body.remove_prefix(*length);
  }
  return fields;
}

}  // namespace slipway::script
