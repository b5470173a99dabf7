// app diff: what the next sync would change, object by object.
#include <algorithm>

#include "base/text.h"
#include "cli/app_objects.h"
#include "cli/app_operation.h"
#include "doc/patch.h"
#include "doc/yaml.h"
#include "gitops/clusters.h"
#include "gitops/compare.h"
#include "gitops/customizations.h"
#include "gitops/masked.h"

namespace slipway::cli {
namespace {

// Without what the server writes itself.
doc::Value comparable(const doc::Value& object) {
  auto copy = object;
  if (auto* map = copy.if_map()) {
    map->erase("status");
    if (auto* meta = map->find("metadata"); meta != nullptr && meta->is_map())
      for (auto key : {"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})
        meta->if_map()->erase(key);
  }
  return copy;
}

struct Difference {
  std::string id, state, text;  // changed, missing, extra, refused
};

// Where an Application's objects are, as its Secret lets us in.
struct There {
  kube::Client& client;
  std::string name;
};

Result<std::optional<Difference>> compare(const Ctx& ctx, const There& there, const gitops::Application& app,
                                          const gitops::Task& task, Io& io) {
  auto& client = there.client;
  TRY(auto live, client.get(ctx, task.type, task.key));
  auto name = task.id();
  auto cluster = fmt::format("{}/{}", there.name, name);
  if (!live) {
    auto wanted = comparable(task.object);
    gitops::hide_secret_values(nullptr, &wanted);
    return std::optional(
        Difference{name, "missing", doc::unified_diff("", doc::print_yaml(wanted), cluster, "git/" + name)});
  }
  TRY(auto desired, gitops::applied_over(ctx, app, task, *live));
  for (const auto& warning : desired.warnings) io.note(warning);
  auto would = client.apply(ctx, desired.object,
                            {.field_manager = std::string(gitops::field_manager), .dry_run = true, .force = true});
  if (!would && (would.error().is(Kind::invalid) || would.error().is(Kind::denied)))
    return std::optional(Difference{name, "refused", would.error().what() + "\n"});
  if (!would) return Fail(std::move(would).error());
  auto sides = gitops::compared_sides(app, *live, *would);
  if (sides.live == sides.would) return std::optional<Difference>();
  auto now = comparable(live->value()), then = comparable(would->value());
  gitops::hide_secret_values(&now, &then);
  auto text = doc::unified_diff(doc::print_yaml(now, {.sort_keys = true}), doc::print_yaml(then, {.sort_keys = true}),
                                cluster, "git/" + name);
  if (text.empty()) return std::optional<Difference>();
  return std::optional(Difference{name, "changed", std::move(text)});
}

void show(Io& io, std::string_view text) {
  for (auto line : lines(text)) {
    bool head = line.starts_with("---") || line.starts_with("+++") || line.starts_with("@@");
    io.line(head                    ? io.paint(Io::Paint::dim, line)
            : line.starts_with('+') ? io.paint(Io::Paint::good, line)
            : line.starts_with('-') ? io.paint(Io::Paint::bad, line)
                                    : std::string(line));
  }
}

Result<int> diff(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  auto name = arguments.get("name");
  TRY(auto object, application_named(ctx, *client, name));
  TRY(auto app, gitops::application_from(object));
  TRY(auto customizations, gitops::read_customizations(ctx, *client));
  gitops::customize(app, std::move(customizations));
  TRY(auto objects, rendered_at(ctx, arguments, client, app, arguments.get("revision")));
  TRY(auto place, gitops::destination_of(ctx, *client, gitops::Target::of(object["spec"]["destination"])));
  There there{place->remote ? *place->remote->client() : *client, "cluster"};
  if (place->remote) {
    there.name = place->name.empty() ? place->server : place->name;
    if (!io.json()) io.note(fmt::format("{}: compared with {}", name, place->describe()));
  }
  TRY_IN(auto resources, place->describe(), there.client.resources(ctx));
  for (auto& one : objects) {  // as the sync places them: the destination's namespace where none is written
    auto kind = one.str_at({"kind"}), version = one.str_at({"apiVersion"});
    bool namespaced = std::none_of(resources.begin(), resources.end(), [&](const auto& r) {
      return r.type.kind == kind && r.type.api_version == version && !r.namespaced;
    });
    if (namespaced && one.str_at({"metadata", "namespace"}).empty()) one["metadata"]["namespace"] = app.ns;
  }
  std::vector<std::string> warnings;
  auto tasks = gitops::tasks_of(objects, app.options, warnings);
  std::vector<Difference> differences;
  for (const auto& task : tasks) {
    if (task.hook) continue;
    TRY_IN(auto found, place->describe(), compare(ctx, there, app, task, io));
    if (found) differences.push_back(*std::move(found));
  }
  for (const auto& resource : object["status"]["resources"].items())
    if (resource["requiresPruning"].bool_or(false))
      differences.push_back({fmt::format("{}/{}:{}/{}", resource["group"].text(), resource["kind"].text(),
                                         resource["namespace"].text(), resource["name"].text()),
                             "extra", ""});
  if (io.json()) {
    doc::List list;
    for (const auto& one : differences)
      list.emplace_back(doc::Map{{"object", one.id}, {"state", one.state}, {"diff", one.text}});
    io.document(list);
  } else {
    for (const auto& one : differences) {
      io.line(fmt::format("{} {}", io.paint(Io::Paint::bold, one.id),
                          one.state == "extra"     ? "is in the cluster and not in Git"
                          : one.state == "missing" ? "is in Git and not in the cluster"
                                                   : one.state));
      show(io, one.text);
    }
    if (differences.empty()) io.note(fmt::format("{}: the cluster is as Git says", name));
  }
  return differences.empty() ? 0 : 1;
}

// 1 says that a sync would change something: what cannot be compared is another matter, also what is not there.
Result<int> diff_or_error(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto done = diff(ctx, arguments, io);
  if (done || !(done.error().is(Kind::not_found) || done.error().is(Kind::conflict))) return done;
  return Fail(std::move(done).error().as(Kind::invalid));
}

}  // namespace

std::vector<Command> app_diff_commands() {
  return {{"app diff",
           "what a sync would change; 1 when it would change something",
           "slipway app diff shop-dev",
           with_connection({{"--revision", "compare with this commit, branch or tag instead"}}),
           {{"name", "Application"}},
           diff_or_error}};
}

}  // namespace slipway::cli
