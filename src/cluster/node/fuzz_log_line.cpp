// A container's log may be written by anybody who reaches the disk, and resolv.conf is the host's.
#include "base/text.h"
#include "cluster/node/dns.h"
#include "cluster/node/log_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto line : lines(text)) {
    auto parsed = cluster::parse_log_line(line);
    if (parsed) SLP_ASSERT(line.ends_with(parsed->text) && line.starts_with(parsed->time));
  }
  (void)cluster::read_resolv_conf(text);
  return 0;
}
