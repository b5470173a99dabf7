#pragma once
// Writes JSON text front to back; all the OCI runtime needs of it.
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace slipway::box {

// Threads: one.
class JsonWriter {
 public:
  JsonWriter& object() { return open('{'); }
  JsonWriter& array() { return open('['); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    comma();
    quote(name);
    text_ += ':';
    fresh_ = true;
    return *this;
  }
  JsonWriter& value(std::string_view s) {
    comma();
    quote(s);
    return *this;
  }
  JsonWriter& value(const char* s) { return value(std::string_view(s)); }
  template <class T>
    requires std::is_arithmetic_v<T>
  JsonWriter& value(T n) {
    comma();
    if constexpr (std::is_same_v<T, bool>)
      text_ += n ? "true" : "false";
    else
      text_ += std::to_string(n);
    return *this;
  }
  JsonWriter& strings(const std::vector<std::string>& list) {
    array();
    for (const auto& s : list) value(s);
    return end_array();
  }
  template <class T>
  JsonWriter& field(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  std::string take() { return std::move(text_); }

 private:
  JsonWriter& open(char c) {
    comma();
    text_ += c;
    fresh_ = true;
    return *this;
  }
  JsonWriter& close(char c) {
    text_ += c;
    fresh_ = false;
    return *this;
  }
  void comma() {
    if (!fresh_) text_ += ',';
    fresh_ = false;
  }
  void quote(std::string_view s) {
    static constexpr char kHex[] = "0123456789abcdef";
    text_ += '"';
    for (char c : s) {
      auto u = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\')
        (text_ += '\\') += c;
      else if (u < 0x20)
        ((text_ += "\\u00") += kHex[u >> 4]) += kHex[u & 15];
      else
        text_ += c;
    }
    text_ += '"';
  }
  std::string text_;
  bool fresh_ = true;
};

}  // namespace slipway::box
