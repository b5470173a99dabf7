// A template out of nowhere: refused with a place, or rendered without end or crash.
#include "notify/template.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto made = notify::Template::parse({reinterpret_cast<const char*>(data), size});
  if (!made) {
    SLP_ASSERT(made.error().what().starts_with("template:"));
    return 0;
  }
  path::Notice notice;
  notice.title = "t", notice.facts = {{"a", "b"}};
  (void)made->render(notice);
  return 0;
}
