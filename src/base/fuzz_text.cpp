// Texts that come from anywhere (headers, annotations, flags): what is written reads back, what is read prints to
// something that reads back, and a pattern answers in bounded time.
#include <array>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  SLP_ASSERT(from_hex(to_hex(text)).value() == text);
  SLP_ASSERT(from_base64(to_base64(text)).value() == text && from_base64(to_base64url(text)).value() == text);
  SLP_ASSERT(percent_decode(percent_encode(text)).value() == text);
  for (const auto& got : {from_hex(text), from_base64(text), percent_decode(text), percent_decode(text, true)})
    if (got) SLP_ASSERT(got->size() <= text.size());

  if (auto d = parse_duration(text)) SLP_ASSERT(parse_duration(print_duration(*d)).value() == *d);
  if (auto t = parse_rfc3339(text))
    SLP_ASSERT(rfc3339_micro(parse_rfc3339(rfc3339_micro(*t)).value()) == rfc3339_micro(*t));
  if (auto d = Digest::parse(text)) SLP_ASSERT(d->str() == text && d->short_hex().size() == 12);
  if (auto n = to_int(text)) SLP_ASSERT(to_int(fmt::format("{}", *n)) == n);
  (void)to_double(text);

  auto [pattern, path] = cut(text, "\n").value_or(std::pair{text, text});
  (void)glob_match(pattern.substr(0, 64), path.substr(0, 256));
  static const std::array<std::string, 3> candidates{"workflow", "run", ""};
  (void)nearest(text.substr(0, 64), candidates);
  return 0;
}
