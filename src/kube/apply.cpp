#include "kube/apply.h"

#include "base/text.h"
#include "kube/detail/fields.h"

namespace slipway::kube {
namespace {

struct Manager {
  std::string name, operation, api_version, subresource, time;
  FieldSet set;
  bool is(const Manager& o) const {
    // An applier stays the same when it moves to another version.
    return name == o.name && operation == o.operation && subresource == o.subresource &&
           (operation == "Apply" || api_version == o.api_version);
  }
  std::string print() const {
    auto out = fmt::format("\"{}\"", name);
    if (!subresource.empty()) out += fmt::format(" with subresource \"{}\"", subresource);
    return operation == "Update" ? fmt::format("{} using {}", out, api_version) : out;
  }
};
using Managers = std::vector<Manager>;

Managers read(const doc::Value* object) {
  Managers out;
  const auto* list = object != nullptr ? object->find_path({"metadata", "managedFields"}) : nullptr;
  if (list == nullptr || !list->is_list()) return out;
  for (const auto& entry : *list->if_list()) {
    const auto* fields = entry.find("fieldsV1");
    if (fields == nullptr) continue;
    out.push_back({entry.str_at({"manager"}), entry.str_at({"operation"}), entry.str_at({"apiVersion"}),
                   entry.str_at({"subresource"}), entry.str_at({"time"}), FieldSet::from(*fields)});
  }
  return out;
}

void write(doc::Value& object, Managers managers) {
  std::erase_if(managers, [](const Manager& m) { return m.set.empty(); });
  std::stable_sort(managers.begin(), managers.end(), [](const Manager& a, const Manager& b) {
    return std::tie(a.operation, a.time) < std::tie(b.operation, b.time);
  });
  doc::List list;
  for (const auto& m : managers) {
    doc::Map entry{{"manager", m.name}, {"operation", m.operation}, {"apiVersion", m.api_version}};
    if (!m.time.empty()) entry.set("time", m.time);
    entry.set("fieldsType", "FieldsV1");
    entry.set("fieldsV1", m.set.to_doc());
    if (!m.subresource.empty()) entry.set("subresource", m.subresource);
    list.emplace_back(std::move(entry));
  }
  if (list.empty())
    object["metadata"].map().erase("managedFields");
  else
    object["metadata"]["managedFields"] = std::move(list);
}

// What no manager ever owns (the server's own fields).
FieldSet strip(FieldSet set, const std::vector<std::string>& ignored = {}) {
  for (std::string_view key : {"f:apiVersion", "f:kind"}) set.children.erase(std::string(key));
  for (const auto& name : ignored) set.children.erase("f:" + name);
  auto meta = set.children.find("f:metadata");
  if (meta == set.children.end()) return set;
  for (std::string_view key :
       {"f:name", "f:namespace", "f:generateName", "f:uid", "f:resourceVersion", "f:generation", "f:creationTimestamp",
        "f:selfLink", "f:managedFields", "f:deletionTimestamp", "f:deletionGracePeriodSeconds"})
    meta->second.children.erase(std::string(key));
  if (meta->second.children.empty()) set.children.erase(meta);
  return set;
}

Manager& own(Managers& managers, Manager manager) {
  for (auto& m : managers)
    if (m.is(manager)) return m;
  managers.push_back(std::move(manager));
  return managers.back();
}

constexpr std::size_t most_updaters = 10;

// The two oldest updaters of too many become one.
void cap_updaters(Managers& managers) {
  for (;;) {
    std::vector<Manager*> updaters;
    for (auto& m : managers)
      if (m.operation == "Update" && m.subresource.empty()) updaters.push_back(&m);
    if (updaters.size() <= most_updaters) return;
    std::stable_sort(updaters.begin(), updaters.end(), [](auto* a, auto* b) { return a->time < b->time; });
    Manager* oldest = updaters[0];
    Manager* next = updaters[1];
    next->set.add(oldest->set);
    next->name = "ancient-changes";
    oldest->set = {};
    std::erase_if(managers, [](const Manager& m) { return m.set.empty(); });
  }
}

doc::Value without_managed_fields(const doc::Value& value) {
  doc::Value copy = value;
  if (auto* metadata = copy.map().find("metadata"); metadata != nullptr && metadata->is_map())
    metadata->map().erase("managedFields");
  return copy;
}

void note_conflicts(const Managers& managers, const Manager& mine, const FieldSet& changed,
                    std::vector<Conflict>& out) {
  for (const auto& m : managers) {
    if (m.is(mine)) continue;
    for (auto& path : m.set.common(changed).paths())
      out.push_back({m.name, "conflict with " + m.print(), std::move(path)});
  }
}

}  // namespace

Result<ApplyOutcome> server_side_apply(const ApplyRequest& request) {
  const auto& applied = *request.applied;
  if (const auto* fields = applied.find_path({"metadata", "managedFields"});
      fields != nullptr && fields->is_list() && !fields->if_list()->empty())
    return fail(Kind::invalid, "metadata.managedFields must be nil");
  ApplyOutcome out;
  auto managers = read(request.live);
  TRY(auto said, fields_of(applied, request.schema));
  auto set = strip(said, request.ignored);
  Manager mine{request.manager, "Apply", applied.str_at({"apiVersion"}), request.subresource, request.now, {}};
  auto& entry = own(managers, mine);
  auto last = entry.set;
  if (!(entry.set == set) || entry.api_version != mine.api_version) entry.time = request.now;
  entry.api_version = mine.api_version;
  entry.set = set;

  const doc::Value live = request.live != nullptr ? without_managed_fields(*request.live) : doc::Value(doc::Map{});
  TRY(out.object, detail::merge(live, applied, request.schema));
  if (!last.empty()) {
    FieldSet owned = said;  // with the name and its like, which keep `metadata`
    for (const auto& m : managers) owned.add(m.set);
    detail::prune(out.object, last, owned, request.schema);
  }
  if (request.live != nullptr) {
    TRY(auto difference, detail::compare(&live, &out.object, request.schema));
    auto changed = difference.modified;
    changed.add(difference.added);
    if (!request.force) note_conflicts(managers, mine, changed, out.conflicts);
    if (!out.conflicts.empty()) return out;
    changed.add(difference.removed);
    for (auto& m : managers)
      if (!m.is(mine)) m.set = m.set.minus(changed);
  }
  write(out.object, std::move(managers));
  return out;
}

void track_update(doc::Value& after, const UpdateRecord& update) {
  const auto* given = after.find_path({"metadata", "managedFields"});
  bool clear = given != nullptr && given->is_list() && given->if_list()->size() == 1 &&
               (*given->if_list())[0].is_map() && (*given->if_list())[0].if_map()->empty();
  // What the writer says of the owners counts (kubectl moves them so from client-side to server-side apply).
  bool says = given != nullptr && given->is_list() && !given->if_list()->empty();
  auto managers = clear ? Managers{} : read(update.before == nullptr || says ? &after : update.before);
  if (clear) {
    after["metadata"].map().erase("managedFields");
    return;
  }
  const doc::Value now = without_managed_fields(after);
  const doc::Value was = update.before != nullptr ? without_managed_fields(*update.before) : doc::Value(doc::Map{});
  auto difference = detail::compare(&was, &now, update.schema);
  // A list without its keys cannot be owned by item: then nobody owns the change, which is what happens without
  // tracking.
  if (!difference || difference->same()) return write(after, std::move(managers));
  auto changed = difference->modified;
  changed.add(difference->added);
  changed = strip(std::move(changed));
  Manager mine{update.manager, "Update", after.str_at({"apiVersion"}), update.subresource, update.now, {}};
  auto gone = changed;
  gone.add(difference->removed);
  auto& entry = own(managers, mine);
  auto set = entry.set.minus(difference->removed);
  set.add(changed);
  if (!(set == entry.set)) {
    entry.set = std::move(set);
    entry.time = update.now;
  }
  for (auto& m : managers)
    if (!m.is(mine)) m.set = m.set.minus(gone);
  cap_updaters(managers);
  write(after, std::move(managers));
}

}  // namespace slipway::kube
