#include "gitops/actions.h"

#include <algorithm>

#include "base/text.h"
#include "doc/patch.h"
#include "gitops/actions/table.h"

namespace slipway::gitops {
namespace {

using actions::Change;
using actions::Row;

bool enabled(const Row& row, const doc::Value& object) {
  return row.enabled.empty() || std::any_of(row.enabled.begin(), row.enabled.end(),
                                            [&](const auto& wants) { return rules::hold(wants, object); });
}

// {now}, {now:bare}, {by}, {parameter}, {parameter:number}.
Result<std::string> field(std::string_view name, const ActionCall& call) {
  if (name == "now") return call.now;
  if (name == "now:bare") return call.now.substr(0, 19);
  if (name == "by") return call.by;
  bool number = name.ends_with(":number");
  auto parameter = std::string(name.substr(0, number ? name.size() - 7 : name.size()));
  auto found = call.parameters.find(parameter);
  if (found == call.parameters.end())
    return Fail(Error(Kind::invalid, fmt::format("{} wants the parameter {}", call.name, parameter))
                    .with_hint(fmt::format("--param {}=VALUE", parameter)));
  auto text = std::string(trim(found->second));
  auto whole = to_int(text);
  if (number && (!whole || *whole < 0 || *whole > 1'000'000)) return fail(Kind::invalid, "invalid number: {}", text);
  return text;
}

Result<doc::Value> value_of(std::string_view written, const ActionCall& call) {
  bool quoted = written.size() > 1 && written.starts_with('"') && written.ends_with('"');
  if (quoted) written = written.substr(1, written.size() - 2);
  if (!quoted && (written == "true" || written == "false")) return doc::Value(written == "true");
  if (auto whole = to_int(written); whole && !quoted) return doc::Value(*whole);
  std::string text;
  bool number = written.starts_with('{') && written.ends_with(":number}");
  for (auto rest = written; !rest.empty();) {
    auto open = std::min(rest.find('{'), rest.size()), close = rest.find('}', open);
    text += rest.substr(0, open);
    if (close == rest.npos) break;
    TRY(auto said, field(rest.substr(open + 1, close - open - 1), call));
    text += said;
    rest.remove_prefix(close + 1);
  }
  if (number && !quoted) return doc::Value(to_int(text).value_or(0));
  return doc::Value(text);
}

// A map that stands in the way of a scalar, or the other way about, gives way: the API checks the object anyway.
void set(doc::Value& at, std::span<const std::string> path, doc::Value value) {
  if (path.empty()) {
    at = std::move(value);
    return;
  }
  if (!at.is_map()) at = doc::Map{};
  set(at[path.front()], path.subspan(1), std::move(value));
}

// Labels and annotations without any are not left behind.
void remove(doc::Value& at, std::span<const std::string> path) {
  auto* map = at.if_map();
  auto* child = map == nullptr ? nullptr : map->find(path.front());
  if (child == nullptr) return;
  if (path.size() > 1) {
    remove(*child, path.subspan(1));
    bool kept = path.front() != "annotations" && path.front() != "labels";
    if (kept || !child->is_map() || !child->if_map()->empty()) return;
  }
  map->erase(path.front());
}

Result<std::vector<ActionWrite>> make(const Row& row, const kube::Object& object, const ActionCall& call) {
  std::vector<ActionWrite> writes;
  auto changed = object.copy();
  bool differs = false;
  for (const auto& change : row.changes) {
    if (!rules::hold(change.wants, object.value())) continue;
    if (change.what == Change::What::use) {
      TRY(auto more, change.function(object, call));
      std::move(more.begin(), more.end(), std::back_inserter(writes));
      continue;
    }
    differs = true;
    if (change.what == Change::What::remove) {
      remove(changed, change.path);
      continue;
    }
    TRY(auto value, value_of(change.value, call));
    set(changed, change.path, std::move(value));
  }
  if (differs) writes.push_back({false, std::move(changed)});
  return writes;
}

// What differs, but for the part that is written in another way.
doc::Value difference(const doc::Value& before, const doc::Value& after, bool status) {
  auto part = [&](const doc::Value& object) {
    if (status) {
      const auto* found = object.find("status");
      return doc::Value(doc::Map{{"status", found == nullptr ? doc::Value() : *found}});
    }
    auto copy = object;
    if (auto* map = copy.if_map()) map->erase("status");
    return copy;
  };
  return doc::make_merge_patch(part(before), part(after));
}

bool nothing(const doc::Value& patch) { return !patch.is_map() || patch.if_map()->empty(); }

}  // namespace

std::vector<Action> actions_of(const kube::Object& object) {
  const auto* program = actions::program_of(object);
  if (program == nullptr) return {};
  std::vector<Action> found;
  for (const auto& row : program->rows) {
    Action action{
        std::string(row.name), !enabled(row, object.value()), std::string(row.title), std::string(row.icon), {}};
    for (auto parameter : row.parameters) action.parameters.emplace_back(parameter);
    found.push_back(std::move(action));
  }
  return found;
}

Result<std::vector<ActionWrite>> act(const kube::Object& object, const ActionCall& call) {
  const auto* program = actions::program_of(object);
  if (program == nullptr) return fail(Kind::not_found, "a {} has no actions", object.kind());
  std::vector<std::string> names;
  for (const auto& row : program->rows) {
    if (row.name != call.name) {
      names.emplace_back(row.name);
      continue;
    }
    for (const auto& [name, value] : call.parameters)
      if (std::find(row.parameters.begin(), row.parameters.end(), name) == row.parameters.end())
        return fail(Kind::invalid, "{} has no parameter {}", call.name, name);
    return make(row, object, call);
  }
  return fail(Kind::not_found, "a {} has no action {}; there are: {}", object.kind(), call.name, join(names, ", "));
}

Result<> write_action(const Ctx& ctx, kube::Client& client, const kube::Object& before, const ActionWrite& write) {
  if (write.create) {
    TRY_OK(client.create(ctx, write.object, {}));
    return {};
  }
  // A script may change another object than the one it was given.
  if (kube::Object other{doc::Value(write.object)}; other.type() != before.type() || other.key() != before.key()) {
    TRY(auto live, client.get(ctx, other.type(), other.key()));
    if (!live) return fail(Kind::not_found, "{} is not there", other.describe());
    return write_action(ctx, client, *live, write);
  }
  auto type = before.type();
  auto version = before.resource_version();
  // Only to what was looked at: a step is not skipped twice by two people.
  auto guarded = [&](doc::Value patch) {
    patch["metadata"]["resourceVersion"] = version;
    return patch;
  };
  if (auto patch = difference(before.value(), write.object, false); !nothing(patch)) {
    TRY(auto after, client.patch(ctx, type, before.key(), kube::PatchType::merge, guarded(std::move(patch)), {}));
    version = after.resource_version();
  }
  auto status = difference(before.value(), write.object, true);
  if (nothing(status)) return {};
  auto patched =
      client.patch(ctx, type, before.key(), kube::PatchType::merge, guarded(status), {.subresource = "status"});
  // A kind whose status is a field like others.
  if (!patched && patched.error().is(Kind::not_found))
    patched = client.patch(ctx, type, before.key(), kube::PatchType::merge, guarded(status), {});
  if (!patched) return Fail(std::move(patched).error());
  return {};
}

}  // namespace slipway::gitops
