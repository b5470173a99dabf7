// Any bytes from a client give messages or an error, within the limit, and end.
#include <algorithm>
#include <cstring>

#include "net/websocket.h"

namespace {

class Bytes final : public slipway::net::ByteStream {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {}
  slipway::Result<std::size_t> read(const slipway::Ctx&, std::span<char> buffer) override {
    auto take = std::min({buffer.size(), left_.size(), std::size_t{7}});
    std::copy_n(left_.begin(), take, buffer.begin());
    left_.remove_prefix(take);
    return take;
  }
  slipway::Result<> write(const slipway::Ctx&, std::string_view) override { return {}; }
  void shutdown() override {}

 private:
  std::string_view left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes stream({reinterpret_cast<const char*>(data), size});
  slipway::net::WebSocket socket(stream, 1000);
  for (;;) {
    auto message = socket.receive({});
    if (!message || !*message) return 0;
    SLP_ASSERT((*message)->data.size() <= 1000);
  }
}
