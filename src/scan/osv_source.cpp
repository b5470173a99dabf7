#include <archive.h>
#include <archive_entry.h>

#include "base/text.h"
#include "doc/json.h"
#include "scan/detail/osv_source.h"

namespace slipway::scan::detail {
namespace {

using Archive = Owned<archive, archive_read_free>;
using Take = std::function<Result<>(std::string_view, std::string_view)>;

constexpr std::size_t max_record = 16 << 20;

// Splits a stream into lines; a line over the limit is an error, not memory.
class LineFeed {
 public:
  LineFeed(std::string place, const Take& take) : place_(std::move(place)), take_(take) {}
  Result<> add(std::string_view piece) {
    while (!piece.empty()) {
      auto end = piece.find('\n');
      held_ += piece.substr(0, end);
      if (held_.size() > max_record)
        return fail(Kind::invalid, "{}:{}: a record of more than {}", place_, line_, human_bytes(max_record));
      if (end == piece.npos) return {};
      piece.remove_prefix(end + 1);
      TRY_OK(finish());
    }
    return {};
  }
  Result<> finish() {
    auto line = std::exchange(held_, {});
    auto place = fmt::format("{}:{}", place_, line_++);
    return trim(line).empty() ? Result<>{} : take_(place, line);
  }

 private:
  std::string place_;
  const Take& take_;
  std::string held_;
  int line_ = 1;
};

Result<> take_document(std::string_view place, std::string_view text, const Take& take) {
  auto body = trim(text);
  if (!body.starts_with('[')) return take(place, text);
  TRY(auto list, doc::parse_json(text, place));
  for (const auto& record : *list.if_list()) TRY_OK(take(place, doc::print_json(record)));
  return {};
}

Result<std::string> read_entry(archive* a, const std::string& place) {
  std::string text;
  std::array<char, 65536> buffer;
  while (true) {
    auto n = archive_read_data(a, buffer.data(), buffer.size());
    if (n < 0) return fail(Kind::corrupt, "{}: {}", place, archive_error_string(a));
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > max_record)
      return fail(Kind::invalid, "{}: a record of more than {}", place, human_bytes(max_record));
  }
}

Result<> each_in_zip(const Ctx& ctx, archive* a, const std::string& file, const Take& take) {
  while (true) {
    TRY_OK(ctx.alive());
    archive_entry* entry = nullptr;
    int rc = archive_read_next_header(a, &entry);
    if (rc == ARCHIVE_EOF) return {};
    if (rc < ARCHIVE_WARN) return fail(Kind::corrupt, "{}: {}", file, archive_error_string(a));
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr || !std::string_view(name).ends_with(".json")) continue;
    auto place = fmt::format("{}!{}", file, name);
    TRY(auto text, read_entry(a, place));
    TRY_OK(take_document(place, text, take));
  }
}

Result<> each_in_stream(const Ctx& ctx, archive* a, const std::string& file, bool by_lines, const Take& take) {
  archive_entry* entry = nullptr;
  int rc = archive_read_next_header(a, &entry);
  if (rc == ARCHIVE_EOF) return {};
  if (rc < ARCHIVE_WARN) return fail(Kind::corrupt, "{}: {}", file, archive_error_string(a));
  if (!by_lines) {
    TRY(auto text, read_entry(a, file));
    return take_document(file, text, take);
  }
  LineFeed feed(file, take);
  std::array<char, 65536> buffer;
  while (true) {
    TRY_OK(ctx.alive());
    auto n = archive_read_data(a, buffer.data(), buffer.size());
    if (n < 0) return fail(Kind::corrupt, "{}: {}", file, archive_error_string(a));
    if (n == 0) return feed.finish();
    TRY_OK(feed.add({buffer.data(), static_cast<std::size_t>(n)}));
  }
}

enum class Form { none, json, lines, zip };
Form form_of(std::string_view name) {
  for (auto packed : {".zst", ".gz", ".xz", ".bz2"})
    if (name.ends_with(packed)) name.remove_suffix(std::string_view(packed).size());
  if (name.ends_with(".json")) return Form::json;
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return Form::lines;
  return name.ends_with(".zip") ? Form::zip : Form::none;
}

Result<> each_in_file(const Ctx& ctx, const fs::path& path, Form form, const Take& take) {
  Archive a(archive_read_new());
  if (form == Form::zip)
    archive_read_support_format_zip(a.get());
  else
    archive_read_support_filter_all(a.get()), archive_read_support_format_raw(a.get()),
        archive_read_support_format_empty(a.get());
  if (archive_read_open_filename(a.get(), path.c_str(), 1 << 16) != ARCHIVE_OK)
    return fail(Kind::not_found, "{}: {}", path.string(), archive_error_string(a.get()));
  if (form == Form::zip) return each_in_zip(ctx, a.get(), path.string(), take);
  return each_in_stream(ctx, a.get(), path.string(), form == Form::lines, take);
}

Result<> each_in_folder(const Ctx& ctx, const fs::path& folder, int depth, const Take& take) {
  if (depth > 20) return {};
  TRY(auto names, list_dir(folder));
  for (const auto& name : names) {
    TRY_OK(ctx.alive());
    auto path = folder / name;
    std::error_code ec;
    auto status = fs::symlink_status(path, ec);
    if (fs::is_directory(status)) TRY_OK(each_in_folder(ctx, path, depth + 1, take));
    if (fs::is_regular_file(status) && form_of(name) != Form::none)
      TRY_OK(each_in_file(ctx, path, form_of(name), take));
  }
  return {};
}

}  // namespace

Result<> each_osv_record(const Ctx& ctx, const fs::path& source, const Take& take) {
  std::error_code ec;
  if (fs::is_directory(source, ec)) return each_in_folder(ctx, source, 0, take);
  if (!path_exists(source)) return fail(Kind::not_found, "{}: no such file or folder", source.string());
  auto form = form_of(source.filename().string());
  if (form == Form::none)
    return fail(Kind::invalid, "{}: want advisories as .json, .jsonl (also .zst, .gz), .zip or a folder of them",
                source.string());
  return each_in_file(ctx, source, form, take);
}

}  // namespace slipway::scan::detail
