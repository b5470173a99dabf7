// Setting an image in whatever file: an error, or a file that says so and says it again without change.
#include "manifest/edit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::manifest;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ImageSetting image{"shop/web", "", "sha-1", "sha256:ab"};
  if (auto set = set_kustomize_image(text, image, "k")) {
    auto got = kustomize_image(*set, "shop/web", "k");
    SLP_ASSERT(got && *got && (*got)->digest == "sha256:ab");
    auto again = set_kustomize_image(*set, image, "k");
    SLP_ASSERT(again && *again == *set);
  }
  (void)remove_kustomize_image(text, "shop/web", "k");
  (void)set_image_at(text, "web.image", image, "v");
  (void)image_at(text, "images[0].name", "v");
  return 0;
}
