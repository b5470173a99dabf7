#include "cli/app_objects.h"

#include "base/hash.h"
#include "base/text.h"

namespace slipway::cli {
namespace {

class Repositories final : public gitops::Repositories {
 public:
  Repositories(fs::path data, fs::path mirrors) : data_(std::move(data)), mirrors_(std::move(mirrors)) {}
  Result<git::Repository> open(const Ctx& ctx, const std::string& url) override {
    if (auto name = embedded(url); !name.empty()) return git::Repository::open(data_ / "git" / (name + ".git"));
    return git::Repository::mirror(ctx, url, mirrors_ / sha256_hex(url).substr(0, 16));
  }

 private:
  // http://slipway/git/NAME.git, or the address that the running slipway has.
  std::string embedded(std::string_view url) const {
    auto address = read_file(data_ / "address").value_or("");
    for (const std::string& prefix : {std::string("http://slipway/git/"), std::string(trim(address)) + "/git/"}) {
      if (!url.starts_with(prefix)) continue;
      auto name = std::string(url.substr(prefix.size()));
      if (name.ends_with(".git")) name.erase(name.size() - 4);
      bool plain = !name.empty() && !name.starts_with('.') && name.find("..") == std::string::npos;
      if (plain && path_exists(data_ / "git" / (name + ".git"))) return name;
    }
    return "";
  }
  fs::path data_, mirrors_;
};

}  // namespace

Result<git::Repository> repository_at(const Ctx& ctx, const Arguments& arguments, const std::string& place,
                                      const fs::path& mirrors) {
  if (place.find("://") != std::string::npos) return Repositories(data_dir(arguments), mirrors).open(ctx, place);
  if (auto hosted = data_dir(arguments) / "git" / (place + ".git"); path_exists(hosted))
    return git::Repository::open(hosted);
  for (const auto& folder : {fs::path(place) / ".git", fs::path(place)})
    if (path_exists(folder)) return git::Repository::open(folder);
  return Fail(Error(Kind::not_found, fmt::format("{}: no such repository here", place))
                  .with_hint("--repository takes a URL or a folder as well"));
}

Result<std::vector<doc::Value>> rendered_at(const Ctx& ctx, const Arguments& arguments, gitops::Application app,
                                            const std::string& revision) {
  if (!revision.empty() && app.sources.size() != 1)
    return fail(Kind::unavailable, "{}: not there yet for an Application with {} sources", app.key.name,
                app.sources.size());
  if (!revision.empty()) app.sources[0].target_revision = revision;
  TRY(auto mirrors, TempDir::make("slipway-app"));
  Repositories repositories(data_dir(arguments), mirrors.path());
  gitops::Renderer renderer(repositories);
  TRY(auto rendered, renderer.render(ctx, app));
  return rendered->objects->list();
}

}  // namespace slipway::cli
