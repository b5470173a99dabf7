#pragma once
// Types of expressions, as far as a file tells them. Private to ci.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "doc/value.h"

namespace slipway::ci {

struct Type;
using TypePtr = std::shared_ptr<const Type>;

struct Type {
  enum class Sort : std::uint8_t { any, null, number, boolean, string, object, array };
  Sort sort = Sort::any;
  std::map<std::string, TypePtr, std::less<>> members;  // of an object, names in lower case
  TypePtr rest;                                         // object: what other members are; null: there are none
  TypePtr item;                                         // of an array
  bool filtered = false;                                // an array made by .*

  bool is(Sort s) const { return sort == s; }
  bool is_scalar() const { return sort == Sort::number || sort == Sort::boolean || sort == Sort::string; }
  std::string print() const;
};

TypePtr any_type();
TypePtr text_type();
TypePtr number_type();
TypePtr boolean_type();
TypePtr null_type();
TypePtr array_of(TypePtr item);
TypePtr open_object(TypePtr rest);  // {string => rest}
using Members = std::map<std::string, TypePtr, std::less<>>;
TypePtr closed_object(Members members = {});
// From "{os: string, args: [any], *: string}"; names as in the table of contexts.
TypePtr parse_type(std::string_view text);
TypePtr type_of(const doc::Value& value);
// What holds values of both.
TypePtr merged(const TypePtr& a, const TypePtr& b);
// Whether a value of `from` may be given where `to` is wanted.
bool assignable(const Type& to, const Type& from);
// Whether == (ordered: <, >) means something between the two.
bool comparable(const Type& a, const Type& b, bool ordered);

struct Signature {
  std::string_view name;
  std::vector<TypePtr> parameters;
  bool repeats = false;  // the last one may come any number of times
  TypePtr result;
  std::size_t optional = 0;  // of the last parameters
};
// All of one name: contains() takes a text or an array.
std::vector<const Signature*> signatures_of(std::string_view name);
// What a context is where the file says nothing more of it; null: there is none of that name.
TypePtr context_type(std::string_view name);

}  // namespace slipway::ci
