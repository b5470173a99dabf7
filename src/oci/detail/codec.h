#pragma once
// Layer compression: gzip by ISA-L, zstd by libzstd.
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "oci/layer.h"

namespace slipway::oci::detail {

// Turns a compressed file into its bytes, a piece at a time; the format is told by its first bytes. Threads: one.
class Decoder {
 public:
  explicit Decoder(int fd);
  ~Decoder();
  // The next piece, valid until the next call; empty at the end. Errors: corrupt (a broken or cut-off stream).
  Result<std::string_view> next();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Compresses what it is given into a sink. The same input gives the same bytes, however it is cut up. Threads: one.
class Encoder {
 public:
  using Sink = std::function<Result<>(std::string_view)>;
  Encoder(Compression compression, Sink sink);
  ~Encoder();
  Result<> write(std::string_view bytes);
  Result<> finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace slipway::oci::detail
