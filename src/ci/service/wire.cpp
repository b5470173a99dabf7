#include "ci/service/wire.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

// Digits alone, no sign and no space.
std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string_view::npos) return {};
  auto value = to_int(text);
  return value ? std::optional(static_cast<std::uint64_t>(*value)) : std::nullopt;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

Result<std::optional<ByteRange>> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  std::optional<ByteRange> none;
  if (!header.starts_with(unit) || header.contains(',')) return none;
  auto ends = cut(header.substr(unit.size()), "-");
  if (!ends) return none;
  auto [first, last] = *ends;
  auto to = number(last);
  if (!last.empty() && !to) return none;
  if (first.empty()) {
    if (!to) return none;
    auto length = std::min(*to, size);
    if (length == 0) return fail(Kind::invalid, "range \"{}\": nothing of {} bytes", header, size);
    return ByteRange{size - length, length};
  }
  auto from = number(first);
  if (!from || (to && *to < *from)) return none;
  if (*from >= size) return fail(Kind::invalid, "range \"{}\": begins after {} bytes", header, size);
  return ByteRange{*from, std::min(to.value_or(size - 1), size - 1) - *from + 1};
}

Result<ByteRange> parse_content_range(std::string_view header) {
  auto wrong = [&] { return fail(Kind::invalid, "Content-Range \"{}\": want bytes FIRST-LAST/*", header); };
  constexpr std::string_view unit = "bytes ";
  if (!header.starts_with(unit)) return wrong();
  auto whole = cut(header.substr(unit.size()), "/");
  auto ends = whole ? cut(whole->first, "-") : std::nullopt;
  if (!ends) return wrong();
  auto first = number(ends->first), last = number(ends->second);
  auto size = whole->second == "*" ? std::optional<std::uint64_t>(~std::uint64_t{0}) : number(whole->second);
  if (!first || !last || !size || *last < *first || *last >= *size) return wrong();
  return ByteRange{*first, *last - *first + 1};
}

bool is_block_id(std::string_view id) {
  if (id.empty() || id.size() > 88) return false;
  auto bytes = from_base64(id);
  return bytes && !bytes->empty() && bytes->size() <= 64;
}

Result<std::vector<std::string>> parse_block_list(std::string_view xml) {
  auto wrong = [](std::string_view what) { return fail(Kind::invalid, "block list: {}", what); };
  if (xml.starts_with("\xef\xbb\xbf")) xml.remove_prefix(3);
  xml = trim(xml);
  if (xml.starts_with("<?xml")) {
    auto rest = cut(xml, "?>");
    if (!rest) return wrong("its declaration does not end");
    xml = trim(rest->second);
  }
  constexpr std::string_view open = "<BlockList>", close = "</BlockList>";
  std::vector<std::string> out;
  if (xml == "<BlockList/>" || xml == "<BlockList />") return out;
  if (!xml.starts_with(open) || !xml.ends_with(close) || xml.size() < open.size() + close.size())
    return wrong("want <BlockList>...</BlockList>");
  xml = trim(xml.substr(open.size(), xml.size() - open.size() - close.size()));
  while (!xml.empty()) {
    std::string_view name;
    for (std::string_view known : {"Latest", "Uncommitted", "Committed"})
      if (xml.starts_with(fmt::format("<{}>", known))) name = known;
    if (name.empty()) return wrong("want <Latest>, <Uncommitted> or <Committed>");
    auto rest = cut(xml.substr(name.size() + 2), fmt::format("</{}>", name));
    if (!rest) return wrong(fmt::format("<{}> does not end", name));
    auto id = trim(rest->first);
    if (!is_block_id(id)) return wrong("an id is no base64 of at most 64 bytes");
    if (out.size() == max_blocks) return wrong(fmt::format("more than {} blocks", max_blocks));
    out.emplace_back(id);
    xml = trim(rest->second);
  }
  return out;
}

Result<> check_cache_key(std::string_view key) {
  if (key.empty() || key.size() > 512 || key.contains(',') || std::any_of(key.begin(), key.end(), is_control))
    return fail(Kind::invalid, "cache key: want 1 to 512 characters, no commas and no line breaks");
  return {};
}

Result<> check_cache_version(std::string_view version) {
  if (version.empty() || version.size() > 128 ||
      version.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
    return fail(Kind::invalid, "cache version: want hex digits, at most 128");
  return {};
}

bool is_media_type(std::string_view type) {
  auto parts = cut(type, "/");
  auto good = [](std::string_view part) {
    return !part.empty() && part.size() <= 127 && std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || std::string_view("!#$&-^_.+").contains(static_cast<char>(c));
    });
  };
  return parts && good(parts->first) && good(parts->second);
}

Result<> check_artifact_name(std::string_view name) {
  if (name.empty() || name.size() > 256 || name.find_first_of("\"<>:|*?\\/") != std::string_view::npos ||
      std::any_of(name.begin(), name.end(), is_control))
    return fail(Kind::invalid, "artifact name: want 1 to 256 characters without \" : < > | * ? \\ / and line breaks");
  return {};
}

}  // namespace slipway::ci
