#include "gitops/detail/submodules.h"

namespace slipway::gitops::detail {
namespace {

constexpr Millis patience{60000};

class Fetch {
 public:
  Fetch(const Ctx& ctx, Repositories& repositories, const Renderer::Permit& permit, const Application& app,
        SubmodulesOf from, std::set<std::string>& read)
      : ctx_(ctx), repositories_(repositories), permit_(permit), app_(app), from_(std::move(from)), read_(read) {}

  Result<git::Repository> operator()(const std::string& url, const git::Oid& commit, bool near) const {
    read_.insert(url);
    if (permit_) TRY_OK(permit_(url));
    TRY_OK(repositories_.permit(ctx_, url, app_.project));
    auto bounded = ctx_.within(patience);
    if (!from_.secrets) {
      git::Access access;
      if (near && from_.sign_in) {
        TRY(access, from_.sign_in(bounded));
      }
      return bring(bounded, url_apart(url, access), commit, &access);
    }
    if (!near) return bring(bounded, url, commit, nullptr);
    TRY(auto own, repositories_.access(bounded, url));
    if (own.signs_in()) return bring(bounded, url, commit, nullptr);
    TRY(auto above, repositories_.access(bounded, from_.url));
    if (!above.signs_in()) return bring(bounded, url, commit, nullptr);
    return bring(bounded, url_below(url, from_.url), commit, &above);
  }

 private:
  // A commit that is here is not asked for again: nothing else is ever wanted of a submodule.
  Result<git::Repository> bring(const Ctx& ctx, const std::string& url, const git::Oid& commit,
                                const git::Access* access) const {
    auto known = repositories_.at(ctx, url, commit);
    if (known && known->commit(commit)) return known;
    if (!known && access == nullptr) return known;  // it has just been asked
    TRY_OK(repositories_.fetch(ctx, url, commit, access));
    TRY(auto fresh, repositories_.open(ctx, url));
    if (fresh.commit(commit)) return fresh;
    return Fail(Error(Kind::not_found, fmt::format("{}: has no commit {}", shown(url), commit))
                    .with_hint("no branch or tag of it holds that commit: was it pushed?"));
  }

  const Ctx& ctx_;
  Repositories& repositories_;
  const Renderer::Permit& permit_;
  const Application& app_;
  SubmodulesOf from_;
  std::set<std::string>& read_;
};

}  // namespace

std::unique_ptr<manifest::Submodules> submodules_of(const Ctx& ctx, Repositories& repositories,
                                                    const Renderer::Permit& permit, const Application& app,
                                                    SubmodulesOf repository, std::set<std::string>& read) {
  std::string url(url_of_apart(repository.url));
  return manifest::submodules_by_address(std::move(url),
                                         Fetch(ctx, repositories, permit, app, std::move(repository), read));
}

}  // namespace slipway::gitops::detail
