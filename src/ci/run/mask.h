#pragma once
// Keeps secrets out of everything a run says.
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::ci {

// Replaces every added value, each of its lines, and the forms it is printed in (base64 at all three alignments,
// JSON, percent and shell quoting) by ***. Values shorter than three characters would hide nothing but sense: they
// are not masked. Threads: any.
class Masker {
 public:
  void add(std::string_view value);
  std::string mask(std::string_view text) const;
  bool hides(std::string_view text) const;  // whether mask() would change it

 private:
  void insert(std::string form);
  mutable std::mutex mutex_;
  std::set<std::string> known_;
  std::vector<std::string> forms_;  // longest first
};

}  // namespace slipway::ci
