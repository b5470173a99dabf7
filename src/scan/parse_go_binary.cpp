// Go's build information inside a program. Rule: debug/buildinfo of Go 1.18 on: a 16-byte aligned header of 32
// bytes ("\xff Go buildinf:", pointer size, flags), then, with flag 2, two length-prefixed strings: the Go version and
// the module list between two 16-byte markers.
#include "base/text.h"
#include "scan/parsers.h"

namespace slipway::scan {
namespace {

constexpr std::string_view magic = "\xff Go buildinf:";

// Unsigned varint and that many bytes.
std::optional<std::string_view> take_string(std::string_view& bytes) {
  std::uint64_t length = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (bytes.empty()) return std::nullopt;
    auto b = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    length |= std::uint64_t{b & 0x7fU} << shift;
    if (b < 0x80) {
      if (length > bytes.size()) return std::nullopt;
      auto text = bytes.substr(0, length);
      bytes.remove_prefix(length);
      return text;
    }
  }
  return std::nullopt;
}

std::string strip_v(std::string_view version) {
  return std::string(version.starts_with('v') ? version.substr(1) : version);
}

void add_module(Packages& list, std::string_view name, std::string_view version, std::string_view file) {
  // "(devel)" and "v0.0.0-<time>" of the main module say nothing about a release.
  if (name.empty() || version.empty() || version == "(devel)") return;
  Package p;
  p.ecosystem = "Go", p.name = name, p.version = strip_v(version), p.place.file = file;
  list.push_back(std::move(p));
}

Packages read_modules(std::string_view go_version, std::string_view modules, std::string_view file) {
  Packages list;
  if (go_version.starts_with("go")) {
    auto version = go_version.substr(2);
    version = version.substr(0, version.find(' '));
    add_module(list, "stdlib", version.substr(0, version.find("-X:")), file);
  }
  if (modules.size() >= 33) modules = modules.substr(16, modules.size() - 32);
  for (auto line : lines(modules)) {
    auto cells = split(line, '\t');
    if (cells.size() < 3) continue;
    if (cells[0] == "=>" && !list.empty()) {
      list.back().name = cells[1], list.back().version = strip_v(cells[2]);
      continue;
    }
    if (cells[0] == "dep") add_module(list, cells[1], cells[2], file);
    if (cells[0] == "mod" && !cells[2].starts_with("v0.0.0-")) add_module(list, cells[1], cells[2], file);
  }
  return list;
}

}  // namespace

Packages parse_go_binary(std::string_view bytes, std::string_view file) {
  for (std::size_t at = 0; (at = bytes.find(magic, at)) != bytes.npos; at += magic.size()) {
    if (at + 32 > bytes.size() || (static_cast<unsigned char>(bytes[at + 15]) & 2) == 0) continue;
    auto rest = bytes.substr(at + 32);
    auto version = take_string(rest);
    if (!version || !version->starts_with("go") || version->size() > 200) continue;
    auto modules = take_string(rest);
    return read_modules(*version, modules.value_or(""), file);
  }
  return {};
}

}  // namespace slipway::scan
