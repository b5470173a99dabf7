#include "manifest/submodules.h"

#include "base/text.h"

namespace slipway::manifest {
namespace {

// "https://example.org:8443" of https://ada@example.org:8443/x, "ssh://example.org" of git@example.org:x.
std::string origin_of(std::string_view url) {
  auto scheme = url.find("://");
  auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  auto authority = url.substr(begin, url.find_first_of(scheme == std::string_view::npos ? ":" : "/", begin) - begin);
  if (auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  return lower(fmt::format("{}{}", begin == 0 ? "ssh://" : url.substr(0, begin), authority));
}

class ByAddress final : public Submodules {
 public:
  ByAddress(std::string url, bool near, std::shared_ptr<const FetchSubmodule> fetch)
      : url_(std::move(url)), near_(near), fetch_(std::move(fetch)) {}
  Result<Found> open(const git::Submodule& module, const git::Oid& commit) override {
    TRY(auto url, git::submodule_url(url_, module.url));
    bool near = near_ && origin_of(url) == origin_of(url_);
    TRY(auto repository, (*fetch_)(url, commit, near));
    return Found{std::move(repository), std::make_unique<ByAddress>(std::move(url), near, fetch_)};
  }

 private:
  std::string url_;
  bool near_;
  std::shared_ptr<const FetchSubmodule> fetch_;
};

}  // namespace

std::unique_ptr<Submodules> submodules_by_address(std::string repository_url, FetchSubmodule fetch) {
  return std::make_unique<ByAddress>(std::move(repository_url), true,
                                     std::make_shared<const FetchSubmodule>(std::move(fetch)));
}

}  // namespace slipway::manifest
