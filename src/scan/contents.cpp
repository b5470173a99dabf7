#include <archive.h>
#include <archive_entry.h>

#include "base/text.h"
#include "scan/detail/contents.h"
#include "scan/parsers.h"
#include "scan/secrets.h"

namespace slipway::scan::detail {
namespace {

using Archive = Owned<archive, archive_read_free>;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }
bool inside(std::string_view path, std::string_view folder) {
  return path.starts_with(std::string(folder) + "/") || path.find("/" + std::string(folder) + "/") != path.npos;
}

bool is_rpm_database(std::string_view path) {
  for (auto folder : {"var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"})
    if (path.starts_with(folder)) {
      auto name = file_name(path);
      return name == "Packages" || name == "Packages.db" || name == "rpmdb.sqlite";
    }
  return false;
}
bool is_dpkg_list(std::string_view path) {
  if (path.starts_with("var/lib/dpkg/info/")) return path.ends_with(".list");
  return path.starts_with("var/lib/dpkg/status.d/") && path.ends_with(".md5sums");
}
bool is_dpkg_status(std::string_view path) {
  return path == "var/lib/dpkg/status" || (path.starts_with("var/lib/dpkg/status.d/") && !path.ends_with(".md5sums"));
}
bool is_apk_database(std::string_view path) {
  return path == "lib/apk/db/installed" || path == "usr/lib/apk/db/installed";
}
bool is_os_release(std::string_view path) { return path == "etc/os-release" || path == "usr/lib/os-release"; }

// node_modules/name/package.json or node_modules/@scope/name/package.json: the root of an installed package.
bool is_installed_node(std::string_view path) {
  auto at = path.rfind("node_modules/");
  if (at == path.npos || file_name(path) != "package.json") return false;
  auto rest = split(path.substr(at + 13), '/');
  return rest.size() == (rest[0].starts_with('@') ? 3U : 2U);
}
bool is_python_metadata(std::string_view path) {
  return path.ends_with(".dist-info/METADATA") || path.ends_with(".egg-info/PKG-INFO") || path.ends_with(".egg-info");
}
bool is_java_archive(std::string_view path) {
  return path.ends_with(".jar") || path.ends_with(".war") || path.ends_with(".ear");
}
bool is_lock_file(std::string_view path) {
  if (inside(path, "node_modules") || inside(path, "site-packages") || inside(path, "vendor")) return false;
  auto name = file_name(path);
  if (name.starts_with("requirements") && name.ends_with(".txt")) return true;
  for (auto known : {"package-lock.json", "npm-shrinkwrap.json", "poetry.lock", "uv.lock", "pylock.toml", "Cargo.lock",
                     "go.mod", "yarn.lock", "pnpm-lock.yaml", "Pipfile.lock", "composer.lock", "Gemfile.lock"})
    if (name == known) return true;
  return false;
}
// Package metadata that a distribution's package may own.
bool may_be_owned(std::string_view path) {
  return is_python_metadata(path) || is_installed_node(path) || is_java_archive(path);
}

bool may_hold_secrets(std::string_view path, bool in_image) {
  for (auto folder : {"node_modules", "site-packages", "dist-packages", ".git", "__pycache__", ".venv"})
    if (inside(path, folder)) return false;
  if (!in_image) return true;
  for (auto tree :
       {"usr/", "lib/", "lib64/", "bin/", "sbin/", "var/lib/", "var/cache/", "proc/", "sys/", "dev/", "etc/ssl/certs/"})
    if (path.starts_with(tree)) return path.starts_with("usr/src/") || path.starts_with("usr/share/nginx/");
  return true;
}

// Names of the list file that are package metadata: "/usr/lib/..." or "<md5>  usr/lib/...".
std::vector<std::string> owned_in_list(std::string_view text) {
  std::vector<std::string> owned;
  for (auto line : lines(text)) {
    if (auto pair = cut(line, "  ")) line = pair->second;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (may_be_owned(line)) owned.emplace_back(line);
  }
  return owned;
}
std::vector<std::string> owned_in_apk(std::string_view text) {
  std::vector<std::string> owned;
  std::string folder;
  for (auto line : lines(text)) {
    if (line.starts_with("F:")) folder = line.substr(2);
    if (!line.starts_with("R:")) continue;
    auto path = fmt::format("{}/{}", folder, line.substr(2));
    if (may_be_owned(path)) owned.push_back(std::move(path));
  }
  return owned;
}

std::vector<Package> read_lock(std::string_view path, std::string_view bytes) {
  auto name = file_name(path);
  if (name == "package-lock.json" || name == "npm-shrinkwrap.json") return parse_package_lock(bytes, path);
  if (name == "yarn.lock") return parse_yarn_lock(bytes, path);
  if (name == "pnpm-lock.yaml") return parse_pnpm_lock(bytes, path);
  if (name == "Pipfile.lock") return parse_pipfile_lock(bytes, path);
  if (name == "composer.lock") return parse_composer_lock(bytes, path);
  if (name == "Gemfile.lock") return parse_gemfile_lock(bytes, path);
  if (name == "poetry.lock" || name == "uv.lock" || name == "pylock.toml") return parse_toml_lock(bytes, "PyPI", path);
  if (name == "Cargo.lock") return parse_toml_lock(bytes, "crates.io", path);
  if (name == "go.mod") return parse_go_mod(bytes, path);
  return parse_requirements(bytes, path);
}

std::vector<Package> read_packages(std::string_view path, std::string_view bytes) {
  if (is_dpkg_status(path)) return parse_dpkg_status(bytes, path);
  if (is_apk_database(path)) return parse_apk_installed(bytes, path);
  if (is_installed_node(path)) return parse_package_json(bytes, path);
  if (is_python_metadata(path)) return parse_python_metadata(bytes, path);
  if (is_java_archive(path)) return read_java_archive(bytes, path);
  if (is_lock_file(path)) return read_lock(path, bytes);
  return bytes.starts_with(
             "\x7f"
             "ELF")
             ? parse_go_binary(bytes, path)
             : std::vector<Package>();
}

path::Finding rpm_note(std::string_view path) {
  path::Finding f;
  f.check = "scan", f.rule = "rpm-unsupported", f.severity = path::Severity::warning;
  f.place = {std::string(path), 0, 0};
  f.message = "this image has an rpm database, which cannot be read yet: its system packages are not in this report";
  return f;
}

}  // namespace

Interest interest_in(const FileFacts& file, const InventoryLimits& limits, bool in_image) {
  auto path = file.path;
  if (file.size == 0) return Interest::none;
  if (is_rpm_database(path)) return Interest::packages;
  bool wanted = is_os_release(path) || is_dpkg_status(path) || is_dpkg_list(path) || is_apk_database(path) ||
                is_installed_node(path) || is_python_metadata(path) || is_java_archive(path) || is_lock_file(path);
  // Go programs are at least a megabyte.
  bool program = file.executable && file.size > (1 << 20) && !path.ends_with(".so") && path.find(".so.") == path.npos;
  if (wanted || program) return file.size <= limits.file ? Interest::packages : Interest::none;
  return file.size <= limits.secret_file && may_hold_secrets(path, in_image) ? Interest::secrets : Interest::none;
}

void take_file(Contents& contents, const FileFacts& file, std::string_view bytes, Interest interest) {
  std::string path(file.path);
  if (interest == Interest::secrets || (interest == Interest::packages && is_lock_file(path))) {
    auto found = find_secrets(path, bytes);
    contents.findings.insert(contents.findings.end(), found.begin(), found.end());
  }
  if (interest != Interest::packages) return;
  if (is_rpm_database(path))
    contents.findings.push_back(rpm_note(path));
  else if (is_os_release(path))
    contents.os_release[path] = std::string(bytes.substr(0, 65536));
  else if (is_dpkg_list(path))
    contents.owned[path] = owned_in_list(bytes);
  else if (auto packages = read_packages(path, bytes); !packages.empty())
    contents.packages[path] = std::move(packages);
  if (is_apk_database(path)) contents.owned[path] = owned_in_apk(bytes);
}

std::vector<Package> read_java_archive(std::string_view bytes, std::string_view file, int depth) {
  std::vector<Package> found;
  Archive a(archive_read_new());
  archive_read_support_format_zip(a.get());
  if (archive_read_open_memory(a.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) return found;
  archive_entry* entry = nullptr;
  constexpr std::size_t limit = 64 << 20;
  for (int n = 0; n < 100'000 && archive_read_next_header(a.get(), &entry) == ARCHIVE_OK; ++n) {
    const char* raw = archive_entry_pathname(entry);
    std::string name = raw == nullptr ? "" : raw;
    bool properties = name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties");
    bool nested = depth < 3 && is_java_archive(name);
    if (!properties && !nested) continue;
    std::string text;
    std::array<char, 65536> buffer;
    la_ssize_t got = 0;
    while (text.size() <= limit && (got = archive_read_data(a.get(), buffer.data(), buffer.size())) > 0)
      text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) continue;
    auto place = fmt::format("{}!{}", file, name);
    auto more = properties ? parse_pom_properties(text, place) : read_java_archive(text, place, depth + 1);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

doc::Value to_doc(const Contents& c) {
  auto texts = [](const std::vector<std::string>& list) {
    doc::List out;
    for (const auto& text : list) out.emplace_back(text);
    return out;
  };
  doc::Map packages, owned, releases;
  for (const auto& [file, list] : c.packages) {
    doc::List items;
    for (const auto& p : list) items.push_back(scan::to_doc(p));
    packages.set(file, std::move(items));
  }
  for (const auto& [file, list] : c.owned) owned.set(file, texts(list));
  for (const auto& [file, text] : c.os_release) releases.set(file, text);
  doc::List findings;
  for (const auto& f : c.findings) findings.push_back(path::to_doc(f));
  return doc::Map{{"packages", std::move(packages)},
                  {"owned", std::move(owned)},
                  {"osRelease", std::move(releases)},
                  {"removed", texts(c.removed)},
                  {"findings", std::move(findings)}};
}

Result<Contents> contents_from(doc::View view) {
  Contents c;
  for (const auto& [file, list] : view["packages"].members())
    for (const auto& p : list.items()) c.packages[file].push_back(package_from(p));
  for (const auto& [file, list] : view["owned"].members())
    for (const auto& p : list.items()) c.owned[file].push_back(p.str_or(""));
  for (const auto& [file, text] : view["osRelease"].members()) c.os_release[file] = text.str_or("");
  for (const auto& path : view["removed"].items()) c.removed.push_back(path.str_or(""));
  for (const auto& item : view["findings"].items()) {
    TRY(auto f, path::finding_from(item));
    c.findings.push_back(std::move(f));
  }
  return c;
}

}  // namespace slipway::scan::detail
