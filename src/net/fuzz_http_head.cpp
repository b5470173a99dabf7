// Any bytes are a head or are refused; what is accepted reads back to the same from its own print, and the chunk
// reader gives the same payload however the bytes are cut.
#include "net/detail/head.h"

namespace {

std::string payload_of(std::string_view bytes, std::size_t step, bool& good) {
  slipway::net::ChunkReader reader;
  std::string payload;
  good = true;
  while (!bytes.empty() && !reader.done()) {
    auto piece = reader.next(bytes.substr(0, step));
    if (!piece) {
      good = false;
      break;
    }
    SLP_ASSERT(piece->consumed > 0);
    payload += piece->payload;
    bytes.remove_prefix(piece->consumed);
  }
  return payload;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::net;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t scanned = 0;
  auto end = head_end(text, scanned);
  auto head = parse_request_head(text.substr(0, end.value_or(text.size())));
  if (head) {
    std::string again = fmt::format("{} {} HTTP/1.{}\r\n", head->method, head->target, head->minor);
    for (const auto& [name, value] : head->headers.list()) again += fmt::format("{}: {}\r\n", name, value);
    auto second = parse_request_head(again + "\r\n");
    SLP_ASSERT(second && second->target == head->target && second->headers.list() == head->headers.list());
    SLP_ASSERT(!(head->headers.get("Content-Length") && head->headers.get("Transfer-Encoding")));
    if (auto target = read_target(*head)) SLP_ASSERT(("/" + target->path + "/").find("/../") == std::string::npos);
  }
  (void)parse_response_head(text);
  (void)parse_url(text);
  bool whole_good = false, bytes_good = false;
  auto whole = payload_of(text, text.size(), whole_good), bytes = payload_of(text, 1, bytes_good);
  SLP_ASSERT(whole_good == bytes_good && whole == bytes);
  return 0;
}
