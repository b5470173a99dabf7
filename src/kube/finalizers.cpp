#include "kube/finalizers.h"

#include <algorithm>

namespace slipway::kube {

bool has_finalizer(const Object& object, const std::function<bool(std::string_view)>& which) {
  auto finalizers = object["metadata"]["finalizers"].items();
  return std::any_of(finalizers.begin(), finalizers.end(), [&](doc::View f) { return which(f.text()); });
}

Result<std::optional<Object>> drop_finalizers(const Ctx& ctx, Client& client, const Type& type, const Key& key,
                                              const std::function<bool(std::string_view)>& which) {
  auto freed = modify(ctx, client, type, key, {}, [&](doc::Value& object) -> Result<bool> {
    auto* meta = object.if_map() != nullptr ? object.if_map()->find("metadata") : nullptr;
    auto* list = meta != nullptr && meta->if_map() != nullptr ? meta->if_map()->find("finalizers") : nullptr;
    if (list == nullptr || list->if_list() == nullptr) return false;
    return std::erase_if(*list->if_list(),
                         [&](const doc::Value& f) { return f.if_string() != nullptr && which(*f.if_string()); }) > 0;
  });
  if (freed) return std::optional(*std::move(freed));
  if (freed.error().is(Kind::not_found)) return std::optional<Object>();
  return Fail(std::move(freed).error());
}

}  // namespace slipway::kube
