#include <isa-l/igzip_lib.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/fd.h"
#include "oci/detail/codec.h"

namespace slipway::oci::detail {

namespace {
constexpr std::size_t piece = std::size_t{1} << 20;
enum class Format { plain, gzip, zstd };
using DStream = Owned<ZSTD_DStream, ZSTD_freeDStream>;
using CStream = Owned<ZSTD_CCtx, ZSTD_freeCCtx>;
}  // namespace

struct Decoder::Rep {
  int fd;
  std::string in = std::string(piece, '\0'), out = std::string(piece, '\0');
  std::size_t begin = 0, end = 0;                     // unread part of `in`
  bool eof = false, started = false, between = true;  // between: at the border of two gzip members or zstd frames
  Format format = Format::plain;
  std::unique_ptr<inflate_state> gzip;
  DStream zstd;

  Result<> fill() {
    if (begin < end || eof) return {};
    ssize_t n;
    do n = ::read(fd, in.data(), in.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail_errno(errno, "read layer");
    begin = 0;
    end = static_cast<std::size_t>(n);
    eof = n == 0;
    return {};
  }
  void start() {
    started = true;
    auto head = std::string_view(in).substr(0, end);
    if (head.starts_with("\x1f\x8b")) {
      format = Format::gzip;
      gzip = std::make_unique<inflate_state>();
      isal_inflate_init(gzip.get());
      gzip->crc_flag = ISAL_GZIP;
    } else if (head.starts_with("\x28\xb5\x2f\xfd") || (head.size() >= 4 && head.substr(1, 3) == "\x2a\x4d\x18")) {
      format = Format::zstd;
      zstd.reset(ZSTD_createDStream());
      // A window of 128 MiB at most: a hostile frame cannot make us allocate gigabytes.
      ZSTD_DCtx_setParameter(zstd.get(), ZSTD_d_windowLogMax, 27);
    }
  }
  Result<std::size_t> inflate() {
    if (between) {
      isal_inflate_reset(gzip.get());
      gzip->crc_flag = ISAL_GZIP;
      between = false;
    }
    gzip->next_in = reinterpret_cast<std::uint8_t*>(in.data() + begin);
    gzip->avail_in = static_cast<std::uint32_t>(end - begin);
    gzip->next_out = reinterpret_cast<std::uint8_t*>(out.data());
    gzip->avail_out = static_cast<std::uint32_t>(out.size());
    int rc = isal_inflate(gzip.get());
    begin = end - gzip->avail_in;
    if (rc < 0) return fail(Kind::corrupt, "gzip stream is broken (code {})", rc);
    if (gzip->block_state == ISAL_BLOCK_FINISH) between = true;
    return out.size() - gzip->avail_out;
  }
  Result<std::size_t> unzstd() {
    ZSTD_inBuffer source{in.data() + begin, end - begin, 0};
    ZSTD_outBuffer target{out.data(), out.size(), 0};
    auto rc = ZSTD_decompressStream(zstd.get(), &target, &source);
    begin += source.pos;
    if (ZSTD_isError(rc)) return fail(Kind::corrupt, "zstd stream is broken: {}", ZSTD_getErrorName(rc));
    between = rc == 0;
    return target.pos;
  }
};

Decoder::Decoder(int fd) : rep_(new Rep{.fd = fd}) {}
Decoder::~Decoder() = default;

Result<std::string_view> Decoder::next() {
  auto& r = *rep_;
  for (int idle = 0;;) {
    TRY_OK(r.fill());
    if (!r.started) r.start();
    if (r.format == Format::plain) {
      auto bytes = std::string_view(r.in).substr(r.begin, r.end - r.begin);
      r.begin = r.end;
      return bytes;
    }
    if (r.eof && r.between) return std::string_view();
    // Padding of zeros after the last gzip member is allowed, as gzip itself allows it.
    if (r.format == Format::gzip && r.between && r.gzip->total_out > 0 && r.in[r.begin] == '\0') {
      ++r.begin;
      continue;
    }
    auto before = r.begin;
    TRY(auto n, r.format == Format::gzip ? r.inflate() : r.unzstd());
    if (n > 0) return std::string_view(r.out).substr(0, n);
    if (r.begin == before && (r.eof || ++idle > 4)) return fail(Kind::corrupt, "compressed stream is cut off");
  }
}

struct Encoder::Rep {
  Compression compression;
  Sink sink;
  std::string out;
  std::unique_ptr<isal_zstream> gzip;
  std::string level;
  CStream zstd;

  Result<> deflate(std::string_view bytes, bool last) {
    gzip->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(bytes.data()));
    gzip->avail_in = static_cast<std::uint32_t>(bytes.size());
    gzip->end_of_stream = last ? 1 : 0;
    do {
      gzip->next_out = reinterpret_cast<std::uint8_t*>(out.data());
      gzip->avail_out = static_cast<std::uint32_t>(out.size());
      if (int rc = isal_deflate(gzip.get()); rc != COMP_OK) return fail(Kind::internal, "isal_deflate: code {}", rc);
      if (auto n = out.size() - gzip->avail_out; n > 0) TRY_OK(sink(std::string_view(out).substr(0, n)));
    } while (gzip->avail_out == 0 || (last && gzip->internal_state.state != ZSTATE_END));
    return {};
  }
  Result<> zip(std::string_view bytes, ZSTD_EndDirective end) {
    ZSTD_inBuffer source{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer target{out.data(), out.size(), 0};
      auto left = ZSTD_compressStream2(zstd.get(), &target, &source, end);
      if (ZSTD_isError(left)) return fail(Kind::internal, "zstd: {}", ZSTD_getErrorName(left));
      if (target.pos > 0) TRY_OK(sink(std::string_view(out).substr(0, target.pos)));
      if (end == ZSTD_e_end ? left == 0 : source.pos == source.size) return {};
    }
  }
};

Encoder::Encoder(Compression compression, Sink sink)
    : rep_(new Rep{.compression = compression, .sink = std::move(sink)}) {
  if (compression == Compression::none) return;
  rep_->out.resize(piece / 4);
  if (compression == Compression::gzip) {
    // Level 1: 540 MB/s at the ratio of gzip -1. Level 0 expands what cannot be compressed by a fifth.
    rep_->level.resize(ISAL_DEF_LVL1_DEFAULT);
    rep_->gzip = std::make_unique<isal_zstream>();
    isal_deflate_init(rep_->gzip.get());
    rep_->gzip->gzip_flag = IGZIP_GZIP;
    rep_->gzip->level = 1;
    rep_->gzip->level_buf = reinterpret_cast<std::uint8_t*>(rep_->level.data());
    rep_->gzip->level_buf_size = static_cast<std::uint32_t>(rep_->level.size());
  } else {
    rep_->zstd.reset(ZSTD_createCCtx());
    ZSTD_CCtx_setParameter(rep_->zstd.get(), ZSTD_c_compressionLevel, 3);
    ZSTD_CCtx_setParameter(rep_->zstd.get(), ZSTD_c_checksumFlag, 1);
    // Any number of workers gives the same bytes; none gives others.
    ZSTD_CCtx_setParameter(rep_->zstd.get(), ZSTD_c_nbWorkers,
                           static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 64U)));
  }
}
Encoder::~Encoder() = default;

Result<> Encoder::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (rep_->compression == Compression::none) return rep_->sink(bytes);
  return rep_->gzip ? rep_->deflate(bytes, false) : rep_->zip(bytes, ZSTD_e_continue);
}

Result<> Encoder::finish() {
  if (rep_->compression == Compression::none) return {};
  return rep_->gzip ? rep_->deflate({}, true) : rep_->zip({}, ZSTD_e_end);
}

}  // namespace slipway::oci::detail
