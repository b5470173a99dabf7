#pragma once
// What is wrong with an object, by field, in the words of apimachinery's field errors. Private to the room.
#include "cluster/api/status.h"
#include "doc/json.h"
#include "kube/object.h"

namespace slipway::cluster {

// Collects what is wrong, by field.
class Findings {
 public:
  void required(std::string field, std::string_view why = {}) {
    causes.push_back({"FieldValueRequired", why.empty() ? "Required value" : fmt::format("Required value: {}", why),
                      std::move(field)});
  }
  void invalid(std::string field, const doc::Value& value, std::string_view why) {
    causes.push_back(
        {"FieldValueInvalid", fmt::format("Invalid value: {}: {}", doc::print_json(value), why), std::move(field)});
  }
  void unsupported(std::string field, const doc::Value& value, std::string_view want) {
    causes.push_back({"FieldValueNotSupported",
                      fmt::format("Unsupported value: {}: supported values: {}", doc::print_json(value), want),
                      std::move(field)});
  }
  void forbidden(std::string field, std::string_view why) {
    causes.push_back({"FieldValueForbidden", fmt::format("Forbidden: {}", why), std::move(field)});
  }
  void duplicate(std::string field, const doc::Value& value) {
    causes.push_back(
        {"FieldValueDuplicate", fmt::format("Duplicate value: {}", doc::print_json(value)), std::move(field)});
  }
  void too_long(std::string field, std::size_t most) {
    causes.push_back(
        {"FieldValueTooLong", fmt::format("Too long: may not be more than {} bytes", most), std::move(field)});
  }
  std::vector<Cause> causes;
};

bool is_path_segment(std::string_view name);

// Rule: pkg/apis/autoscaling/validation.
void check_autoscaler(const doc::View& object, Findings& out);

}  // namespace slipway::cluster
