#pragma once
// The objects of one run and the rules over them.
#include "doc/view.h"
#include "lint/lint.h"

namespace slipway::lint::detail {

struct Object {
  std::string file;
  const std::vector<std::string>* lines = nullptr;
  doc::Value value;
  doc::View view() const { return doc::View(value, file); }
  std::string kind() const { return value.str_at({"kind"}); }
  std::string api_version() const { return value.str_at({"apiVersion"}); }
  std::string name() const { return value.str_at({"metadata", "name"}); }
  std::string ns() const { return value.str_at({"metadata", "namespace"}); }
  std::string describe() const { return kind() + " " + name(); }
};

class Report {
 public:
  explicit Report(const Options& options) : options_(options) {}
  // At the value's place (of its nearest parent when it is absent).
  void add(std::string_view rule, const Object& object, doc::View at, std::string message);
  std::vector<path::Finding> take();

 private:
  const Options& options_;
  std::vector<path::Finding> findings_;
};

// The pod spec of a workload, its labels and selector; an absent view for other kinds.
doc::View pod_spec(const Object& object);
doc::View pod_labels(const Object& object);
bool is_workload(const Object& object);                             // makes pods that stay: not Job, CronJob, Pod
std::vector<std::pair<doc::View, bool>> containers(doc::View pod);  // container, whether an init container

void pod_rules(const Object& object, Report& report);
void object_rules(const Object& object, Report& report);
void set_rules(std::span<const Object> objects, Report& report);

}  // namespace slipway::lint::detail
