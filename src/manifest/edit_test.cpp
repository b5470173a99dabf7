#include "manifest/edit.h"

#include "base/testing/golden.h"
#include "base/text.h"

namespace slipway::manifest {
namespace {

const ImageSetting web{"shop/web", "", "sha-1", "sha256:ab"};

struct Case {
  const char* name;
  std::string in, want;
};
std::string show(const Result<std::string>& result) { return result ? *result : "error: " + result.error().what(); }

class SetKustomizeImage : public testing::TestWithParam<Case> {};
TEST_P(SetKustomizeImage, KeepsTheRest) {
  auto got = show(set_kustomize_image(GetParam().in, web, "k.yaml"));
  EXPECT_EQ(got, GetParam().want);
  if (got.starts_with("error")) return;
  EXPECT_EQ(show(set_kustomize_image(got, web, "k.yaml")), got);  // once is enough
  EXPECT_EQ(must(kustomize_image(got, "shop/web", "k.yaml"))->digest, "sha256:ab");
}
INSTANTIATE_TEST_SUITE_P(
    Table, SetKustomizeImage,
    testing::Values(Case{"Sets",
                         "# top\nimages:\n  - name: shop/web # ours\n    newTag: old   # was\n    digest: sha256:cd\n  "
                         "- name: b\n    newTag: 'x'\nresources: [a]\n",
                         "# top\nimages:\n  - name: shop/web # ours\n    newTag: sha-1   # was\n    digest: "
                         "sha256:ab\n  - name: b\n    newTag: 'x'\nresources: [a]\n"},
                    Case{"KeepsQuotes", "images:\n- name: 'shop/web'\n  newTag: \"old\"\n  digest: 'x'\n",
                         "images:\n- name: 'shop/web'\n  newTag: \"sha-1\"\n  digest: 'sha256:ab'\n"},
                    Case{"AddsFields", "images:\n- name: shop/web\n# end\n",
                         "images:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\n# end\n"},
                    Case{"AddsField", "images:\n- digest: x\n  name: shop/web  # c\nlast: 1",
                         "images:\n- digest: sha256:ab\n  name: shop/web  # c\n  newTag: sha-1\nlast: 1"},
                    Case{"AddsEntry", "images:\n  - name: b\n    newTag: x  # b's\n\nresources:\n- r\n",
                         "images:\n  - name: b\n    newTag: x  # b's\n  - name: shop/web\n    newTag: sha-1\n    "
                         "digest: sha256:ab\n\nresources:\n- r\n"},
                    Case{"AddsList", "resources:\n- r",
                         "resources:\n- r\nimages:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\n"},
                    Case{"FillsEmptyList", "images: []\nresources: [r]\n",
                         "images:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\nresources: [r]\n"},
                    Case{"FillsNullList", "images:\nresources: [r]\n",
                         "images:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\nresources: [r]\n"},
                    Case{"EmptyFile", "", "images:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\n"},
                    Case{"Flow", "images: [{name: shop/web, newTag: old}, {name: b}]\n",
                         "images: [{name: shop/web, newTag: sha-1, digest: sha256:ab}, {name: b}]\n"},
                    Case{"FlowAdds", "images: [{name: b}]\n",
                         "images: [{name: b}, {name: shop/web, newTag: sha-1, digest: sha256:ab}]\n"},
                    Case{"NullField", "images:\n- name: shop/web\n  newTag:\n  digest: ''\n",
                         "images:\n- name: shop/web\n  newTag: sha-1\n  digest: 'sha256:ab'\n"},
                    Case{"DashAlone", "images:\n-\n  name: shop/web\n",
                         "images:\n-\n  name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\n"},
                    Case{"Crlf", "images:\r\n- name: shop/web\r\n  newTag: old\r\n",
                         "images:\r\n- name: shop/web\r\n  newTag: sha-1\r\n  digest: sha256:ab\r\n"},
                    Case{"NumberTag", "images:\n- name: shop/web\n  newTag: 1.20\n  digest: x\n",
                         "images:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\n"},
                    Case{"Alias", "x: &t old\nimages:\n- name: shop/web\n  newTag: *t\n  digest: x\n",
                         "x: &t old\nimages:\n- name: shop/web\n  newTag: sha-1\n  digest: sha256:ab\n"},
                    Case{"AliasedEntry", "x: &e\n  name: shop/web\n  newTag: old\nimages:\n- *e\n- *e\n",
                         "error: k.yaml: cannot be edited in place (aliases or an unusual layout)"},
                    Case{"NoMap", "- a\n", "error: k.yaml:1:1: want a map, as a kustomization is"},
                    Case{"NoList", "images: {a: b}\n", "error: k.yaml:1:9: images: want a list"},
                    Case{"Broken", "images: [\n",
                         "error: k.yaml:2:1: did not find expected node content while parsing a flow node (line 2)"}),
    [](const auto& i) { return i.param.name; });

TEST(SetKustomizeImage, TakesFieldsAway) {
  // The line that goes is the last of its entry, behind which the other comes.
  EXPECT_EQ(
      show(set_kustomize_image("images:\n- name: shop/web\n  newTag: a\n", {"shop/web", "", "", "sha256:ab"}, "k")),
      "images:\n- name: shop/web\n  digest: sha256:ab\n");
  EXPECT_EQ(
      show(set_kustomize_image("images:\n- name: shop/web\n  digest: b\n- name: c\n", {"shop/web", "", "v1", ""}, "k")),
      "images:\n- name: shop/web\n  newTag: v1\n- name: c\n");
  EXPECT_EQ(show(set_kustomize_image("images:\n- name: shop/web\n  newTag: a\n  digest: b # x\n- name: c\n",
                                     {"shop/web", "", "1.10", ""}, "k")),
            "images:\n- name: shop/web\n  newTag: \"1.10\"\n- name: c\n");
  EXPECT_EQ(show(set_kustomize_image("images:\n- name: shop/web\n", {"shop/web", "host:5000/web", "v1", ""}, "k")),
            "images:\n- name: shop/web\n  newName: host:5000/web\n  newTag: v1\n");
}

TEST(RemoveKustomizeImage, TakesTheEntryAway) {
  EXPECT_EQ(
      show(remove_kustomize_image("images:\n- name: a\n  newTag: x\n- name: b # y\n  newTag: z\n# end\n", "b", "k")),
      "images:\n- name: a\n  newTag: x\n# end\n");
  EXPECT_EQ(show(remove_kustomize_image("images:\n- name: a\nresources: []\n", "a", "k")),
            "images: []\nresources: []\n");
  EXPECT_EQ(show(remove_kustomize_image("images: [{name: a}, {name: b}]\n", "a", "k")), "images: [{name: b}]\n");
  EXPECT_EQ(show(remove_kustomize_image("x: 1\n", "a", "k")), "x: 1\n");
}

TEST(SetImageAt, HelmValuesAndFields) {
  const std::string values =
      "web: # the shop\n  image:\n    repository: shop/web\n    tag: \"old\"  # set by slipway\n  replicas: 2\n";
  auto set = show(set_image_at(values, "web.image", web, "values.yaml"));
  EXPECT_EQ(set,
            "web: # the shop\n  image:\n    repository: shop/web\n    tag: \"sha-1@sha256:ab\"  # set by slipway\n  "
            "replicas: 2\n");
  EXPECT_EQ(must(image_at(set, "web.image", "v"))->reference(), "shop/web:sha-1@sha256:ab");
  EXPECT_EQ(show(set_image_at("\xef\xbb\xbfimage: old # x\nb: 1\n", "image", web, "v")),
            "\xef\xbb\xbfimage: shop/web:sha-1@sha256:ab # x\nb: 1\n");
  EXPECT_EQ(show(set_image_at("image: {repository: r, tag: 1}\n", "image.tag", web, "v")),
            "image: {repository: r, tag: sha-1@sha256:ab}\n");
  EXPECT_EQ(show(set_image_at("image:\n  digest: x # ours\n", "image.digest", web, "v")),
            "image:\n  digest: sha256:ab # ours\n");
  EXPECT_EQ(must(image_at("image: {tag: sha-1@sha256:ab}\n", "image.tag", "v"))->digest, "sha256:ab");
  EXPECT_EQ(must(image_at("image: {digest: 'sha256:ab'}\n", "image.digest", "v"))->digest, "sha256:ab");
  EXPECT_EQ(show(set_image_at("image: {repository: r, tag: 1, digest: ''}\n", "image", web, "v")),
            "image: {repository: r, tag: sha-1, digest: 'sha256:ab'}\n");
  const std::string stream =
      "kind: Service\n---\nspec:\n  containers:\n  - name: side\n    image: x\n  - name: web\n    image: shop/web:old "
      "# c\n";
  EXPECT_EQ(show(set_image_at(stream, "spec.containers[name=web].image", web, "d.yaml")),
            "kind: Service\n---\nspec:\n  containers:\n  - name: side\n    image: x\n  - name: web\n    image: "
            "shop/web:sha-1@sha256:ab # c\n");
  EXPECT_EQ(show(set_image_at(stream, "spec.containers[1].nope", web, "d.yaml")),
            "error: d.yaml: spec.containers[1].nope: no such field");
  EXPECT_EQ(show(set_image_at(stream, "spec.containers[x].image", web, "d.yaml")),
            "error: spec.containers[x].image: [x]: want an index or key=value");
  EXPECT_EQ(show(set_image_at(stream, "spec.containers", web, "d.yaml")),
            "error: d.yaml:5:3: is a map or list, want a string");
  EXPECT_EQ(must(image_at("i: host:5000/a/b\n", "i", "v"))->name, "host:5000/a/b");
}

TEST(SetImageAt, EntriesOfFluxKustomizeAndArgo) {
  const std::string flux = "spec:\n  images:\n  - name: shop/web # ours\n    newName: reg/shop/web\n    newTag: old\n";
  EXPECT_EQ(show(set_image_at(flux, "spec.images[0]", web, "ks.yaml")),
            "spec:\n  images:\n  - name: shop/web # ours\n    newName: reg/shop/web\n    newTag: sha-1\n    digest: "
            "sha256:ab\n");
  EXPECT_EQ(show(set_image_at(flux, "spec.images[0].newTag", web, "ks.yaml")),
            replace_all(flux, "old", "sha-1@sha256:ab"));
  EXPECT_EQ(must(image_at(flux, "spec.images[name=shop/web]", "ks.yaml"))->reference(), "reg/shop/web:old");
  EXPECT_EQ(must(image_at(flux, "spec.images[0].newTag", "ks.yaml"))->tag, "old");
  EXPECT_EQ(show(set_image_at("images: [{name: shop/web}]\n", "images[0]", web, "k")),
            "images: [{name: shop/web, newTag: sha-1, digest: sha256:ab}]\n");
  const std::string argo = "images:\n- shop/web=reg/shop/web:1\n- shop/web:1\n";
  EXPECT_EQ(show(set_image_at(argo, "images[0]", web, "app.yaml")),
            replace_all(argo, "=reg/shop/web:1", "=reg/shop/web:sha-1@sha256:ab"));
  EXPECT_EQ(show(set_image_at(argo, "images[1]", web, "app.yaml")),
            replace_all(argo, "- shop/web:1", "- shop/web:sha-1@sha256:ab"));
  EXPECT_EQ(must(image_at(argo, "images[0]", "app.yaml"))->name, "reg/shop/web");
}

TEST(Edit, SetsAnyScalarAndTouchesNoOtherLine) {
  std::string text = "# top\na:\n- name: x\n  v: 'one' # keep\n- {name: y, v: 2}\nb: |\n  old\n  text\nc: d\n";
  EXPECT_EQ(must(set_yaml_scalar(text, "a[name=x].v", "two", "f")), replace_all(text, "'one'", "'two'"));
  EXPECT_EQ(must(set_yaml_scalar(text, "c", "e", "f")), replace_all(text, "c: d", "c: e"));
  EXPECT_EQ(must(set_yaml_scalar(text, "a[1].v", "1.20", "f")), replace_all(text, "v: 2", "v: \"1.20\""));
  EXPECT_EQ(must(set_yaml_scalar(text, "b", "new", "f")), replace_all(text, "|\n  old\n  text", "new"));
  EXPECT_EQ(set_yaml_scalar(text, "a", "x", "f").error().what(), "f:3:1: a: want a scalar, got a list");
  EXPECT_EQ(set_yaml_scalar(text, "gone", "x", "f").error().what(), "f: gone: no such field");
}

}  // namespace
}  // namespace slipway::manifest
