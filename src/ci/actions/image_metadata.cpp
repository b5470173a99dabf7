// docker/metadata-action: names, tags and labels of an image from the event.
// Rule: the action's README: tags are rules "type=ref,event=branch", flavor decides about latest.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/version_range.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

using Attributes = std::map<std::string, std::string>;

Attributes attributes_of(std::string_view line) {
  Attributes out;
  for (auto part : split(line, ',')) {
    auto pair = cut(part, "=");
    if (pair)
      out[lower(trim(pair->first))] = trim(pair->second);
    else if (!trim(part).empty())
      out["value"] = trim(part), out.try_emplace("type", "raw");
  }
  return out;
}
std::string get(const Attributes& a, const char* key, std::string_view fallback = {}) {
  auto found = a.find(key);
  return found == a.end() ? std::string(fallback) : found->second;
}

// Characters a tag cannot have become dashes.
std::string sanitize(std::string_view text) {
  std::string out;
  for (char c : text) out += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ? c : '-';
  return out;
}

std::string with_version(std::string pattern, const Version& v, std::string_view raw) {
  auto put = [&](std::string_view name, const std::string& value) {
    pattern = replace_all(pattern, fmt::format("{{{{{}}}}}", name), value);
  };
  put("version", std::string(raw)), put("raw", std::string(raw));
  put("major", std::to_string(v[0])), put("minor", std::to_string(v[1])), put("patch", std::to_string(v[2]));
  return pattern;
}

class Metadata {
 public:
  Metadata(ActionUse& use) : use_(use), event_(use.job.plan().event) {}

  Result<> run() {
    auto rules = use_.list("tags");
    if (rules.empty()) rules = {"type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"};
    for (auto& line : use_.list("flavor")) {
      for (auto& [key, value] : attributes_of(line)) flavor_[key] = value;
    }
    for (auto& rule : rules) TRY_OK(apply(attributes_of(rule), rule));
    auto mode = get(flavor_, "latest", "auto");
    if (!tags_.empty() && (mode == "true" || (mode == "auto" && latest_))) add_unique("latest");
    return give();
  }

 private:
  std::string branch() const { return event_.ref.starts_with("refs/heads/") ? event_.ref.substr(11) : ""; }
  std::string tag() const { return event_.ref.starts_with("refs/tags/") ? event_.ref.substr(10) : ""; }

  Result<> apply(const Attributes& rule, const std::string& text) {
    if (get(rule, "enable", "true") != "true") return {};
    auto type = get(rule, "type", "raw");
    if (type == "raw") {
      add(rule, get(rule, "value"), true);
    } else if (type == "sha") {
      auto length = get(rule, "format") == "long" ? std::string::npos : 7;
      if (!event_.sha.empty()) add(rule, get(rule, "prefix", "sha-") + event_.sha.substr(0, length), false, true);
    } else if (type == "edge") {
      if (branch() == get(rule, "branch", event_.default_branch)) add(rule, "edge", false);
    } else if (type == "schedule") {
      if (event_.name == "schedule") add(rule, get(rule, "pattern", "nightly"), false);
    } else if (type == "ref") {
      auto on = get(rule, "event");
      if (on == "branch" && !branch().empty() && !event_.name.starts_with("pull_request"))
        add(rule, branch(), false);
      else if (on == "tag" && !tag().empty())
        add(rule, tag(), false), latest_ = true;
      else if (on == "pr" && event_.number > 0)
        add(rule, get(rule, "prefix", "pr-") + std::to_string(event_.number), false, true);
    } else if (type == "semver" || type == "pep440") {
      std::string value = get(rule, "value", tag());
      if (value.empty()) return {};
      auto raw = value.starts_with('v') ? value.substr(1) : value;
      auto version = find_version(raw);
      if (!version) {
        use_.say(fmt::format("##[warning]{} is not a valid semver", value));
        return {};
      }
      bool pre = raw.contains('-');
      auto pattern = get(rule, "pattern", "{{version}}");
      add(rule, pre && pattern != "{{raw}}" ? raw : with_version(pattern, *version, raw), false);
      if (!pre) latest_ = true;
    } else if (type == "match") {
      if (!tag().empty()) add(rule, tag(), false), latest_ = true;
    } else {
      return fail(Kind::invalid,
                  "tags: \"{}\": unknown type \"{}\", want schedule, semver, pep440, match, edge, ref, raw or sha",
                  text, type);
    }
    return {};
  }

  void add(const Attributes& rule, const std::string& value, bool raw, bool own_prefix = false) {
    if (value.empty()) return;
    auto prefix = own_prefix ? std::string() : get(rule, "prefix", get(flavor_, "prefix"));
    auto suffix = get(rule, "suffix", get(flavor_, "suffix"));
    (void)raw;
    add_unique(sanitize(prefix + value + suffix));
  }
  void add_unique(std::string tag) {
    if (std::find(tags_.begin(), tags_.end(), tag) == tags_.end()) tags_.push_back(std::move(tag));
  }

  Result<> give() {
    auto separator = use_.input("sep-tags", "\n"), label_separator = use_.input("sep-labels", "\n");
    std::vector<std::string> names;
    for (auto& image : use_.list("images"))
      for (auto& tag : tags_) names.push_back(fmt::format("{}:{}", lower(image), tag));
    std::vector<std::pair<std::string, std::string>> labels = {
        {"org.opencontainers.image.title", event_.repository.substr(event_.repository.find('/') + 1)},
        {"org.opencontainers.image.source", fmt::format("{}/{}", use_.job.options().server_url, event_.repository)},
        {"org.opencontainers.image.url", fmt::format("{}/{}", use_.job.options().server_url, event_.repository)},
        {"org.opencontainers.image.version", tags_.empty() ? "" : tags_[0]},
        {"org.opencontainers.image.revision", event_.sha}};
    for (auto& line : use_.list("labels"))
      if (auto pair = cut(line, "=")) labels.emplace_back(pair->first, pair->second);
    doc::Value json;
    for (auto& name : names) json["tags"].list().emplace_back(name);
    std::vector<std::string> lines_out;
    for (auto& [key, value] : labels) json["labels"][key] = value, lines_out.push_back(key + "=" + value);
    use_.output("version", tags_.empty() ? "" : tags_[0]);
    use_.output("tags", join(std::span<const std::string>(names), separator));
    use_.output("labels", join(std::span<const std::string>(lines_out), label_separator));
    use_.output("json", doc::print_json(json));
    for (auto& name : names) use_.say(name);
    return {};
  }

  ActionUse& use_;
  const Event& event_;
  Attributes flavor_;
  std::vector<std::string> tags_;
  bool latest_ = false;
};

}  // namespace

Result<> docker_metadata(const Ctx&, ActionUse& use) { return Metadata(use).run(); }

}  // namespace slipway::ci
