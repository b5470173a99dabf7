#include "gitops/appset/generators.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"
#include "gitops/appset/detail.h"
#include "kube/selector.h"

namespace slipway::gitops::appset {
namespace detail {
namespace {

Result<std::vector<Instance>> one(const Call& call, doc::View generator, const doc::Map& outer, int depth);

using From = Result<Params> (*)(const Call&, doc::View);
constexpr std::array<std::pair<std::string_view, From>, 7> simple{{{"list", from_list},
                                                                   {"clusters", from_clusters},
                                                                   {"git", from_git},
                                                                   {"pullRequest", from_pull_requests},
                                                                   {"scmProvider", from_scm},
                                                                   {"plugin", from_plugin},
                                                                   {"clusterDecisionResource", from_decisions}}};
constexpr std::string_view want_kinds =
    "list, clusters, git, pullRequest, scmProvider, plugin, clusterDecisionResource, matrix or merge";

// How soon a generator that nothing wakes is asked again. 0: only by events.
Millis period_of(std::string_view kind, doc::View body) {
  std::int64_t seconds = kind == "git" || kind == "clusterDecisionResource"                   ? 180
                         : kind == "pullRequest" || kind == "scmProvider" || kind == "plugin" ? 1800
                                                                                              : 0;
  seconds = body["requeueAfterSeconds"].num_or(seconds);
  return seconds <= 0 ? Millis(0) : Millis(std::clamp<std::int64_t>(seconds, 5, 86400) * 1000);
}

// Whether others are asked over the network.
bool asks_outside(std::string_view kind, doc::View body) {
  return kind == "plugin" || ((kind == "pullRequest" || kind == "scmProvider") && !body["slipway"].exists());
}

Result<Params> ask(const Call& call, std::string_view kind, From from, doc::View body) {
  auto* answers = asks_outside(kind, body) ? call.world.answers : nullptr;
  if (answers == nullptr) return from(call, body);
  auto question = fmt::format("{} {}", kind, doc::print_json(body.value()));
  if (call.outer != nullptr && body["values"].present()) question += doc::print_json(*call.outer);
  if (const auto* known = answers->find(question, call.ctx.clock->now())) return *known;
  auto said = from(call, body);
  auto period = period_of(kind, body);
  if (period.count() == 0) period = Millis(1'800'000);
  if (!said) period = retry_pause(said.error());
  if (said || !said.error().is(Kind::cancelled)) answers->keep(question, said, call.ctx.clock->now() + period);
  return said;
}

// Parameters of two generators in one. The same name must mean the same, but for maps of Go templates.
Result<doc::Map> joined(const Call& call, const doc::Map& a, const doc::Map& b, doc::View at) {
  if (call.renderer.go()) return *doc::merge_patch(doc::Value(a), doc::Value(b)).if_map();
  auto out = a;
  for (const auto& [key, value] : b) {
    const auto* known = a.find(key);
    if (known != nullptr && !(*known == value))
      return at.wrong(fmt::format("found duplicate key {} with different value", key));
    out.set(key, value);
  }
  return out;
}

// Every one of the first with every one of the second, which may use the first's parameters.
Result<std::vector<Instance>> matrix(const Call& call, doc::View matrix, const doc::Map& outer, int depth) {
  auto two = matrix["generators"].items();
  if (two.size() != 2) return matrix["generators"].wrong(fmt::format("holds {} generators, want two", two.size()));
  TRY(auto first, one(call, two[0], outer, depth + 1));
  std::vector<Instance> out;
  for (const auto& left : first) {
    auto known = outer;
    for (const auto& [key, value] : left.params) known.set(key, value);
    TRY(auto second, one(call, two[1], known, depth + 1));
    for (const auto& right : second) {
      TRY(auto params, joined(call, left.params, right.params, two[1]));
      out.push_back({std::move(params), doc::Value()});
      if (out.size() > 10'000) return matrix.wrong("gives more than 10000 Applications");
    }
  }
  return out;
}

// What one of a merge's keys says in a set of parameters; nothing when it is not there.
std::optional<std::string> key_of(const Call& call, doc::View keys, const doc::Map& params) {
  auto flat = call.renderer.go() ? flattened(params) : params;
  std::string out;
  for (const auto& key : keys.items()) {
    const auto* value = flat.find(key.text());
    if (value == nullptr) return std::nullopt;
    out += doc::View(*value).text() + '\0';
  }
  return out;
}

// The first generator's sets, with what later ones say of the same keys.
Result<std::vector<Instance>> merge(const Call& call, doc::View merge, const doc::Map& outer, int depth) {
  auto list = merge["generators"].items();
  auto keys = merge["mergeKeys"];
  if (list.size() < 2) return merge["generators"].wrong("holds fewer than two generators, want two or more");
  if (keys.items().empty()) return keys.wrong("want at least one merge key");
  std::vector<Instance> base;
  std::map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < list.size(); ++i) {
    TRY(auto more, one(call, list[i], outer, depth + 1));
    std::set<std::string> seen;
    for (auto& instance : more) {
      auto key = key_of(call, keys, instance.params);
      if (key && !seen.insert(*key).second)
        return list[i].wrong("the parameters from a generator were not unique by the given mergeKeys");
      if (i == 0) {
        if (key) at.emplace(*key, base.size());
        base.push_back({std::move(instance.params), doc::Value()});
      } else if (auto found = key ? at.find(*key) : at.end(); found != at.end()) {
        auto& into = base[found->second].params;
        if (call.renderer.go())
          into = *doc::merge_patch(doc::Value(into), doc::Value(instance.params)).if_map();
        else
          for (const auto& [name, value] : instance.params) into.set(name, value);
      }
    }
  }
  return base;
}

// A generator within a matrix is written with the parameters of the one before it; its template is not.
Result<doc::Value> interpolated(const Call& call, doc::View generator, const doc::Map& outer) {
  auto body = generator.value();
  if (outer.empty() || !body.is_map()) return body;
  doc::Map out;
  for (const auto& [key, value] : *body.if_map()) {
    auto inner = value;
    doc::Value own;
    if (auto* map = inner.if_map())
      if (auto* found = map->find("template")) {
        own = *found;
        map->erase("template");
      }
    // Values may also name what their own generator will give; those names are not known yet.
    doc::Value later;
    if (auto* map = inner.if_map(); map != nullptr && key != "list")
      if (auto* found = map->find("values")) {
        later = *found;
        map->erase("values");
      }
    TRY(inner, call.renderer.document(inner, outer));
    if (!own.is_null()) inner.map().set("template", std::move(own));
    if (!later.is_null()) inner.map().set("values", std::move(later));
    out.set(key, std::move(inner));
  }
  return doc::Value(std::move(out));
}

Result<std::vector<Instance>> select(std::vector<Instance> all, doc::View selector) {
  if (!selector.present()) return all;
  TRY(auto labels, kube::LabelSelector::from(selector));
  std::erase_if(all, [&](const Instance& instance) {
    kube::StringMap flat;
    for (const auto& [key, value] : flattened(instance.params)) flat.emplace(key, doc::View(value).text());
    return !labels.matches(flat);
  });
  return all;
}

Result<std::vector<Instance>> dispatch(const Call& call, doc::View generator, const doc::Map& outer, int depth) {
  for (const auto& [name, from] : simple) {
    auto body = generator[name];
    if (!body.exists()) continue;
    TRY(auto params, ask(call, name, from, body));
    std::vector<Instance> out;
    for (auto& p : params) out.push_back({std::move(p), doc::Value()});
    return out;
  }
  // Argo CD nests two levels deep.
  if (depth > 2) return generator.wrong("generators are nested too deep");
  if (auto body = generator["matrix"]; body.exists()) return matrix(call, body, outer, depth);
  if (auto body = generator["merge"]; body.exists()) return merge(call, body, outer, depth);
  return generator.wrong(fmt::format("want one of {}", want_kinds));
}

Result<std::vector<Instance>> one(const Call& call, doc::View generator, const doc::Map& outer, int depth) {
  TRY(auto written, interpolated(call, generator, outer));
  doc::View view(written, "ApplicationSet");
  Call inner{call.ctx, call.world, call.renderer, outer.empty() ? nullptr : &outer, call.project};
  TRY(auto all, dispatch(inner, written == generator.value() ? generator : view, outer, depth));
  return select(std::move(all), generator["selector"]);
}

doc::Value template_of(doc::View generator) {
  for (const auto& [kind, body] : generator.members())
    if (body["template"].present()) return body["template"].value();
  return {};
}

// Calls `found` for every generator, those in others as well.
void each(doc::View generators, const std::function<void(const std::string&, doc::View)>& found, int depth = 0) {
  for (const auto& generator : generators.items())
    for (const auto& [kind, body] : generator.members()) {
      found(kind, body);
      if (depth < 4) each(body["generators"], found, depth + 1);
    }
}

}  // namespace

Result<> add_values(const Call& call, doc::View values, doc::Map& params) {
  auto all = values.members();
  if (all.empty()) return {};
  auto known = call.outer != nullptr ? *call.outer : doc::Map();
  for (const auto& [name, value] : params) known.set(name, value);
  // None of them names another: texts that double each other have no end.
  doc::Map made;
  for (const auto& [key, value] : all) {
    TRY(auto text, call.renderer.text(value.text(), known));
    made.set(call.renderer.go() ? key : "values." + key, std::move(text));
  }
  if (call.renderer.go())
    params.set("values", std::move(made));
  else
    for (auto& [name, text] : made) params.set(name, std::move(text));
  return {};
}

bool takes(doc::View list, const std::string& path) {
  bool taken = false;
  for (const auto& item : list.items()) {
    if (!glob_match(item["path"].text(), path)) continue;
    if (item["exclude"].bool_or(false)) return false;
    taken = true;
  }
  return taken;
}

// elements, or elementsYaml: a list in YAML that a matrix has put together.
Result<Params> from_list(const Call& call, doc::View list) {
  std::vector<doc::View> elements = list["elements"].items();
  doc::Value parsed;
  if (auto yaml = list["elementsYaml"].text(); !yaml.empty()) {
    auto read = doc::parse_yaml(yaml, {.source = "elementsYaml", .max_nodes = 100'000});
    if (!read || (!read->is_list() && !read->is_null()))
      return list["elementsYaml"].wrong(read ? "want a list" : read.error().what());
    parsed = *std::move(read);
    for (const auto& item : doc::View(parsed, "elementsYaml").items()) elements.push_back(item);
  }
  Params out;
  for (const auto& element : elements) {
    if (!element.value().is_map()) return element.wrong("want a map");
    if (call.renderer.go()) {
      out.push_back(*element.value().if_map());
      continue;
    }
    doc::Map params;
    for (const auto& [key, value] : element.members()) {
      if (key == "values")
        for (const auto& [name, text] : value.members()) params.set("values." + name, text.text());
      else if (value.value().is_map() || value.value().is_list())
        return value.wrong("want a text (maps and lists are for goTemplate)");
      else
        params.set(key, value.text());
    }
    out.push_back(std::move(params));
  }
  return out;
}

}  // namespace detail

Result<std::vector<Instance>> generate(const Ctx& ctx, const World& world, const Renderer& renderer, doc::View spec) {
  detail::Call call{ctx, world, renderer};
  if (auto project = spec["template"]["spec"]["project"].text(); !project.contains("{{")) call.project = project;
  std::vector<Instance> all;
  for (const auto& generator : spec["generators"].items()) {
    TRY(auto some, detail::one(call, generator, {}, 0));
    for (auto& instance : some) {
      instance.over = detail::template_of(generator);
      all.push_back(std::move(instance));
    }
  }
  return all;
}

Millis retry_pause(const Error& error) {
  return std::clamp(error.retry_after().value_or(Millis(0)), Millis(10'000), Millis(3'600'000));
}

std::optional<Millis> requeue_after(doc::View spec) {
  std::optional<Millis> least;
  detail::each(spec["generators"], [&](const std::string& kind, doc::View body) {
    auto period = detail::period_of(kind, body);
    if (period.count() > 0) least = std::min(least.value_or(period), period);
  });
  return least;
}

std::vector<std::string> repositories_of(doc::View spec) {
  std::vector<std::string> urls;
  detail::each(spec["generators"], [&](const std::string& kind, doc::View body) {
    if (kind == "git") urls.push_back(body["repoURL"].text());
  });
  return urls;
}

bool reads_clusters(doc::View spec) {
  bool reads = false;
  detail::each(spec["generators"], [&](const std::string& kind, doc::View) {
    reads = reads || kind == "clusters" || kind == "clusterDecisionResource";
  });
  return reads;
}

bool reads_pull_requests(doc::View spec) {
  bool reads = false;
  detail::each(spec["generators"], [&](const std::string& kind, doc::View body) {
    reads = reads || (kind == "pullRequest" && body["slipway"].present());
  });
  return reads;
}

bool reads_hosted(doc::View spec) {
  bool reads = false;
  detail::each(spec["generators"], [&](const std::string& kind, doc::View body) {
    reads = reads || (kind == "scmProvider" && body["slipway"].exists());
  });
  return reads;
}

}  // namespace slipway::gitops::appset
