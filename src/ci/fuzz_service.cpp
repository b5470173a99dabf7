// What the services of JavaScript actions read before they know who speaks.
#include "ci/actions_source.h"
#include "ci/mirror/names.h"
#include "ci/service/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100}, std::uint64_t{1} << 62}) {
    auto range = ci::parse_range(text, bytes);
    if (range && *range) {
      SLP_ASSERT((*range)->length > 0 && (*range)->length <= bytes && (*range)->offset <= bytes - (*range)->length);
    }
  }
  if (auto range = ci::parse_content_range(text))
    SLP_ASSERT(range->length > 0 && range->offset + range->length > range->offset);
  if (auto list = ci::parse_block_list(text))
    for (auto& id : *list) SLP_ASSERT(ci::is_block_id(id));
  if (ci::check_artifact_name(text)) SLP_ASSERT(!text.contains('/') && !text.contains('\n'));
  if (ci::is_media_type(text)) SLP_ASSERT(text.find_first_of("\r\n\"; ") == std::string_view::npos);
  if (ci::check_cache_version(text)) SLP_ASSERT(!text.contains(':'));
  if (auto lock = ci::ActionLock::parse(text)) {
    auto again = ci::ActionLock::parse(lock->print());
    SLP_ASSERT(again && again->print() == lock->print());
  }
  if (ci::is_action_ref(text)) SLP_ASSERT(!text.contains("..") && !text.starts_with('/'));
  return 0;
}
