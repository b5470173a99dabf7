// Any bytes as a protobuf request: decoded or refused.
#include "cluster/api/protobuf.h"
#include "doc/json.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const auto& text : {bytes, std::string("k8s\0", 4) + bytes}) {
    auto object = cluster::decode_protobuf(text);
    if (object) SLP_ASSERT(object->is_map() && !doc::print_json(*object).empty());
  }
  return 0;
}
