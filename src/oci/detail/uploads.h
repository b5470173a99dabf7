#pragma once
// Uploads in progress: one file each, so that they outlive the process.
#include <memory>

#include "base/guarded.h"
#include "net/server.h"
#include "store/blob.h"

namespace slipway::oci::detail {

// The id says what a session is for (repository and digest algorithm), so there is nothing to store beside the bytes.
class Upload {
 public:
  const std::string& id() const { return id_; }
  std::uint64_t size() const { return size_; }

 private:
  friend class Uploads;
  Result<> write(std::string_view bytes);
  std::mutex mutex_;
  std::string id_;
  fs::path file_;
  Fd fd_;
  std::atomic<std::uint64_t> size_ = 0;
  Hasher sha256_;
  std::optional<Hasher> sha512_;
};

struct UploadedBlob {
  Digest stored;  // sha256
  Digest sha512;  // empty unless that was asked for
  std::uint64_t size = 0;
};

// Threads: any. Two requests on one session: the second gets conflict.
class Uploads {
 public:
  static Result<std::unique_ptr<Uploads>> open(store::BlobStore& blobs, fs::path folder);
  Result<std::shared_ptr<Upload>> begin(std::string_view repository, bool sha512);
  // Nothing: unknown, or of another repository.
  Result<std::shared_ptr<Upload>> find(std::string_view repository, const std::string& id);
  // Appends the request's body. `at`: where the client believes it goes on; invalid when that is not the end.
  // More than `most` bytes in all: denied, the session is gone then.
  Result<> append(const Ctx& ctx, const std::shared_ptr<Upload>& upload, net::BodyReader& body,
                  std::optional<std::uint64_t> at, std::optional<std::uint64_t> length, std::uint64_t most);
  // Makes it a blob; `name` gives it its name first, so that nobody takes its bytes for garbage.
  // Errors: invalid when the digest is another (the session is gone then).
  Result<UploadedBlob> finish(const std::shared_ptr<Upload>& upload, const Digest& digest,
                              const std::function<Result<>(const UploadedBlob&)>& name);
  Result<> cancel(const std::shared_ptr<Upload>& upload);
  // Gives up sessions that nobody has written to for so long; how many.
  Result<std::size_t> give_up(const Ctx& ctx, Millis unused, bool dry_run);

 private:
  Uploads(store::BlobStore& blobs, fs::path folder) : blobs_(blobs), folder_(std::move(folder)) {}
  void forget(const Upload& upload);

  store::BlobStore& blobs_;
  fs::path folder_;
  Guarded<std::map<std::string, std::shared_ptr<Upload>>> open_;
};

}  // namespace slipway::oci::detail
