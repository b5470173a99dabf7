// Server-side apply of anything onto anything: applying the same again changes nothing.
#include "doc/json.h"
#include "kube/apply.h"
#include "kube/quantity.h"
#include "kube/schema.h"
#include "kube/validate.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto q = kube::Quantity::parse(text)) {
    auto again = kube::Quantity::parse(q->print());
    SLP_ASSERT(again && again->print() == q->print());
  }
  auto input = doc::parse_json(text);
  if (!input || !input->is_map()) return 0;
  const auto* applied = input->find("applied");
  const auto* live = input->find("live");
  if (applied == nullptr || !applied->is_map()) return 0;
  if (live != nullptr && (!live->is_map() || (live->find("metadata") != nullptr && !live->find("metadata")->is_map())))
    live = nullptr;
  if (const auto* metadata = applied->find("metadata"); metadata != nullptr && !metadata->is_map()) return 0;
  const auto* schema = kube::builtin_schema({"apps/v1", "Deployment"});
  doc::Value config = *applied;
  (void)kube::check(config, *schema);
  for (const doc::MergeSchema* s :
       {static_cast<const doc::MergeSchema*>(schema), static_cast<const doc::MergeSchema*>(nullptr)}) {
    auto first = kube::server_side_apply({live, &config, "m", "", "T1", s, true, {}});
    if (!first) continue;
    auto second = kube::server_side_apply({&first->object, &config, "m", "", "T2", s, true, {}});
    SLP_ASSERT(second && second->object == first->object);
    doc::Value updated = first->object;
    updated["spec"]["more"] = 1;
    kube::track_update(updated, {.before = &first->object, .manager = "u", .now = "T3", .schema = s});
  }
  return 0;
}
