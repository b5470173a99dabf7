#include "base/text.h"
#include "ci/detail/lint_types.h"

namespace slipway::ci {
namespace {

using Sort = Type::Sort;

TypePtr made(Sort sort) {
  auto type = std::make_shared<Type>();
  type->sort = sort;
  return type;
}

// "name type"; {a: type, *: type} objects, [type] arrays.
constexpr std::string_view contexts[] = {
    "github {action: string, action_path: string, action_ref: string, action_repository: string, action_status: "
    "string, actor: string, actor_id: string, api_url: string, artifact_cache_size_limit: number, base_ref: string, "
    "env: string, event: {*: any}, event_name: string, event_path: string, graphql_url: string, head_ref: string, "
    "job: string, output: string, path: string, ref: string, ref_name: string, ref_protected: boolean, ref_type: "
    "string, repository: string, repository_id: string, repository_owner: string, repository_owner_id: string, "
    "repository_visibility: string, repositoryurl: string, retention_days: number, run_attempt: string, run_id: "
    "string, run_number: string, secret_source: string, server_url: string, sha: string, state: string, "
    "step_summary: string, token: string, triggering_actor: string, workflow: string, workflow_ref: string, "
    "workflow_sha: string, workspace: string}",
    "env {*: string}",
    "job {check_run_id: number, container: {id: string, network: string}, services: {*: {id: string, network: "
    "string, ports: any}}, status: string, workflow_ref: string, workflow_sha: string, workflow_repository: "
    "string, workflow_file_path: string}",
    "runner {arch: string, debug: string, environment: string, name: string, os: string, temp: string, tool_cache: "
    "string, workspace: string}",
    "secrets {*: string}",
    "strategy {fail-fast: boolean, job-index: number, job-total: number, max-parallel: number}",
    "matrix {}",
    "steps {}",
    "needs {}",
    "inputs {}",
    "vars {*: string}",
    "jobs {}",
};

class TypeReader {
 public:
  explicit TypeReader(std::string_view text) : text_(text) {}
  TypePtr read() {
    blanks();
    if (eat('[')) {
      auto item = read();
      eat(']');
      return array_of(std::move(item));
    }
    if (eat('{')) return object();
    auto name = word();
    if (name == "string") return text_type();
    if (name == "number") return number_type();
    if (name == "boolean") return boolean_type();
    return any_type();
  }

 private:
  TypePtr object() {
    auto type = std::make_shared<Type>();
    type->sort = Sort::object;
    for (blanks(); !eat('}'); blanks()) {
      auto name = std::string(word());
      eat(':');
      auto value = read();
      if (name == "*")
        type->rest = std::move(value);
      else
        type->members[name] = std::move(value);
      blanks();
      eat(',');
    }
    return type;
  }
  std::string_view word() {
    auto end = std::min(text_.find_first_of(" :,]}[{", at_), text_.size());
    auto out = text_.substr(at_, end - at_);
    at_ = end;
    return out;
  }
  void blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};

const std::vector<Signature>& signatures() {
  static const std::vector<Signature> all = [] {
    auto s = text_type(), b = boolean_type(), a = any_type(), list = array_of(any_type());
    return std::vector<Signature>{
        {"contains", {list, a}, false, b}, {"contains", {s, s}, false, b}, {"startsWith", {s, s}, false, b},
        {"endsWith", {s, s}, false, b},    {"format", {s, a}, true, s, 1}, {"join", {array_of(s), s}, false, s, 1},
        {"join", {s, s}, false, s, 1},     {"toJSON", {a}, false, s},      {"fromJSON", {s}, false, a},
        {"hashFiles", {s}, true, s},       {"case", {b, a, a}, true, a},   {"success", {s}, true, b, 1},
        {"failure", {s}, true, b, 1},      {"always", {}, false, b},       {"cancelled", {}, false, b},
    };
  }();
  return all;
}

TypePtr merged_objects(const Type& a, const Type& b) {
  auto out = std::make_shared<Type>(a);
  for (auto& [name, type] : b.members) {
    auto found = out->members.find(name);
    if (found == out->members.end())
      out->members[name] = type;
    else
      found->second = merged(found->second, type);
  }
  out->rest = a.rest && b.rest ? merged(a.rest, b.rest) : a.rest ? a.rest : b.rest;
  return out;
}

}  // namespace

TypePtr any_type() {
  static const TypePtr type = made(Sort::any);
  return type;
}
TypePtr text_type() {
  static const TypePtr type = made(Sort::string);
  return type;
}
TypePtr number_type() {
  static const TypePtr type = made(Sort::number);
  return type;
}
TypePtr boolean_type() {
  static const TypePtr type = made(Sort::boolean);
  return type;
}
TypePtr null_type() {
  static const TypePtr type = made(Sort::null);
  return type;
}
TypePtr array_of(TypePtr item) {
  auto type = std::make_shared<Type>();
  type->sort = Sort::array, type->item = std::move(item);
  return type;
}
TypePtr open_object(TypePtr rest) {
  auto type = std::make_shared<Type>();
  type->sort = Sort::object, type->rest = std::move(rest);
  return type;
}
TypePtr closed_object(Members members) {
  auto type = std::make_shared<Type>();
  type->sort = Sort::object, type->members = std::move(members);
  return type;
}
TypePtr parse_type(std::string_view text) { return TypeReader(text).read(); }

TypePtr type_of(const doc::Value& value) {
  if (value.is_null()) return null_type();
  if (value.is_bool()) return boolean_type();
  if (value.is_number()) return number_type();
  if (value.is_string()) return text_type();
  if (auto* list = value.if_list()) {
    TypePtr item;
    for (auto& one : *list) item = item ? merged(item, type_of(one)) : type_of(one);
    return array_of(item ? item : any_type());
  }
  Members members;
  for (auto& [name, one] : *value.if_map()) members[lower(name)] = type_of(one);
  return closed_object(std::move(members));
}

std::string Type::print() const {
  switch (sort) {
    case Sort::any:
      return "any";
    case Sort::null:
      return "null";
    case Sort::number:
      return "number";
    case Sort::boolean:
      return "boolean";
    case Sort::string:
      return "string";
    case Sort::array:
      return fmt::format("[{}]", item->print());
    case Sort::object:
      break;
  }
  std::string out;
  for (auto& [name, type] : members) out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", name, type->print());
  if (rest) out += fmt::format("{}*: {}", out.empty() ? "" : ", ", rest->print());
  return "{" + out + "}";
}

TypePtr merged(const TypePtr& a, const TypePtr& b) {
  if (a->is(Sort::any) || b->is(Sort::any)) return any_type();
  if (a->is(Sort::object) && b->is(Sort::object)) return merged_objects(*a, *b);
  if (a->is(Sort::array) && b->is(Sort::array)) return array_of(merged(a->item, b->item));
  if (a->sort == b->sort) return a;
  // What is no text is printed as one where the other is.
  if ((a->is(Sort::string) && b->is_scalar()) || (b->is(Sort::string) && a->is_scalar())) return text_type();
  return any_type();
}

bool assignable(const Type& to, const Type& from) {
  if (to.is(Sort::any) || from.is(Sort::any)) return true;
  if (to.is(Sort::string)) return from.is_scalar();
  if (to.is(Sort::boolean)) return from.is(Sort::boolean) || from.is(Sort::string) || from.is(Sort::number);
  if (to.is(Sort::array)) return from.is(Sort::array) && assignable(*to.item, *from.item);
  return to.sort == from.sort;
}

bool comparable(const Type& a, const Type& b, bool ordered) {
  if (a.is(Sort::any) || b.is(Sort::any)) return true;
  if (ordered) {
    auto fits = [](const Type& t) { return t.is(Sort::number) || t.is(Sort::string); };
    return fits(a) && fits(b);
  }
  if (a.is(Sort::null) || b.is(Sort::null)) return true;
  if (a.is(Sort::array) && b.is(Sort::array)) return comparable(*a.item, *b.item, false);
  if (a.is_scalar() && b.is_scalar()) return true;
  return a.sort == b.sort;
}

std::vector<const Signature*> signatures_of(std::string_view name) {
  std::vector<const Signature*> out;
  for (auto& signature : signatures())
    if (iequals(signature.name, name)) out.push_back(&signature);
  return out;
}

TypePtr context_type(std::string_view name) {
  static const std::map<std::string, TypePtr, std::less<>> all = [] {
    std::map<std::string, TypePtr, std::less<>> made;
    for (auto line : contexts) {
      auto parts = cut(line, " ");
      made[std::string(parts->first)] = parse_type(parts->second);
    }
    return made;
  }();
  auto found = all.find(lower(name));
  return found == all.end() ? nullptr : found->second;
}

}  // namespace slipway::ci
