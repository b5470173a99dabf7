// Blobs over the network. Nothing is held in memory but a buffer; what broke off goes on from the byte it had.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ci/pod/far.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

constexpr std::uint64_t part_size = std::uint64_t{32} << 20;
constexpr int tries_without_progress = 40;

std::uint64_t number(doc::View v) { return static_cast<std::uint64_t>(std::max<std::int64_t>(v.num_or(0), 0)); }

}  // namespace

Result<std::optional<std::uint64_t>> FarBlobs::size(const Digest& digest) {
  auto answer = house_.send({}, house_.request("HEAD", fmt::format("{}/{}", path_, digest.str())));
  if (!answer && answer.error().is(Kind::not_found)) return std::optional<std::uint64_t>();
  if (!answer) return Fail(std::move(answer).error());
  auto size = to_int(answer->headers.get_or("slipway-size", ""));
  if (!size || *size < 0) return fail(Kind::invalid, "blob {}: the house does not say its size", digest.str());
  return std::optional<std::uint64_t>(*size);
}

Result<> FarBlobs::fetch(const Digest& digest, const Sink& sink) {
  TRY(auto total, size(digest));
  if (!total) return fail(Kind::not_found, "blob {}: not in the house's store", digest.str());
  std::uint64_t have = 0;
  Millis pause{50};
  for (int tries = 0; have < *total;) {
    auto request = house_.request("GET", fmt::format("{}/{}", path_, digest.str()));
    if (have > 0) request.headers.set("Range", fmt::format("bytes={}-", have));
    Result<> written;
    auto before = have;
    auto answer = house_.client().stream({}, std::move(request), [&](std::string_view piece) {
      if (have + piece.size() > *total) return false;
      written = sink(piece);
      have += piece.size();
      return written.has_value();
    });
    TRY_OK(std::move(written));
    if (have == *total) break;
    if (have > before) tries = 0, pause = Millis(50);
    if (++tries > tries_without_progress)
      return fail(Kind::unavailable, "blob {}: {} of {} bytes came{}", digest.str(), have, *total,
                  answer ? fmt::format(", status {}", answer->status) : ": " + answer.error().what());
    TRY_OK(sleep({}, pause));
    pause = std::min(pause * 2, Millis(3000));
  }
  return {};
}

// Sends one part; gives how much the house has then.
Result<std::uint64_t> FarBlobs::part(const std::string& id, int fd, std::uint64_t at, std::uint64_t size) const {
  auto request = house_.request("PATCH", fmt::format("{}/uploads/{}?at={}", path_, id, at));
  auto offset = std::make_shared<std::uint64_t>(at);
  auto end = std::min(at + part_size, size);
  request.upload = [fd, offset, end](std::span<char> buffer) -> std::size_t {
    auto want = std::min<std::uint64_t>(buffer.size(), end - *offset);
    auto n = ::pread(fd, buffer.data(), want, static_cast<off_t>(*offset));
    if (n > 0) *offset += static_cast<std::uint64_t>(n);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  };
  request.upload_size = static_cast<std::int64_t>(end - at);
  request.headers.set("Content-Type", "application/octet-stream");
  auto answer = house_.once({}, std::move(request));
  if (!answer && is_away(answer.error())) {
    TRY_OK(sleep({}, Millis(200)));
    answer = house_.send({}, house_.request("GET", fmt::format("{}/uploads/{}", path_, id)));
  }
  if (!answer) return Fail(std::move(answer).error());
  TRY(auto document, doc::parse_json(answer->body, "upload"));
  return number(doc::View(document)["size"]);
}

Result<> FarBlobs::give(const Digest& digest, const fs::path& file) {
  Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, file.native());
  struct stat st{};
  if (::fstat(fd.get(), &st) < 0) return fail_errno(errno, file.native());
  auto size = static_cast<std::uint64_t>(st.st_size);
  // A house that was started anew has forgotten what was begun: once more from the start, then.
  for (int round = 0; round < 3; ++round) {
    TRY(auto begun, house_.ask({}, path_ + "/uploads", {}));
    auto id = doc::View(begun)["id"].str_or("");
    std::uint64_t have = 0;
    Result<> sent;
    for (int tries = 0; have < size && sent;) {
      auto now = part(id, fd.get(), have, size);
      if (!now) {
        sent = Fail(std::move(now).error());
      } else if (*now > size || (*now <= have && ++tries > tries_without_progress)) {
        sent = fail(Kind::unavailable, "upload of {}: stuck at {} of {} bytes", digest.str(), have, size);
      } else {
        have = *now;
      }
    }
    if (sent) {
      auto done =
          house_.send({}, house_.request("PUT", fmt::format("{}/uploads/{}?digest={}", path_, id, digest.str())));
      if (done) return {};
      sent = Fail(std::move(done).error());
    }
    if (!sent.error().is(Kind::not_found)) return sent;
  }
  return fail(Kind::unavailable, "upload of {}: the house forgets it again and again", digest.str());
}

}  // namespace slipway::ci
