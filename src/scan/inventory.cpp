#include "scan/inventory.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/log.h"
#include "base/text.h"
#include "doc/json.h"
#include "scan/detail/contents.h"
#include "scan/secrets.h"

namespace slipway::scan {
namespace detail {
namespace {

using Archive = Owned<archive, archive_read_free>;

// "./usr//bin/x" -> "usr/bin/x"; "" for names that leave the root.
std::string clean_path(std::string_view raw) {
  std::string out;
  for (auto part : split(raw, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return {};
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

// A whiteout's target, if the name is one (OCI image-spec, layer.md).
std::optional<std::string> whiteout(const std::string& path) {
  auto slash = path.rfind('/');
  auto folder = slash == path.npos ? std::string() : path.substr(0, slash + 1);
  auto name = std::string_view(path).substr(slash == path.npos ? 0 : slash + 1);
  if (name == ".wh..wh..opq") return folder;
  if (!name.starts_with(".wh.")) return std::nullopt;
  return folder + std::string(name.substr(4));
}

Result<std::string> read_bytes(archive* a, std::uint64_t size, std::uint64_t& budget) {
  std::string text;
  text.reserve(size);
  std::array<char, 65536> buffer;
  while (true) {
    auto n = archive_read_data(a, buffer.data(), buffer.size());
    if (n < 0) return fail(Kind::corrupt, "{}", archive_error_string(a));
    if (n == 0) return text;
    if (static_cast<std::uint64_t>(n) > budget) return fail(Kind::invalid, "the layer unpacks to more than the limit");
    budget -= static_cast<std::uint64_t>(n);
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Result<> read_entries(const Ctx& ctx, archive* a, const InventoryLimits& limits, Contents& contents) {
  std::uint64_t budget = limits.bytes;
  for (std::uint64_t n = 0;; ++n) {
    TRY_OK(ctx.alive());
    if (n > limits.entries) return fail(Kind::invalid, "the layer has more than {} entries", limits.entries);
    archive_entry* entry = nullptr;
    int rc = archive_read_next_header(a, &entry);
    if (rc == ARCHIVE_EOF) return {};
    if (rc < ARCHIVE_WARN) return fail(Kind::corrupt, "{}", archive_error_string(a));
    const char* raw = archive_entry_pathname(entry);
    auto path = clean_path(raw == nullptr ? "" : raw);
    if (path.empty()) continue;
    if (auto target = whiteout(path)) {
      contents.removed.push_back(*target);
      continue;
    }
    // A file of another kind in the place of an older one hides it.
    if (archive_entry_filetype(entry) != AE_IFREG) {
      if (archive_entry_filetype(entry) != AE_IFDIR) contents.removed.push_back(path);
      continue;
    }
    FileFacts facts{path, static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0)),
                    (archive_entry_perm(entry) & 0111) != 0};
    auto interest = interest_in(facts, limits, true);
    if (interest == Interest::none) continue;
    TRY(auto bytes, read_bytes(a, facts.size, budget));
    take_file(contents, facts, bytes, interest);
  }
}

template <class Map>
void erase_below(Map& map, const std::string& target) {
  std::erase_if(map, [&](const auto& item) {
    if (target.empty() || target.ends_with('/')) return item.first.starts_with(target);
    return item.first == target || item.first.starts_with(target + "/");
  });
}

// In an image a lock file beside what was installed from it says less than the installed packages do; in a source tree
// the lock is what counts and node_modules may be old.
bool is_shadowed(const std::string& file, const Contents& all, bool image) {
  auto modules = file.find("node_modules/");
  if (!image && modules != std::string::npos) {
    auto folder = file.substr(0, modules);
    for (auto lock : {"package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"})
      if (all.packages.contains(folder + lock)) return true;
    return false;
  }
  auto name = std::string_view(file).substr(file.rfind('/') + 1);
  bool lock =
      name == "package-lock.json" || name == "npm-shrinkwrap.json" || name == "yarn.lock" || name == "pnpm-lock.yaml";
  if (!image || !lock) return false;
  auto folder = file.substr(0, file.size() - name.size()) + "node_modules/";
  auto it = all.packages.lower_bound(folder);
  return it != all.packages.end() && it->first.starts_with(folder);
}

// The layer that brought this version, which later ones rewrote along with the whole list.
std::string origin_of(const Package& package, const std::string& file,
                      const std::vector<std::pair<std::string, Contents>>& layers) {
  for (const auto& [id, contents] : layers) {
    auto it = contents.packages.find(file);
    if (it == contents.packages.end()) continue;
    for (const auto& p : it->second)
      if (p.name == package.name && p.version == package.version) return id;
  }
  return {};
}

void complete_ecosystem(Package& package, const Distribution& distribution) {
  auto name = distribution.ecosystem();
  if (package.ecosystem == "Debian" && distribution.id == "debian" && !name.empty())
    package.ecosystem = name;
  else if (package.ecosystem == "Debian" && name.starts_with("Ubuntu"))
    package.ecosystem = name;
  else if (package.ecosystem == "Alpine" && !name.empty() && !name.starts_with("Debian"))
    package.ecosystem = name;
}

}  // namespace

Result<Contents> read_layer(const Ctx& ctx, const store::BlobStore& blobs, const oci::Descriptor& layer,
                            const InventoryLimits& limits) {
  TRY(auto fd, blobs.open_blob(layer.digest));
  Archive a(archive_read_new());
  archive_read_support_filter_all(a.get());
  archive_read_support_format_tar(a.get());
  archive_read_support_format_empty(a.get());
  if (archive_read_open_fd(a.get(), fd.get(), 1 << 18) != ARCHIVE_OK)
    return fail(Kind::corrupt, "layer {}: {}", layer.digest.str(), archive_error_string(a.get()));
  Contents contents;
  if (auto read = read_entries(ctx, a.get(), limits, contents); !read)
    return Fail(std::move(read).error().in(fmt::format("layer {}", layer.digest.str())));
  return contents;
}

Inventory fold(const std::vector<std::pair<std::string, Contents>>& layers) {
  Inventory inventory;
  Contents all;
  for (const auto& [id, layer] : layers) {
    for (const auto& target : layer.removed) {
      erase_below(all.packages, target), erase_below(all.owned, target), erase_below(all.os_release, target);
    }
    for (const auto& [file, list] : layer.packages) all.packages[file] = list;
    for (const auto& [file, list] : layer.owned) all.owned[file] = list;
    for (const auto& [file, text] : layer.os_release) all.os_release[file] = text;
    for (auto finding : layer.findings) {
      if (!id.empty() && finding.check == "secret") finding.message += fmt::format(" (in layer {})", id.substr(0, 19));
      inventory.findings.push_back(std::move(finding));
    }
  }
  for (const auto& [file, text] : all.os_release) inventory.distribution = parse_os_release(text);
  bool image = !layers.empty() && !layers.front().first.empty();
  std::unordered_set<std::string_view> owned;
  for (const auto& [file, list] : all.owned) owned.insert(list.begin(), list.end());
  for (const auto& [file, list] : all.packages) {
    if (owned.contains(file) || is_shadowed(file, all, image)) continue;
    for (auto package : list) {
      package.layer = origin_of(package, file, layers);
      complete_ecosystem(package, inventory.distribution);
      inventory.packages.push_back(std::move(package));
    }
  }
  std::stable_sort(inventory.packages.begin(), inventory.packages.end(), [](const Package& a, const Package& b) {
    return std::tie(a.ecosystem, a.name, a.version, a.place.file) <
           std::tie(b.ecosystem, b.name, b.version, b.place.file);
  });
  return inventory;
}

}  // namespace detail

namespace {

// Raised when what is read of a layer changes.
constexpr std::string_view cache_form = "v1";

Result<detail::Contents> layer_contents(const Ctx& ctx, const store::BlobStore& blobs, const oci::Descriptor& layer,
                                        const Digest& diff_id, const fs::path& cache, const InventoryLimits& limits) {
  auto file = cache.empty() ? fs::path() : cache / fmt::format("{}.{}.json", diff_id.hex(), cache_form);
  if (!file.empty() && path_exists(file)) {
    auto text = read_file(file);
    auto value = text ? doc::parse_json(*text, file.string()) : Result<doc::Value>(Fail(text.error()));
    auto contents = value ? detail::contents_from(doc::View(*value)) : Result<detail::Contents>(Fail(value.error()));
    if (contents) return contents;
    LOG(warn, "scan.cache.unreadable", {"file", file.string()}, {"why", contents.error().what()});
  }
  TRY(auto contents, detail::read_layer(ctx, blobs, layer, limits));
  if (!file.empty()) {
    TRY_OK(make_dirs(cache));
    TRY_OK(write_file(file, doc::print_json(detail::to_doc(contents)), 0600));
  }
  return contents;
}

// Secrets that were given as build arguments or environment stay readable in the configuration.
void scan_config(const oci::Config& config, std::vector<path::Finding>& findings) {
  auto look = [&](const std::string& place, const std::string& text) {
    for (auto& f : find_secrets(place, text)) findings.push_back(std::move(f));
  };
  for (const auto& env : config.env) look("image-config/env.env", env);
  for (const auto& entry : config.history) look("image-config/history", entry.created_by);
  for (const auto& [key, value] : config.labels) look("image-config/label.env", key + "=" + value);
}

Result<> walk(const Ctx& ctx, const fs::path& root, const std::string& prefix, const InventoryLimits& limits,
              std::uint64_t& seen, detail::Contents& contents) {
  TRY(auto names, list_dir(prefix.empty() ? root : root / prefix));
  for (const auto& name : names) {
    TRY_OK(ctx.alive());
    if (++seen > limits.entries) return fail(Kind::invalid, "{}: more than {} files", root.string(), limits.entries);
    auto path = prefix.empty() ? name : prefix + "/" + name;
    std::error_code ec;
    auto status = fs::symlink_status(root / path, ec);
    if (fs::is_directory(status)) {
      if (name != ".git") TRY_OK(walk(ctx, root, path, limits, seen, contents));
      continue;
    }
    if (!fs::is_regular_file(status)) continue;
    auto size = fs::file_size(root / path, ec);
    bool executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
    detail::FileFacts facts{path, ec ? 0 : size, executable};
    auto interest = detail::interest_in(facts, limits, false);
    if (interest == detail::Interest::none) continue;
    auto bytes = read_file(root / path, limits.file);
    if (bytes) detail::take_file(contents, facts, *bytes, interest);
  }
  return {};
}

}  // namespace

Result<Inventory> image_inventory(const Ctx& ctx, const oci::Registry& registry, const std::string& repository,
                                  const oci::Registry::Image& image, const fs::path& cache,
                                  const InventoryLimits& limits) {
  std::vector<std::pair<std::string, detail::Contents>> layers;
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
    const auto& layer = image.manifest.layers[i];
    const auto& diff_id = i < image.config.diff_ids.size() ? image.config.diff_ids[i] : layer.digest;
    TRY(auto contents, layer_contents(ctx, registry.blobs(), layer, diff_id, cache, limits));
    layers.emplace_back(diff_id.str(), std::move(contents));
  }
  auto inventory = detail::fold(layers);
  inventory.target = repository + "@" + image.digest.str();
  scan_config(image.config, inventory.findings);
  return inventory;
}

Result<Inventory> folder_inventory(const Ctx& ctx, const fs::path& folder, const InventoryLimits& limits) {
  std::error_code ec;
  if (!fs::is_directory(folder, ec)) return fail(Kind::not_found, "{}: no such folder", folder.string());
  detail::Contents contents;
  std::uint64_t seen = 0;
  TRY_OK(walk(ctx, folder, "", limits, seen, contents));
  auto inventory = detail::fold({{"", std::move(contents)}});
  inventory.target = folder.string();
  return inventory;
}

}  // namespace slipway::scan
