// Git addresses, cache records and build checks: any text ends, and what was read can be written and read again.
#include "base/result.h"
#include "image/checks.h"
#include "image/detail/cache_records.h"
#include "image/detail/git_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto git = detail::parse_git_address(text); git && *git) {
    SLP_ASSERT(!(*git)->remote.starts_with('-') && !(*git)->ref.starts_with('-'));
    SLP_ASSERT(!(*git)->folder.starts_with('/') && !(*git)->folder.starts_with(".."));
  }
  if (auto records = detail::parse_cache_records(text)) {
    auto again = detail::parse_cache_records(detail::print(*records));
    SLP_ASSERT(again && detail::print(*again) == detail::print(*records));
  }
  auto file = parse_dockerfile(text);
  if (!file) return 0;
  if (auto plan = plan_stages(*file)) (void)check_dockerfile(*file, *plan);
  return 0;
}
