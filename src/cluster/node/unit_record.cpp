#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "cluster/node/log_file.h"
#include "cluster/node/unit.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

constexpr std::size_t kMessage = 4096, kLogTail = 2048;

std::int64_t nanos(WallTime t) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}
WallTime time_of(doc::View view) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(view.num_or(0))));
}

doc::Value to_doc(const Ended& e) {
  return doc::Map{{"code", e.code}, {"reason", e.reason},          {"message", e.message},
                  {"id", e.id},     {"started", nanos(e.started)}, {"finished", nanos(e.finished)}};
}

std::optional<Ended> ended_of(doc::View view) {
  if (!view) return std::nullopt;
  return Ended{static_cast<int>(view["code"].num_or(0)),
               view["reason"].str_or(""),
               view["message"].str_or(""),
               view["id"].str_or(""),
               time_of(view["started"]),
               time_of(view["finished"])};
}

}  // namespace

Result<> save_unit(const fs::path& folder, const Unit& unit) {
  doc::Map map{{"id", unit.id},
               {"image", unit.image},
               {"imageID", unit.image_id},
               {"stopSignal", unit.stop_signal},
               {"attempt", unit.attempt},
               {"started", nanos(unit.started)},
               {"backoff", std::int64_t{unit.backoff.count()}}};
  if (unit.ended) map.set("ended", to_doc(*unit.ended));
  if (unit.last) map.set("last", to_doc(*unit.last));
  TRY_OK(make_dirs(folder));
  return write_file(folder / "record", doc::print_json(map), 0600);
}

bool load_unit(const fs::path& folder, Unit& unit) {
  auto text = read_file(folder / "record", 1 << 20);
  if (!text) return false;
  auto parsed = doc::parse_json(*text);
  if (!parsed) return false;
  doc::View view(*parsed);
  unit.id = view["id"].str_or("");
  unit.image = view["image"].str_or("");
  unit.image_id = view["imageID"].str_or("");
  unit.stop_signal = view["stopSignal"].str_or("");
  unit.attempt = static_cast<int>(view["attempt"].num_or(0));
  unit.started = time_of(view["started"]);
  unit.backoff = Millis(view["backoff"].num_or(0));
  unit.ended = ended_of(view["ended"]);
  unit.last = ended_of(view["last"]);
  unit.lived = true;
  return true;
}

std::string termination_message(const fs::path& file, const fs::path& log, bool from_log) {
  std::string text;
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd) {
    text.resize(kMessage);
    ssize_t n = ::read(fd.get(), text.data(), text.size());
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  if (!text.empty() || !from_log) return text;
  LogOptions options;
  options.tail_lines = 80;
  (void)read_log(
      Ctx().within(Millis(1000)), log, options, [] { return true; },
      [&](std::string_view piece) {
        text += piece;
        return true;
      });
  return text.size() > kLogTail ? text.substr(text.size() - kLogTail) : text;
}

}  // namespace slipway::cluster
