// Any bytes as a layer: nothing outside of the folder changes, whatever the archive says.
#include <sys/stat.h>

#include "base/files.h"
#include "oci/layer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  auto dir = TempDir::make("slipway-fuzz-layer");
  if (!dir) return 0;
  auto root = dir->path() / "root", outside = dir->path() / "outside";
  if (!make_dirs(root) || !write_file(outside, "untouched", 0600)) return 0;
  auto blobs = store::BlobStore::open(dir->path() / "blobs");
  if (!blobs) return 0;
  auto digest = (*blobs)->put({reinterpret_cast<const char*>(data), size});
  if (!digest) return 0;
  oci::Descriptor layer{
      .media_type = {}, .digest = *digest, .size = size, .annotations = {}, .platform = {}, .artifact_type = {}};
  for (auto whiteouts : {oci::Whiteouts::overlay, oci::Whiteouts::apply})
    (void)oci::unpack_layer({}, **blobs, layer, {}, root, whiteouts, {.bytes = 1 << 20, .entries = 1000});
  SLP_ASSERT(read_file(outside).value() == "untouched");
  SLP_ASSERT(list_dir(dir->path()).value().size() == 3);
  return 0;
}
