#pragma once
// What a rule wants of an object: "Ready=True & .spec.paused!=True & !stale". health/kinds/README.md lists all forms.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "doc/value.h"

namespace slipway::gitops::rules {

struct Term {
  enum class What { value, kind, deleting, stale, unobserved } what = What::value;
  enum class Op { exists, equal, differs, less, at_most, more, at_least } op = Op::exists;
  bool negated = false, counted = false;
  std::string path;            // of fields.h; or "@annotation", "%label"
  std::int64_t otherwise = 0;  // a number that is absent
  std::string_view right;
};

// `conditions` is the path where the kind's conditions stand. Leads into `text`. Problems: what cannot be read.
std::vector<Term> read_terms(std::string_view text, std::string_view conditions, std::vector<std::string>& problems);
bool hold(const std::vector<Term>& terms, const doc::Value& object);

// The path of a condition's field; "" for the condition itself.
std::string condition_path(std::string_view conditions, std::string_view name, std::string_view field);
// "Ready.reason": the condition and the field, or the condition alone.
std::pair<std::string_view, std::string_view> condition_field(std::string_view word);

}  // namespace slipway::gitops::rules
