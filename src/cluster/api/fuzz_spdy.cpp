// What a client of port-forward may send: sessions end, with every stream answered or dropped.
#include "cluster/api/spdy.h"

namespace {

using namespace slipway;

// The fuzzer's bytes as one WebSocket message, masked with a key of noughts, then the end.
class Client final : public net::ByteStream {
 public:
  explicit Client(std::string_view bytes) {
    bytes_ = "\x82\xfe";
    bytes_ += static_cast<char>(bytes.size() >> 8);
    bytes_ += static_cast<char>(bytes.size() & 0xff);
    bytes_.append(4, '\0');
    bytes_ += bytes;
  }
  Result<std::size_t> read(const Ctx&, std::span<char> buffer) override {
    auto take = std::min(buffer.size(), bytes_.size() - at_);
    std::memcpy(buffer.data(), bytes_.data() + at_, take);
    at_ += take;
    return take;
  }
  Result<> write(const Ctx&, std::string_view) override { return {}; }
  void shutdown() override {}

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 60'000) return 0;
  Client client({reinterpret_cast<const char*>(data), size});
  net::WebSocket socket(client);
  cluster::forward_ports({}, socket, [](const Ctx&, int) -> Result<Fd> { return fail(Kind::unavailable, "no pod"); });
  return 0;
}
