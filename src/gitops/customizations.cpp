#include "gitops/customizations.h"

#include <algorithm>

#include "base/text.h"
#include "doc/yaml.h"
#include "script/script.h"

namespace slipway::gitops {

// The keys of the ConfigMap, one after the other.
struct CustomizationReader {
  Customizations& into;

  Customizations::OfKind& kind(std::string_view group, std::string_view kind) {
    auto& found = into.kinds_[fmt::format("{}/{}", group, kind)];
    found.group = group, found.kind = kind;
    return found;
  }
  // "group/Kind", "Kind".
  Customizations::OfKind& kind(std::string_view words) {
    auto slash = words.find('/');
    return slash == words.npos ? kind("", words) : kind(words.substr(0, slash), words.substr(slash + 1));
  }
  void ignore(const Customizations::OfKind& of, IgnoreDifference rule) {
    rule.group = of.group, rule.kind = of.kind;
    into.ignore_.push_back(std::move(rule));
  }
  void ignore(const Customizations::OfKind& of, doc::View view, const std::string& place) {
    if (!view.present()) return;
    auto rule = view.value().is_map() ? ignore_from(view, place)
                                      : Result<IgnoreDifference>(view.wrong("want a map, such as jsonPointers: [...]"));
    if (!rule) {
      IgnoreDifference broken;
      broken.place = place, broken.wrong = rule.error().what();
      return ignore(of, std::move(broken));
    }
    ignore(of, *std::move(rule));
  }
  void ignore_text(const Customizations::OfKind& of, std::string_view text, const std::string& place) {
    auto parsed = doc::parse_yaml(text, {.source = "its YAML"});
    if (parsed) return ignore(of, doc::View(*parsed, "its YAML"), place);
    IgnoreDifference broken;
    broken.place = place, broken.wrong = parsed.error().what();
    ignore(of, std::move(broken));
  }

  void filters(std::string_view key, std::string_view text, std::vector<Customizations::Filter>& filters);
  void build_options(std::string_view text);
  void tracking_method(std::string_view text);
  void combined(std::string_view text);
  void split_key(std::string_view key, std::string_view value);
  void one_kind(std::string_view words, doc::View view);
};

namespace {

constexpr std::string_view prefix = "resource.customizations";

constexpr std::string_view exclusions_key = "resource.exclusions", inclusions_key = "resource.inclusions",
                           build_options_key = "kustomize.buildOptions",
                           method_key = "application.resourceTrackingMethod",
                           label_key = "application.instanceLabelKey", installation_key = "installationID";
bool is_read(std::string_view key) {
  return key.starts_with(prefix) || key == exclusions_key || key == inclusions_key || key == build_options_key ||
         key == method_key || key == label_key || key == installation_key;
}

bool fits_one(const std::vector<std::string>& globs, std::string_view text) {
  return globs.empty() ||
         std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_match(glob, text); });
}

// Argo CD's own list, whatever is configured.
bool is_never_managed(const kube::Type& type) {
  auto group = type.group();
  return group == "events.k8s.io" || group == "metrics.k8s.io" || (group.empty() && type.kind == "Event") ||
         (group == "coordination.k8s.io" && type.kind == "Lease");
}

// They change what Argo CD compares; here the server compares.
bool has_no_effect(std::string_view what) { return what == "ignoreResourceUpdates" || what == "knownTypeFields"; }

}  // namespace

void CustomizationReader::one_kind(std::string_view words, doc::View view) {
  auto& of = kind(words);
  auto place = fmt::format("argocd-cm: {}: {}", prefix, words);
  for (const auto& [name, value] : view.members()) {
    if (name == "health.lua")
      of.health = {value.text(), fmt::format("{}: {}", place, name)};
    else if (name == "health.lua.useOpenLibs")
      of.open_libraries = value.bool_or(false);
    else if (name == "actions")
      of.actions = {value.text(), fmt::format("{}: {}", place, name)};
    else if (name == "ignoreDifferences" && value.value().is_string())
      ignore_text(of, *value.value().if_string(), fmt::format("{}: {}", place, name));
    else if (name == "ignoreDifferences")
      ignore(of, value, fmt::format("{}: {}", place, name));
    else if (!has_no_effect(name))
      into.problems_.push_back(fmt::format("{}: {}: this customization is not known", place, name));
  }
}

// A list of {apiGroups, kinds, clusters}, each a list of globs.
void CustomizationReader::filters(std::string_view key, std::string_view text,
                                  std::vector<Customizations::Filter>& filters) {
  auto parsed = doc::parse_yaml(text, {.source = key});
  if (!parsed || (!parsed->is_list() && !parsed->is_null())) {
    into.problems_.push_back(
        fmt::format("argocd-cm: {}: {}", key, parsed ? "want a list of apiGroups and kinds" : parsed.error().what()));
    return;
  }
  for (const auto& entry : doc::View(*parsed, key).items()) {
    auto& filter = filters.emplace_back();
    for (auto [name, field] : {std::pair("apiGroups", &filter.groups), std::pair("kinds", &filter.kinds),
                               std::pair("clusters", &filter.clusters)})
      for (const auto& glob : entry[name].items()) field->push_back(glob.text());
  }
}

// What `kustomize build` would be told.
void CustomizationReader::build_options(std::string_view text) {
  auto words = split(text, ' ');
  std::erase_if(words, [](std::string_view word) { return trim(word).empty(); });
  for (std::size_t n = 0; n < words.size(); ++n) {
    auto pair = cut(words[n], "=");
    auto name = pair ? pair->first : words[n];
    auto value = pair ? pair->second : n + 1 < words.size() ? words[n + 1] : "";
    bool restrictor = name == "--load-restrictor" || name == "--load_restrictor";
    if (restrictor && (value == "LoadRestrictionsNone" || value == "none"))
      into.load_anywhere_ = true;
    else if (!restrictor || (value != "LoadRestrictionsRootOnly" && value != "rootOnly"))
      into.problems_.push_back(fmt::format("argocd-cm: {}: {} has no effect here", build_options_key, words[n]));
    if (restrictor && !pair) ++n;
  }
}

void CustomizationReader::tracking_method(std::string_view text) {
  using Method = Tracking::Method;
  auto& method = into.tracking_.method;
  if (text == "label")
    method = Method::label;
  else if (text == "annotation+label")
    method = Method::annotation_and_label;
  else if (text != "annotation" && !text.empty())
    into.problems_.push_back(fmt::format(
        "argocd-cm: {}: got {}, want annotation, label or annotation+label; annotation is used", method_key, text));
}

// resource.customizations: all of it in one text.
void CustomizationReader::combined(std::string_view text) {
  auto parsed = doc::parse_yaml(text, {.source = prefix});
  std::string wrong = parsed ? "" : parsed.error().what();
  if (parsed && !parsed->is_map() && !parsed->is_null()) wrong = "want a map of group/Kind";
  if (!wrong.empty()) {
    // It may have said what must not be touched.
    IgnoreDifference broken;
    broken.place = fmt::format("argocd-cm: {}", prefix), broken.wrong = std::move(wrong);
    return ignore(kind("*", "*"), std::move(broken));
  }
  for (const auto& [words, view] : doc::View(*parsed, prefix).members()) one_kind(words, view);
}

// resource.customizations.<what>.<group_Kind>, <Kind> or `all`.
void CustomizationReader::split_key(std::string_view key, std::string_view value) {
  auto place = fmt::format("argocd-cm: {}", key);
  auto rest = cut(key.substr(prefix.size() + 1), ".");
  if (!rest || rest->second.empty()) {
    into.problems_.push_back(fmt::format("{}: want {}.<what>.<group>_<Kind>", place, prefix));
    return;
  }
  auto [what, words] = *rest;
  auto underscore = words.find('_');
  auto& of = words == "all"             ? kind("*", "*")
             : underscore == words.npos ? kind("", words)
                                        : kind(words.substr(0, underscore), words.substr(underscore + 1));
  if (what == "health") {
    of.health = {std::string(value), place};
  } else if (what == "useOpenLibs") {
    of.open_libraries = trim(value) == "true";
    if (trim(value) != "true" && trim(value) != "false")
      into.problems_.push_back(fmt::format("{}: got \"{}\", want true or false", place, value));
  } else if (what == "actions") {
    of.actions = {std::string(value), place};
  } else if (what == "ignoreDifferences") {
    ignore_text(of, value, place);
  } else if (!has_no_effect(what)) {
    into.problems_.push_back(fmt::format("{}: the customization {} is not known", place, what));
  }
}

std::shared_ptr<const Customizations> Customizations::from(const kube::Object& config_map) {
  auto out = std::make_shared<Customizations>();
  CustomizationReader reader{*out};
  auto data = config_map["data"].members();
  for (const auto& [key, value] : data)
    if (is_read(key)) out->written_.set(key, value.value());
  for (const auto& [key, value] : data) {
    if (key == exclusions_key) reader.filters(key, value.text(), out->exclusions_);
    if (key == inclusions_key) reader.filters(key, value.text(), out->inclusions_);
    if (key == build_options_key) reader.build_options(value.text());
    if (key == method_key) reader.tracking_method(value.text());
    if (key == label_key && !value.text().empty()) out->tracking_.label_key = value.text();
    if (key == installation_key) out->tracking_.installation = value.text();
  }
  // A kind's own key beats what the old combined one says of it.
  for (const auto& [key, value] : data)
    if (key == prefix) reader.combined(value.text());
  for (const auto& [key, value] : data)
    if (key.starts_with(prefix) && key.size() > prefix.size() && key[prefix.size()] == '.')
      reader.split_key(key, value.text());
  return out;
}

bool Customizations::same_as(const Customizations& other) const {
  return doc::Value(written_) == doc::Value(other.written_);
}

bool Customizations::Filter::fits(const kube::Type& type, std::string_view server) const {
  return fits_one(groups, type.group()) && fits_one(kinds, type.kind) && fits_one(clusters, server);
}

bool Customizations::excludes(const kube::Type& type, std::string_view server) const {
  auto fits = [&](const Filter& filter) { return filter.fits(type, server); };
  return is_never_managed(type) || std::any_of(exclusions_.begin(), exclusions_.end(), fits) ||
         (!inclusions_.empty() && std::none_of(inclusions_.begin(), inclusions_.end(), fits));
}

// The kind's own, else the most exact pattern's.
const Customizations::OfKind* Customizations::find(const kube::Type& type, Script OfKind::* of) const {
  auto own = kinds_.find(fmt::format("{}/{}", type.group(), type.kind));
  if (own != kinds_.end() && !(own->second.*of).text.empty()) return &own->second;
  const OfKind* best = nullptr;
  for (const auto& [key, kind] : kinds_) {
    if ((kind.*of).text.empty() || !glob_match(kind.group, type.group()) || !glob_match(kind.kind, type.kind)) continue;
    if (best == nullptr || key.size() > best->group.size() + 1 + best->kind.size()) best = &kind;
  }
  return best;
}

std::optional<HealthStatus> Customizations::evaluate(const Ctx& ctx, const OfKind& kind, const kube::Object& object,
                                                     bool& lasts) const {
  using Language = script::Program::Language;
  auto unknown = [&](std::string_view why) {
    return HealthStatus{Health::unknown, fmt::format("{}: {}", kind.health.place, why)};
  };
  script::Program program{kind.open_libraries ? Language::lua_open : Language::lua, kind.health.text};
  auto outcome = script::run(ctx, program, {{"obj", object.value()}});
  lasts = outcome ? !outcome->clock : outcome.error().is(Kind::invalid);
  if (!outcome) return unknown(outcome.error().what());
  if (!outcome->failure.empty()) return unknown(outcome->failure);
  const auto& said = outcome->value;
  if (said.is_null() || (said.is_list() && said.if_list()->empty())) return std::nullopt;
  if (!said.is_map()) return unknown("returns no table with a status");
  auto status = said.str_at({"status"});
  auto health = parse_health(status);
  if (!health)
    return unknown(
        fmt::format("returns the status \"{}\", want Healthy, Suspended, Progressing, Missing, Degraded or "
                    "Unknown",
                    status));
  return HealthStatus{*health, doc::View(said)["message"].text()};
}

std::optional<std::optional<HealthStatus>> Customizations::health(const Ctx& ctx, const kube::Object& object) const {
  constexpr std::size_t most = 20'000;
  const auto* kind = find(object.type(), &OfKind::health);
  if (kind == nullptr) return std::nullopt;
  auto uid = object.uid(), version = object.resource_version();
  if (!uid.empty()) {
    auto said = said_.lock();
    auto before = said->find(uid);
    if (before != said->end() && before->second.version == version) return before->second.health;
  }
  bool lasts = false;
  auto health = evaluate(ctx, *kind, object, lasts);
  if (lasts && !uid.empty() && !version.empty()) {
    auto said = said_.lock();
    if (said->size() >= most) said->clear();
    (*said)[uid] = {version, health};
  }
  return health;
}

Result<std::shared_ptr<const Customizations>> read_customizations(const Ctx& ctx, kube::Client& home) {
  TRY(auto config_map, home.get(ctx, settings_type, settings_key));
  return Customizations::from(config_map.value_or(kube::Object()));
}

void customize(Application& app, std::shared_ptr<const Customizations> customizations) {
  app.ignore.insert(app.ignore.end(), customizations->ignore().begin(), customizations->ignore().end());
  for (auto& source : app.sources) source.load_anywhere = source.load_anywhere || customizations->load_anywhere();
  app.customizations = std::move(customizations);
}

std::optional<HealthStatus> health_of(const Ctx& ctx, const Customizations& customizations,
                                      const kube::Object& object) {
  auto said = object.deleting() ? std::nullopt : customizations.health(ctx, object);
  return said ? *said : health_of(object);
}

std::optional<HealthStatus> health_of(const Ctx& ctx, const Application& app, const kube::Object& object) {
  if (app.health && !object.deleting())
    if (auto said = app.health(object)) return *said;
  return app.customizations ? health_of(ctx, *app.customizations, object) : health_of(object);
}

}  // namespace slipway::gitops
