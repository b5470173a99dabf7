#include "kube/schema.h"

#include "base/text.h"

extern "C" const char slipway_kube_kinds_begin[], slipway_kube_kinds_end[];

namespace slipway::kube {
namespace {

// The parsed table. Names point into it.
class Table {
 public:
  Table() {
    std::string_view text(slipway_kube_kinds_begin,
                          static_cast<std::size_t>(slipway_kube_kinds_end - slipway_kube_kinds_begin));
    Struct* current = nullptr;
    for (auto line : lines(text)) {
      if (line.starts_with("V "))
        version_ = line.substr(2);
      else if (line.starts_with("K "))
        kind_lines_.push_back(line);
      else if (line.starts_with("T "))
        current = &open(line.substr(2));
      else if (!line.empty())
        field(*current, line);
    }
    for (auto& [name, s] : structs_)
      std::sort(s->members.begin(), s->members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
    for (auto line : kind_lines_) kind(line);
  }
  const Struct* find(std::string_view name) const {
    auto it = structs_.find(name);
    return it == structs_.end() ? nullptr : it->second.get();
  }
  // A schema node for the whole of an object of this type.
  const Schema* root(std::string_view name) {
    auto it = roots_.find(name);
    return it == roots_.end() ? nullptr : it->second.get();
  }
  const std::vector<BuiltinKind>& kinds() const { return kinds_; }
  std::string_view version() const { return version_; }

 private:
  Struct& open(std::string_view name) {
    auto& slot = structs_[name];
    if (!slot) {
      slot = std::make_unique<Struct>();
      slot->name = name;
      auto root = std::make_unique<Schema>();
      root->shape = Schema::Shape::object;
      root->fields = slot.get();
      roots_.emplace(name, std::move(root));
    }
    return *slot;
  }
  void shape(Schema& schema, std::string_view text) {
    using S = Schema::Shape;
    switch (text[0]) {
      case 's':
        schema.shape = S::string;
        return;
      case 'i':
        schema.shape = S::int32;
        return;
      case 'l':
        schema.shape = S::int64;
        return;
      case 'b':
        schema.shape = S::boolean;
        return;
      case 'n':
        schema.shape = S::number;
        return;
      case 'y':
        schema.shape = S::bytes;
        return;
      case 't':
        schema.shape = S::time;
        return;
      case 'u':
        schema.shape = S::micro_time;
        return;
      case 'q':
        schema.shape = S::quantity;
        return;
      case 'x':
        schema.shape = S::int_or_string;
        return;
      case '@':
        schema.shape = S::object;
        schema.fields = &open(text.substr(1));
        return;
      case '[':
      case '{':
        schema.shape = text[0] == '[' ? S::list : S::map;
        schema.owned_items = std::make_unique<Schema>();
        schema.items = schema.owned_items.get();
        shape(*schema.owned_items, text.substr(1));
        return;
      default:
        schema.shape = S::any;
    }
  }
  void field(Struct& into, std::string_view line) {
    auto parts = split(line, ' ');
    Member member;
    member.name = parts[0];
    member.schema = std::make_unique<Schema>();
    auto& schema = *member.schema;
    shape(schema, parts[1]);
    member.number = static_cast<std::uint16_t>(to_int(parts[2]).value_or(0));
    for (auto part : std::span(parts).subspan(3)) {
      if (part.starts_with("L=")) {
        using L = doc::MergeSchema::ListType;
        schema.list = part[2] == 'm' ? L::map : part[2] == 's' ? L::set : L::atomic;
        if (part[2] == 'm')
          for (auto key : split(part.substr(4), ',')) schema.keys.emplace_back(key);
      } else if (part.starts_with("P=")) {
        schema.merges = true;
        schema.merge_key = part.substr(2);
      } else {
        auto has = [&](char c) { return part.find(c) != std::string_view::npos; };
        member.required = has('r'), member.omit_empty = has('o'), member.pointer = has('p'), member.inlined = has('I');
        schema.atomic = has('A'), schema.retains = has('R');
      }
    }
    into.members.push_back(std::move(member));
  }
  static std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    if (text == "-") return out;
    for (auto word : split(text, ',')) out.emplace_back(word);
    return out;
  }
  void kind(std::string_view line) {
    auto p = split(line, ' ');
    BuiltinKind k;
    k.group = p[1] == "-" ? std::string_view() : p[1];
    k.version = p[2];
    k.type = {k.group.empty() ? std::string(k.version) : fmt::format("{}/{}", k.group, k.version), std::string(p[3])};
    k.plural = p[4], k.singular = p[5];
    k.namespaced = p[6] == "N";
    k.schema = root(p[7]);
    k.short_names = words(p[8]), k.categories = words(p[9]), k.verbs = words(p[10]), k.subresources = words(p[11]);
    kinds_.push_back(std::move(k));
  }

  std::map<std::string_view, std::unique_ptr<Struct>> structs_;
  std::map<std::string_view, std::unique_ptr<Schema>> roots_;
  std::vector<std::string_view> kind_lines_;
  std::vector<BuiltinKind> kinds_;
  std::string_view version_;
};

Table& table() {
  static Table* const built = new Table();
  return *built;
}

}  // namespace

const Member* Struct::find(std::string_view member) const {
  auto it = std::lower_bound(members.begin(), members.end(), member,
                             [](const Member& m, std::string_view n) { return m.name < n; });
  return it != members.end() && it->name == member && !it->inlined ? &*it : nullptr;
}
const Member* Struct::by_number(std::uint32_t number) const {
  for (const auto& m : members)
    if (m.number == number) return &m;
  return nullptr;
}

const Schema* Schema::child(std::string_view key) const {
  if (fields != nullptr)
    if (const auto* m = fields->find(key)) return m->schema.get();
  return shape == Shape::map || (shape == Shape::object && items != nullptr) ? items : nullptr;
}

const std::vector<BuiltinKind>& builtin_kinds() { return table().kinds(); }
const BuiltinKind* find_builtin(const Type& type) {
  for (const auto& kind : table().kinds())
    if (kind.type == type) return &kind;
  return nullptr;
}
const Schema* builtin_schema(const Type& type) {
  if (const auto* kind = find_builtin(type)) return kind->schema;
  if (type.kind == "DeleteOptions") return table().root("meta.v1.DeleteOptions");
  if (type == Type{"autoscaling/v1", "Scale"}) return table().root("autoscaling.v1.Scale");
  if (type == Type{"policy/v1", "Eviction"}) return table().root("policy.v1.Eviction");
  if (type == Type{"authentication.k8s.io/v1", "TokenRequest"}) return table().root("authentication.v1.TokenRequest");
  return nullptr;
}
const Schema* schema_of_struct(std::string_view name) { return table().root(name); }
std::string_view builtin_version() { return table().version(); }

}  // namespace slipway::kube
