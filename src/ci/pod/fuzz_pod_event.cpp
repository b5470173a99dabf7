// What agents tell: lines that a job's own steps may have had a hand in.
#include "ci/pod/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto event = ci::parse_event(text)) {
    auto again = ci::parse_event(ci::print(*event));
    SLP_ASSERT(again && again->number == event->number && again->text == event->text);
  }
  if (auto job = ci::parse_description(text)) {
    auto again = ci::parse_description(ci::print(*job));
    SLP_ASSERT(again && again->key == job->key && again->files == job->files);
  }
  return 0;
}
