#include "manifest/remote.h"

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "manifest/submodules.h"

namespace slipway::manifest {
namespace {

constexpr std::string_view known_hosts[] = {"github.com/", "gitlab.com/", "bitbucket.org/"};

bool is_http(std::string_view text) { return text.starts_with("https://") || text.starts_with("http://"); }

// user@host:path, without a scheme.
bool is_scp_form(std::string_view text) {
  auto at = text.find('@'), colon = text.find(':');
  return at != std::string_view::npos && colon != std::string_view::npos && at < colon && !text.contains("://") &&
         text.find('/') > at;
}

// Where the part that names the repository's place begins: behind scheme and host.
std::size_t path_begin(std::string_view text) {
  if (auto scheme = text.find("://"); scheme != std::string_view::npos) {
    auto slash = text.find('/', scheme + 3);
    return slash == std::string_view::npos ? text.size() : slash + 1;
  }
  if (is_scp_form(text)) return text.find(':') + 1;
  return text.find('/') + 1;
}

// Length of the part of `path` that is the repository.
std::size_t repository_length(std::string_view path) {
  if (auto git = path.find(".git"); git != std::string_view::npos) {
    auto end = git + 4;
    if (end == path.size() || path[end] == '/') return end;
  }
  if (auto azure = path.find("_git/"); azure != std::string_view::npos) {
    auto end = path.find('/', azure + 5);
    return end == std::string_view::npos ? path.size() : end;
  }
  auto first = path.find('/');
  auto second = first == std::string_view::npos ? first : path.find('/', first + 1);
  return second == std::string_view::npos ? path.size() : second;
}

Result<> read_query(std::string_view query, RemoteFolder& folder, std::string_view whole) {
  for (auto pair : split(query, '&')) {
    auto halves = cut(pair, "=");
    if (!halves) continue;
    auto [key, value] = *halves;
    if (key == "ref" || (key == "version" && folder.revision.empty())) folder.revision = value;
    if (key == "timeout") {
      auto seconds = to_int(value);
      auto duration = seconds ? Result<Millis>(Millis(*seconds * 1000)) : parse_duration(value);
      if (!duration || *duration <= Millis(0))
        return fail(Kind::invalid, "'{}': timeout: got \"{}\", want a time such as 60s", whole, value);
      folder.timeout = *duration;
    }
    if (key == "submodules") folder.submodules = value != "false" && value != "0";
  }
  return {};
}

}  // namespace

bool is_commit_id(std::string_view revision) {
  return revision.size() == 40 && std::all_of(revision.begin(), revision.end(),
                                              [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_remote(std::string_view text) {
  return text.contains("://") || text.starts_with("git::") || is_scp_form(text) || text.contains("?ref=") ||
         std::any_of(std::begin(known_hosts), std::end(known_hosts), [&](auto host) { return text.starts_with(host); });
}

bool is_remote_file(std::string_view text) {
  if (!is_http(text)) return false;
  auto path = text.substr(0, text.find('?'));
  bool delimited = path.substr(path.find("://") + 3).contains("//") || path.contains(".git/");
  return !delimited && (path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json"));
}

Result<RemoteFolder> remote_folder(std::string_view text) {
  RemoteFolder result;
  auto whole = text;
  if (text.starts_with("git::")) text.remove_prefix(5);
  if (auto query = text.find('?'); query != std::string_view::npos) {
    TRY_OK(read_query(text.substr(query + 1), result, whole));
    text = text.substr(0, query);
  }
  auto from = path_begin(text);
  auto path = text.substr(from);
  auto delimiter = path.find("//");
  // A folder on disk has no host: all of it is the repository, unless "//" says otherwise.
  auto length = delimiter != std::string_view::npos ? delimiter
                : text.starts_with("file://")       ? path.size()
                                                    : repository_length(path);
  result.url = text.substr(0, from + length);
  auto rest = path.substr(length);
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  result.folder = rest;
  while (result.url.ends_with('/')) result.url.pop_back();
  if (path.empty()) return fail(Kind::invalid, "'{}': names no repository", whole);
  if (!result.url.contains("://") && !is_scp_form(result.url)) result.url = "https://" + result.url;
  return result;
}

std::string host_of(std::string_view url) {
  if (auto scheme = url.find("://"); scheme != std::string_view::npos)
    url.remove_prefix(scheme + 3);
  else if (!is_scp_form(url))
    return "";
  url = url.substr(0, url.find('/'));
  if (auto at = url.find('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  if (!url.starts_with('[')) return std::string(url.substr(0, url.find(':')));
  return std::string(url.substr(0, url.find(']') + 1));
}

Result<> MirroredRemotes::permit(std::string_view url) const {
  auto host = host_of(url);
  bool permitted =
      hosts_.empty() || std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& h) { return glob_match(h, host); });
  if (permitted) return {};
  return fail(Kind::denied, "{}: {} is no host that may be asked, want {}", url, host.empty() ? "a folder" : host,
              join(hosts_, " or "));
}

Result<git::Repository> MirroredRemotes::repository(const Ctx& ctx, const RemoteFolder& folder) {
  TRY_OK(permit(folder.url));
  auto place = folder_ / sha256_hex(folder.url).substr(0, 24);
  std::lock_guard hold(one_);
  if (is_commit_id(folder.revision) && path_exists(place / "HEAD")) {
    auto known = git::Repository::open(place);
    if (known && known->commit(folder.revision)) return known;
  }
  TRY_OK(make_dirs(folder_));
  return git::Repository::mirror(ctx.within(folder.timeout), folder.url, place);
}

std::unique_ptr<Submodules> MirroredRemotes::submodules(const Ctx& ctx, const RemoteFolder& folder) {
  auto fetch = [this, &ctx](const std::string& url, const git::Oid& commit, bool) -> Result<git::Repository> {
    TRY(auto found, repository(ctx, {.url = url, .folder = "", .revision = commit}));
    if (!found.commit(commit)) return fail(Kind::not_found, "{}: has no commit {}", url, commit);
    return found;
  };
  return submodules_by_address(folder.url, std::move(fetch));
}

Result<std::string> MirroredRemotes::file(const Ctx& ctx, const std::string& url) {
  TRY_OK(permit(url));
  if (!get_) return fail(Kind::invalid, "{}: files are not fetched from here: name a folder of a repository", url);
  return get_(ctx, url);
}

}  // namespace slipway::manifest
