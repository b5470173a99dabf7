#include "oci/registry_rules.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "net/http.h"
#include "oci/remote.h"

namespace slipway::oci {
namespace {

using Words = std::vector<std::string>;

bool matches(const Words& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return glob_match(pattern, text); });
}

bool names(const Right& right, const Who& who) {
  return std::any_of(right.who.begin(), right.who.end(), [&](const std::string& word) {
    if (word == "anonymous") return true;
    if (who.anonymous()) return false;
    if (word == "*" || word == who.name) return true;
    return word.starts_with("group:") &&
           std::find(who.groups.begin(), who.groups.end(), word.substr(6)) != who.groups.end();
  });
}

Result<> only(doc::View view, std::initializer_list<const char*> known) {
  TRY(auto members, view.map());
  Words all(known.begin(), known.end());
  for (const auto& [key, value] : members) {
    if (std::find(all.begin(), all.end(), key) != all.end()) continue;
    auto error = value.wrong("is no setting of the registry").error();
    auto near = nearest(key, all);
    return Fail(near ? std::move(error).with_hint(fmt::format("did you mean '{}'?", *near)) : std::move(error));
  }
  return {};
}

// A list of strings, or one alone. Errors: invalid when it is absent or empty.
Result<Words> words_of(doc::View view) {
  if (view.value().is_string()) return Words{view.text()};
  TRY(auto words, view.strings());
  if (words.empty()) return view.wrong("want at least one");
  return words;
}

Result<Millis> time_of(doc::View view) {
  auto text = view.text();
  Result<Millis> time = Millis(0);
  if (auto days = text.ends_with('d') ? to_int(std::string_view(text).substr(0, text.size() - 1)) : std::nullopt)
    time = *days >= 0 && *days <= 36500 ? Result<Millis>(std::chrono::hours(24 * *days)) : view.wrong("want days");
  else
    time = view.duration();
  if (!time || *time < Millis(0)) return view.wrong("want a time like 30d, 12h or 90s");
  return time;
}

// "20GiB", "500MB" or bytes.
Result<std::uint64_t> bytes_of(doc::View view) {
  auto text = view.text();
  auto digits = text.find_first_not_of("0123456789");
  auto number = to_int(std::string_view(text).substr(0, digits));
  auto unit = digits == std::string::npos ? std::string() : lower(trim(std::string_view(text).substr(digits)));
  constexpr std::pair<std::string_view, std::uint64_t> units[] = {{"", 1},
                                                                  {"b", 1},
                                                                  {"kb", 1000},
                                                                  {"mb", 1000000},
                                                                  {"gb", 1000000000},
                                                                  {"tb", 1000000000000},
                                                                  {"ki", 1 << 10},
                                                                  {"mi", 1 << 20},
                                                                  {"gi", 1 << 30},
                                                                  {"ti", 1ULL << 40},
                                                                  {"kib", 1 << 10},
                                                                  {"mib", 1 << 20},
                                                                  {"gib", 1 << 30},
                                                                  {"tib", 1ULL << 40}};
  for (const auto& [name, size] : units)
    if (number && *number >= 0 && static_cast<std::uint64_t>(*number) < (1ULL << 62) / size && name == unit)
      return static_cast<std::uint64_t>(*number) * size;
  return view.wrong("want a size like 20GiB or 500MB");
}

Result<Right> right_of(doc::View view) {
  TRY_OK(only(view, {"who", "repositories", "may"}));
  Right right;
  TRY(right.who, words_of(view["who"]));
  TRY(right.repositories, words_of(view["repositories"]));
  TRY(right.may, words_of(view["may"]));
  for (const auto& word : right.may)
    if (word != "pull" && word != "push" && word != "delete") return view["may"].wrong("want pull, push or delete");
  return right;
}

Result<Immutable> immutable_of(doc::View view) {
  TRY_OK(only(view, {"repositories", "tags"}));
  Immutable out;
  TRY(out.repositories, words_of(view["repositories"]));
  TRY(out.tags, words_of(view["tags"]));
  return out;
}

Result<Quota> quota_of(doc::View view) {
  TRY_OK(only(view, {"repositories", "bytes"}));
  Quota quota;
  TRY(quota.repositories, words_of(view["repositories"]));
  TRY(quota.bytes, bytes_of(view["bytes"]));
  return quota;
}

Result<Keep> keep_of(doc::View view) {
  TRY_OK(only(view, {"repositories", "tags", "newest", "pushedWithin", "pulledWithin", "untagged"}));
  Keep keep;
  TRY(keep.repositories, words_of(view["repositories"]));
  if (view["tags"].present()) {
    TRY(keep.tags, words_of(view["tags"]));
  }
  if (view["newest"].present()) {
    TRY(keep.newest, view["newest"].num());
    if (*keep.newest < 0) return view["newest"].wrong("want 0 or more");
  }
  for (auto [name, field] :
       {std::pair{"pushedWithin", &keep.pushed}, {"pulledWithin", &keep.pulled}, {"untagged", &keep.untagged}})
    if (view[name].present()) {
      TRY(*field, time_of(view[name]));
    }
  if (!keep.tags_go() && !keep.untagged)
    return view.wrong("want one of tags, newest, pushedWithin, pulledWithin, untagged");
  return keep;
}

Result<Upstream> upstream_of(doc::View view) {
  TRY_OK(only(view, {"host", "url", "fresh", "repositories"}));
  Upstream up;
  TRY(up.host, view["host"].str());
  auto parsed = parse_reference(up.host + "/name");
  if (!parsed || parsed->host != up.host) return view["host"].wrong("want a host like docker.io or quay.io:443");
  up.name = local_repository({.host = up.host, .repository = "", .tag = {}, .digest = {}});
  up.name.pop_back();
  up.address = up.host;
  if (view["url"].present()) {
    auto url = net::parse_url(view["url"].text());
    bool good = url && (url->scheme == "https" || url->scheme == "http") && (url->path.empty() || url->path == "/") &&
                url->query.empty() && url->user.empty();
    if (!good) return view["url"].wrong("want https://HOST[:PORT]");
    up.address = url->authority();
    up.plain_http = url->scheme == "http";
  }
  if (view["fresh"].present()) {
    TRY(up.fresh, time_of(view["fresh"]));
  }
  if (view["repositories"].present()) {
    TRY(up.repositories, words_of(view["repositories"]));
  }
  return up;
}

template <class T>
Result<> take(doc::View view, Result<T> (*one)(doc::View), std::vector<T>& out) {
  if (!view.present()) return {};
  TRY(auto list, view.list());
  for (const auto& item : list) {
    TRY(auto value, one(item));
    out.push_back(std::move(value));
  }
  return {};
}

}  // namespace

bool Who::admin() const { return std::find(groups.begin(), groups.end(), "system:masters") != groups.end(); }

bool RegistryRules::may(const Who& who, std::string_view repository, std::string_view action) const {
  if (who.admin()) return true;
  if (who.anonymous() && (action != "pull" || !anonymous_pulls)) return false;
  if (!has_rights) return true;
  return std::any_of(rights.begin(), rights.end(), [&](const Right& right) {
    return names(right, who) && std::find(right.may.begin(), right.may.end(), action) != right.may.end() &&
           matches(right.repositories, repository);
  });
}

bool RegistryRules::is_immutable(std::string_view repository, std::string_view tag) const {
  return std::any_of(immutable.begin(), immutable.end(), [&](const Immutable& rule) {
    return matches(rule.repositories, repository) && matches(rule.tags, tag);
  });
}

std::optional<std::uint64_t> RegistryRules::quota(std::string_view repository) const {
  for (const auto& rule : quotas)
    if (matches(rule.repositories, repository)) return rule.bytes;
  return std::nullopt;
}

const Keep* RegistryRules::keep_of(std::string_view repository) const {
  for (const auto& rule : keep)
    if (matches(rule.repositories, repository)) return &rule;
  return nullptr;
}

const Upstream* RegistryRules::upstream_of(std::string_view repository) const {
  for (const auto& up : upstreams) {
    if (!repository.starts_with(up.name + "/")) continue;
    auto rest = repository.substr(up.name.size() + 1);
    if (up.repositories.empty() || matches(up.repositories, rest)) return &up;
  }
  return nullptr;
}

const Upstream* RegistryRules::upstream_by_host(std::string_view host) const {
  for (const auto& up : upstreams)
    if (up.host == host) return &up;
  return nullptr;
}

Result<RegistryRules> parse_registry_rules(std::string_view yaml, std::string_view source) {
  RegistryRules rules;
  if (trim(yaml).empty()) return rules;
  TRY(auto document, doc::parse_yaml(yaml, {.source = source}));
  if (document.is_null()) return rules;
  doc::View view(document, source);
  TRY_OK(only(view, {"anonymousPulls", "rights", "immutable", "quota", "keep", "mirrors"}));
  if (view["anonymousPulls"].present()) {
    TRY(rules.anonymous_pulls, view["anonymousPulls"].boolean());
  }
  rules.has_rights = view["rights"].present();
  TRY_OK(take(view["rights"], right_of, rules.rights));
  TRY_OK(take(view["immutable"], immutable_of, rules.immutable));
  TRY_OK(take(view["quota"], quota_of, rules.quotas));
  TRY_OK(take(view["keep"], keep_of, rules.keep));
  TRY_OK(take(view["mirrors"], upstream_of, rules.upstreams));
  return rules;
}

}  // namespace slipway::oci
