// dpkg and apk.
#include "base/text.h"
#include "scan/parsers.h"

namespace slipway::scan {
namespace {

// Calls `field` for each "Key: value" of a stanza and `end` where the stanza ends. Continuation lines are skipped.
template <class Field, class End>
void each_stanza(std::string_view text, Field field, End end) {
  int number = 0, first = 0;
  bool open = false;
  while (!text.empty()) {
    auto at = text.find('\n');
    auto line = text.substr(0, at);
    text = at == text.npos ? std::string_view() : text.substr(at + 1);
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) {
      if (std::exchange(open, false)) end(first);
      continue;
    }
    if (!std::exchange(open, true)) first = number;
    if (line[0] == ' ' || line[0] == '\t') continue;
    if (auto colon = line.find(':'); colon != line.npos) field(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
  if (open) end(first);
}

}  // namespace

Packages parse_dpkg_status(std::string_view text, std::string_view file) {
  Packages list;
  Package p;
  bool installed = true;
  each_stanza(
      text,
      [&](std::string_view key, std::string_view value) {
        if (key == "Package")
          p.name = value;
        else if (key == "Version")
          p.version = value;
        else if (key == "Architecture")
          p.architecture = value;
        else if (key == "Status")
          installed = value.ends_with(" installed");
        else if (key == "Source") {
          // "name" or "name (version)"
          auto open = value.find(" (");
          p.source_name = value.substr(0, open);
          if (open != value.npos && value.ends_with(')'))
            p.source_version = value.substr(open + 2, value.size() - open - 3);
        }
      },
      [&](int line) {
        if (installed && !p.name.empty() && !p.version.empty()) {
          p.ecosystem = "Debian";
          p.place = {std::string(file), line, 1};
          list.push_back(std::move(p));
        }
        p = {}, installed = true;
      });
  return list;
}

Packages parse_apk_installed(std::string_view text, std::string_view file) {
  Packages list;
  Package p;
  each_stanza(
      text,
      [&](std::string_view key, std::string_view value) {
        if (key == "P")
          p.name = value;
        else if (key == "V")
          p.version = value;
        else if (key == "A")
          p.architecture = value;
        else if (key == "o")
          p.source_name = value;
        else if (key == "L")
          p.license = value;
      },
      [&](int line) {
        if (!p.name.empty() && !p.version.empty()) {
          p.ecosystem = "Alpine";
          p.place = {std::string(file), line, 1};
          list.push_back(std::move(p));
        }
        p = {};
      });
  return list;
}

}  // namespace slipway::scan
