// Named contexts, and Git repositories as folders.
#include <fcntl.h>

#include "base/encode.h"
#include "base/text.h"
#include "image/detail/build.h"
#include "oci/layout.h"

namespace slipway::image::detail {

namespace {

// "alpine", "library/alpine:latest" and "docker.io/library/alpine" are one name.
std::string normal_name(const std::string& name) {
  auto reference = oci::parse_reference(name);
  return reference ? reference->print() : lower(name);
}

}  // namespace

const std::string* Build::context_key(const std::string& name) const {
  auto fits = [&](const std::string& key) { return key == name || normal_name(key) == normal_name(name); };
  if (iequals(name, "scratch") || iequals(name, "context")) return nullptr;
  for (const auto& [key, folder] : request_.contexts)
    if (fits(key)) return &key;
  for (const auto& [key, url] : request_.context_urls)
    if (fits(key)) return &key;
  return nullptr;
}

bool Build::is_replaced(const Stage& stage) const { return !stage.name.empty() && context_key(stage.name) != nullptr; }

GitAccess Build::git_access() const {
  GitAccess access{.mirrors = shop_.options.root / "git", .secrets = request_.secrets, .agent = {}};
  if (auto it = request_.ssh.find("default"); it != request_.ssh.end()) access.agent = it->second;
  return access;
}

Result<Origin> Build::git_origin(const Ctx& ctx, const GitAddress& address, bool keep_git) {
  auto access = git_access();
  TRY(auto commit, fetch_git(ctx, address, access));
  depends_on({address.remote + (address.ref.empty() ? "" : "#" + address.ref), "sha1", commit.id});
  input(fmt::format("git {} {}", address.remote, commit.id));
  Origin origin;
  bool modules = address.submodules.value_or(true);
  origin.key = sha256_hex(fmt::format("git {} {} {} {}", commit.id, address.folder, keep_git, modules));
  origin.source.keeps_owner = false;
  auto shared = std::make_shared<GitCommit>(std::move(commit));
  // Written to disk by whoever first has to look at the files.
  origin.lay_out = [this, shared, address, access, keep_git](const Ctx& task, Origin& out) -> Result<> {
    TRY(auto temp, TempDir::make_in(steps_folder(), "git"));
    auto holder = std::make_shared<TempDir>(std::move(temp));
    TRY_OK(check_out_git(task, *shared, address, access, keep_git, holder->path() / "files"));
    out.source.root = holder->path() / "files";
    out.holds.push_back(holder);
    return {};
  };
  return origin;
}

// A folder has its own .dockerignore, as a main context has.
Result<Origin> Build::folder_context(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return fail(Kind::not_found, "{}: no such folder", folder.native());
  Origin origin;
  origin.source.root = folder;
  origin.source.index = index_of(folder);
  origin.source.keeps_owner = false;
  auto fd = open_beneath(folder, ".dockerignore", O_RDONLY | O_CLOEXEC);
  if (!fd) return origin;
  TRY(auto text, read_all(fd->get()));
  TRY(auto list, IgnoreList::parse(text, (folder / ".dockerignore").native()));
  if (list.empty()) return origin;
  auto shared = std::make_shared<IgnoreList>(std::move(list));
  origin.source.ignore = shared.get();
  origin.holds.push_back(shared);
  return origin;
}

// What an address gives, as a folder with that one file.
Result<Origin> Build::file_context(const Ctx& ctx, const std::string& url) {
  TRY(auto download, download(ctx, url));
  depends_on({url, "sha256", sha256_hex(download->bytes)});
  auto path = url.substr(0, url.find_first_of("?#"));
  auto name = percent_decode(path.substr(path.rfind('/') + 1)).value_or("");
  if (name.empty() || name == "." || name == ".." || name.contains('/')) name = "__unnamed__";
  TRY(auto temp, TempDir::make_in(steps_folder(), "file"));
  auto holder = std::make_shared<TempDir>(std::move(temp));
  TRY_OK(write_file(holder->path() / name, download->bytes, 0600));
  Origin origin;
  origin.source.root = holder->path();
  origin.source.keeps_owner = false;
  origin.holds.push_back(holder);
  return origin;
}

// oci-layout://FOLDER, FOLDER:TAG or FOLDER@DIGEST.
Result<State> Build::layout_context(const Ctx& ctx, const std::string& where, const oci::Platform& platform) {
  std::string folder = where, wanted;
  if (auto at = where.rfind('@'); at != std::string::npos && where.find("sha", at) == at + 1) {
    folder = where.substr(0, at);
    wanted = where.substr(at + 1);
  } else if (auto colon = where.rfind(':'); colon != std::string::npos && where.find('/', colon) == std::string::npos) {
    folder = where.substr(0, colon);
    wanted = where.substr(colon + 1);
  }
  auto& registry = *shop_.options.registry;
  auto repository = "local/layout-" + sha256_hex(folder).substr(0, 16);
  TRY(auto images, oci::read_layout(ctx, registry, folder, repository, ""));
  const oci::Descriptor* chosen = images.size() == 1 || wanted.empty() ? images.data() : nullptr;
  for (const auto& d : images) {
    auto name = d.annotations.find("org.opencontainers.image.ref.name");
    if (wanted.empty()) break;
    if (d.digest.str() == wanted ||
        (name != d.annotations.end() && (name->second == wanted || name->second.ends_with(":" + wanted))))
      chosen = &d;
  }
  if (chosen == nullptr) return fail(Kind::not_found, "{}: no image {:?} in this layout", folder, wanted);
  TRY(auto image, registry.image(repository, chosen->digest.str(), platform));
  return base_image(ctx, fmt::format("{}@{}", repository, image.digest.str()), platform);
}

Result<std::optional<Build::Named>> Build::named_context(const Ctx& ctx, const std::string& name,
                                                         const oci::Platform& platform) {
  const auto* key = context_key(name);
  if (key == nullptr) return std::optional<Named>();
  auto in = [&](auto&& error) { return Fail(std::move(error).in("context " + *key)); };
  Named named;
  if (auto folder = request_.contexts.find(*key); folder != request_.contexts.end()) {
    auto origin = folder_context(folder->second);
    if (!origin) return in(std::move(origin).error());
    named.folder = *std::move(origin);
    return std::optional(std::move(named));
  }
  const auto& url = request_.context_urls.at(*key);
  if (url.starts_with("docker-image://") || url.starts_with("oci-layout://")) {
    auto where = url.substr(url.find("//") + 2);
    if (url.starts_with("docker-image://") && where == "scratch") {
      named.image = State{};
      named.image->config.platform = platform;
      return std::optional(std::move(named));
    }
    auto image = url.starts_with("oci") ? layout_context(ctx, where, platform) : base_image(ctx, where, platform);
    if (!image) return in(std::move(image).error());
    named.image = *std::move(image);
    return std::optional(std::move(named));
  }
  auto address = parse_git_address(url);
  if (!address) return in(std::move(address).error());
  if (!*address && (url.starts_with("http://") || url.starts_with("https://"))) {
    auto file = file_context(ctx, url);
    if (!file) return in(std::move(file).error());
    named.folder = *std::move(file);
    return std::optional(std::move(named));
  }
  if (!*address)
    return Fail(Error(Kind::invalid,
                      fmt::format("context {}: {:?}: neither a folder, an image nor a Git repository", *key, url))
                    .with_hint("FOLDER, docker-image://NAME, oci-layout://FOLDER[:TAG], https://HOST/REPO.git#REF, "
                               "https://HOST/FILE"));
  auto origin = git_origin(ctx, **address, (*address)->keep_git_dir.value_or(false));
  if (!origin) return in(std::move(origin).error());
  named.folder = *std::move(origin);
  return std::optional(std::move(named));
}

}  // namespace slipway::image::detail
