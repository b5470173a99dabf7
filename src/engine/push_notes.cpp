#include "engine/push_notes.h"

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"

namespace slipway::engine {

fs::path PushNotes::file_of(const PushNote& note) const {
  return folder_ / sha256_hex(note.repository + "\n" + note.ref + "\n" + note.after).substr(0, 32);
}

Result<> PushNotes::write(const PushNote& note) const {
  TRY_OK(make_dirs(folder_));
  return write_file(
      file_of(note),
      fmt::format("{}\n{}\n{}\n{}\n{}\n", note.repository, note.ref, note.before, note.after, note.pusher), 0600);
}

void PushNotes::forget(const PushNote& note) const {
  std::error_code ignored;
  fs::remove(file_of(note), ignored);
}

Result<std::vector<PushNote>> PushNotes::left() const {
  std::vector<PushNote> notes;
  if (!path_exists(folder_)) return notes;
  TRY(auto names, list_dir(folder_));
  auto written = [&](const std::string& name) {
    std::error_code gone;
    return fs::last_write_time(folder_ / name, gone);
  };
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return written(a) < written(b); });
  for (const auto& name : names) {
    auto text = read_file(folder_ / name);
    if (!text) continue;  // forgotten meanwhile
    auto words = lines(*text);
    if (words.size() != 5) continue;  // not ours, or not whole: the ref did not move after it
    notes.push_back({std::string(words[0]), std::string(words[1]), std::string(words[2]), std::string(words[3]),
                     std::string(words[4])});
  }
  return notes;
}

}  // namespace slipway::engine
