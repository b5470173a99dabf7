#pragma once
// What HTTP clients and servers exchange.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::net {

// Names compare without case; order and repeats are kept.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> list) : list_(list) {}
  std::optional<std::string_view> get(std::string_view name) const;  // the first
  std::string_view get_or(std::string_view name, std::string_view fallback) const;
  std::vector<std::string_view> all(std::string_view name) const;
  void set(std::string_view name, std::string_view value);  // replaces all
  void add(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

struct Url {
  std::string scheme, user, password, host, path, query, fragment;  // path and query as written (encoded)
  int port = 0;                                                     // 0: the scheme's default
  std::string authority() const;                                    // host[:port]
  std::string print() const;                                        // without credentials
};
Result<Url> parse_url(std::string_view text);

using Query = std::vector<std::pair<std::string, std::string>>;  // decoded, in order
Query parse_query(std::string_view query);
std::string query_value(const Query& query, std::string_view name);  // "" when absent

std::string_view status_text(int status);

}  // namespace slipway::net
