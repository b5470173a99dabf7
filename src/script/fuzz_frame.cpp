// What the runner may answer, were it taken over: read as fields or refused, and fields come back as they went.
#include "base/result.h"
#include "script/frame.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto fields = script::fields_of(bytes);
  if (!fields) return 0;
  auto frame = script::frame_of(*fields);
  std::string_view rest(frame);
  auto length = script::take_length(rest);
  SLP_ASSERT(length && *length == rest.size() && rest == bytes);
  SLP_ASSERT(script::fields_of(rest) == fields);
  return 0;
}
