#include "ci/service/entries.h"

#include "base/hash.h"
#include "base/text.h"

namespace slipway::ci {

std::vector<std::string> cache_scopes(const Event& event) {
  std::vector<std::string> out = {event.ref};
  for (auto& branch : {event.base_ref, event.default_branch}) {
    auto scope = branch.starts_with("refs/") ? branch : "refs/heads/" + branch;
    if (!branch.empty() && std::find(out.begin(), out.end(), scope) == out.end()) out.push_back(std::move(scope));
  }
  return out;
}

std::string cache_version(const std::vector<std::string>& paths, CachePacking packing) {
  auto parts = paths;
  parts.emplace_back(packing == CachePacking::zstd ? "zstd-without-long" : "gzip");
  parts.emplace_back("1.0");
  return sha256_hex(join(std::span<const std::string>(parts), "|"));
}

}  // namespace slipway::ci
