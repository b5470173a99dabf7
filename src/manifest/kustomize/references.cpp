// Hash suffixes of generated objects, and the names by which other objects speak of them.
#include <algorithm>
#include <set>

#include "base/hash.h"
#include "doc/json.h"
#include "manifest/detail/overlay.h"
#include "manifest/detail/transform.h"

namespace slipway::manifest {
namespace {

using doc::Map;
using doc::Value;

// encoding/json, which kustomize hashes: keys in byte order, <, > and & escaped.
void append_go_json(std::string& out, const Value& value) {
  if (const auto* map = value.if_map()) {
    Map sorted = *map;
    sorted.sort_keys();
    out += '{';
    bool first = true;
    for (const auto& [key, member] : sorted) {
      if (!std::exchange(first, false)) out += ',';
      append_go_json(out, Value(key));
      out += ':';
      append_go_json(out, member);
    }
    out += '}';
    return;
  }
  if (const auto* list = value.if_list()) {
    out += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i != 0) out += ',';
      append_go_json(out, (*list)[i]);
    }
    out += ']';
    return;
  }
  auto text = doc::print_json(value);
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '<' || c == '>' || c == '&') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else if (static_cast<unsigned char>(c) == 0xe2 && text.compare(i, 3, "\xe2\x80\xa8") == 0) {
      out += "\\u2028", i += 2;
    } else if (static_cast<unsigned char>(c) == 0xe2 && text.compare(i, 3, "\xe2\x80\xa9") == 0) {
      out += "\\u2029", i += 2;
    } else if (c == '\\' && i + 1 < text.size()) {
      out += c, out += text[++i];
    } else {
      out += c;
    }
  }
}

std::string content_hash(const Resource& resource) {
  auto kind = resource.gvk().kind;
  auto field = [&](std::string_view key) -> Value {
    const auto* found = resource.node.find(key);
    return found == nullptr ? Value("") : found->is_map() ? *found : Value(scalar_text(*found));
  };
  Value hashed = Value(Map());
  if (kind == "ConfigMap" || kind == "Secret") {
    // "metadata/name" is looked up as one key, which no object has: the name does not count.
    hashed["kind"] = Value(kind), hashed["name"] = Value(""), hashed["data"] = field("data");
    if (kind == "Secret") hashed["type"] = field("type");
    auto extra = kind == "Secret" ? "stringData" : "binaryData";
    if (const auto* more = resource.node.find(extra); more != nullptr && more->is_map()) hashed[extra] = *more;
  } else {
    hashed = resource.node;
  }
  std::string text;
  append_go_json(text, hashed);
  auto hex = sha256_hex(text).substr(0, 10);
  for (char& c : hex) {
    constexpr std::string_view from = "013ae", to = "ghkmt";
    if (auto i = from.find(c); i != std::string_view::npos) c = to[i];
  }
  return hex;
}

// The last of the shorter list must be the last of the longer.
bool same_ending(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto &shorter = a.size() <= b.size() ? a : b, &longer = a.size() <= b.size() ? b : a;
  if (shorter.empty()) return longer.empty();
  return std::equal(shorter.rbegin(), shorter.rend(), longer.rbegin());
}

bool same_affixes(const Resource& a, const Resource& b, bool allow_empty) {
  bool prefix = same_ending(a.prefixes, b.prefixes), suffix = same_ending(a.suffixes, b.suffixes);
  if (!allow_empty) return prefix && suffix;
  return (prefix || a.prefixes.empty() || b.prefixes.empty()) && (suffix || a.suffixes.empty() || b.suffixes.empty());
}

// What may name others in objects of one kind.
struct Specs {
  std::vector<std::pair<const Gvk*, const FieldSpec*>> list;  // the target's kind, the place
  FieldTree tree;
};

class Fixer {
 public:
  explicit Fixer(const ResMap& map) : map_(map) {
    for (const auto& resource : map.all()) {
      by_original_space_[std::string(resource->original().effective_space())].push_back(resource.get());
    }
  }

  // The names in one object, at the places that `specs` tell of objects of its kind.
  Result<> fix(Resource& referrer, const Specs& specs) {
    referrer_ = &referrer;
    auto done = specs.tree.visit(referrer, [&](Value& field, std::size_t spec) {
      std::tie(target_, spec_) = specs.list[spec];
      return set(field);
    });
    if (done) return {};
    return Fail(std::move(done).error().in(fmt::format("updating name reference in {}", referrer.id().print())));
  }
  void enter(Resource& referrer) {
    id_ = referrer.id();
    binding_spaces_.clear();
    if (id_.gvk.kind != "RoleBinding") return;
    const auto* subjects = referrer.node.find("subjects");
    if (subjects == nullptr || !subjects->is_list()) return;
    for (const auto& subject : *subjects->if_list()) {
      const auto *kind = subject.find("kind"), *space = subject.find("namespace");
      if (kind != nullptr && space != nullptr && scalar_text(*kind) == "ServiceAccount")
        binding_spaces_.insert(scalar_text(*space));
    }
  }

 private:
  Result<> set(Value& field) {
    if (field.is_null()) return {};
    if (auto* list = field.if_list()) {
      for (auto& item : *list) {
        if (item.is_null()) continue;
        if (item.is_list()) return fail(Kind::invalid, "want a string or a map, got a list");
        TRY_OK(set(item));
      }
      return {};
    }
    return field.is_map() ? set_map(*field.if_map()) : set_scalar(field);
  }

  Result<> set_scalar(Value& field) {
    auto old = scalar_text(field);
    TRY(auto* found, choose(old, map_.named(old), false));
    if (found != nullptr && found->name() != old) field = Value(found->name());
    return {};
  }

  Result<> set_map(Map& map) {
    const auto* name = map.find("name");
    if (name == nullptr) return fail(Kind::invalid, "no 'name' in the map at '{}'", spec_->path);
    auto old = scalar_text(*name);
    auto candidates = map_.named(old);
    if (const auto* space = map.find("namespace"); space != nullptr) keep_space(candidates, scalar_text(*space));
    TRY(auto* found, choose(old, std::move(candidates), true));
    if (found == nullptr) return {};
    auto now = found->name(), space = found->space();
    if (now == old && space.empty()) return {};
    map.set("name", Value(now));
    if (!space.empty()) map.set("namespace", Value(space));
    return {};
  }

  // By the namespaces objects had at first, if any was there; else by those they have.
  void keep_space(std::vector<Resource*>& candidates, const std::string& space) {
    auto group = by_original_space_.find(space);
    bool known = group != by_original_space_.end() && space != "_non_namespaceable_" &&
                 std::any_of(group->second.begin(), group->second.end(), [&](Resource* r) { return reachable(*r); });
    std::erase_if(candidates,
                  [&](Resource* r) { return (known ? r->original() : r->id()).effective_space() != space; });
  }

  // Can the referrer speak of the object at all, being where they are?
  bool reachable(const Resource& resource) const {
    if (id_.outside) return true;
    auto id = resource.id();
    return id.outside || id.same_space(id_) || binding_spaces_.contains(id.space);
  }

  bool was(const Resource& resource, const std::string& name, const std::optional<Gvk>& role) const {
    bool named = false, kind = false, role_kind = !role;
    for (std::size_t i = 0; i < resource.previous.size(); ++i) {
      named |= resource.previous[i].name == name;
      auto gvk = resource.previous_id(i).gvk;
      kind |= gvk.selected_by(*target_);
      role_kind |= role && gvk.selected_by(*role);
    }
    return named && kind && role_kind;
  }

  std::optional<Gvk> role() const {
    if (!spec_->path.ends_with("roleRef/name")) return std::nullopt;
    const auto *group = referrer_->node.find_path({"roleRef", "apiGroup"}),
               *kind = referrer_->node.find_path({"roleRef", "kind"});
    if (group == nullptr || kind == nullptr) return std::nullopt;
    return Gvk{scalar_text(*group), "", scalar_text(*kind)};
  }

  Result<Resource*> choose(const std::string& name, std::vector<Resource*> candidates, bool with_space) const {
    auto role_gvk = role();
    std::erase_if(candidates, [&](Resource* r) {
      if (!was(*r, name, role_gvk) || !reachable(*r)) return true;
      if (id_.outside) return false;
      auto id = r->id();
      return !(id.outside || id.gvk.kind == "ServiceAccount" || id.same_space(id_));
    });
    if (candidates.size() == 1) return candidates[0];
    std::erase_if(candidates, [&](Resource* r) { return !same_affixes(*r, *referrer_, true); });
    if (candidates.size() > 1)
      std::erase_if(candidates, [&](Resource* r) { return !same_affixes(*r, *referrer_, false); });
    if (candidates.empty()) return nullptr;
    for (auto* other : candidates) {
      bool same = other->name() == candidates[0]->name() && (!with_space || other->space() == candidates[0]->space());
      if (!same) {
        return fail(Kind::conflict, "found multiple possible referrals: {}, {}", candidates[0]->id().print(),
                    other->id().print());
      }
    }
    return candidates[0];
  }

  const ResMap& map_;
  std::unordered_map<std::string, std::vector<Resource*>> by_original_space_;
  Resource* referrer_ = nullptr;
  const Gvk* target_ = nullptr;
  const FieldSpec* spec_ = nullptr;
  ResId id_;
  std::set<std::string> binding_spaces_;
};

}  // namespace

Result<> add_hashes(ResMap& map) {
  for (const auto& resource : map.all()) {
    if (!resource->hash_name) continue;
    auto hash = content_hash(*resource);
    resource->store_id();
    resource->set_name(fmt::format("{}-{}", resource->name(), hash));
    map.note(resource);
  }
  return {};
}

Result<> fix_references(ResMap& map, const std::vector<NameReference>& rules) {
  // Nothing was renamed: nothing to fix.
  if (std::all_of(map.all().begin(), map.all().end(), [](const auto& r) { return r->previous.empty(); })) return {};
  std::unordered_map<std::string, std::vector<std::pair<const Gvk*, const FieldSpec*>>> by_kind;
  for (const auto& rule : rules) {
    for (const auto& spec : rule.referrers) by_kind[spec.gvk.kind].emplace_back(&rule.target, &spec);
  }
  Fixer fixer(map);
  std::unordered_map<std::string, Specs> known;  // by group, version, kind
  std::vector<std::pair<Resource*, Gvk>> referrers;
  for (const auto& resource : map.all()) referrers.emplace_back(resource.get(), resource->original().gvk);
  for (auto& [resource, gvk] : referrers) {
    fixer.enter(*resource);
    auto [specs, fresh] = known.try_emplace(gvk.print());
    if (fresh) {
      for (const auto& kind : {gvk.kind, std::string()})
        for (const auto& [target, spec] : by_kind[kind])
          if (gvk.selected_by(spec->gvk)) {
            specs->second.list.emplace_back(target, spec);
            specs->second.tree.add(*spec);
          }
    }
    TRY_OK(fixer.fix(*resource, specs->second));
  }
  return {};
}

}  // namespace slipway::manifest
