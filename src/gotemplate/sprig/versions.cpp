// Versions in templates; base/semver.h knows them.
#include "base/semver.h"
#include "gotemplate/sprig/common.h"

namespace slipway::gotemplate::sprig {
namespace {

Result<Version> version_of(std::string_view text) {
  auto version = Version::parse(text);
  if (!version) return wrong("Invalid Semantic Version");
  return *std::move(version);
}

Result<Value> semver_compare(const Items& a) {
  TRY(auto version, version_of(text(a[1])));
  auto range = VersionRange::parse(text(a[0]));
  if (!range) return wrong("{}", range.error().what());
  return Value(range->holds(version));
}

class VersionObject final : public Object {
 public:
  explicit VersionObject(Version version) : version_(std::move(version)) {}
  std::string go_type() const override { return "*semver.Version"; }
  std::string print() const override { return version_.str(); }
  std::optional<Result<Value>> call(std::string_view name, const Items& a) const override {
    if (name == "Major") return Value(int64(version_.n[0]));
    if (name == "Minor") return Value(int64(version_.n[1]));
    if (name == "Patch") return Value(int64(version_.n[2]));
    if (name == "Prerelease") return Value(version_.pre);
    if (name == "Metadata") return Value(version_.build);
    if (name == "Original") return Value(version_.original);
    if (name == "String") return Value(version_.str());
    if (name != "Compare") return std::nullopt;
    const auto* other = a.size() == 1 ? dynamic_cast<const VersionObject*>(a[0].if_object()) : nullptr;
    if (other == nullptr) return wrong("want one other version");
    return Value(compare(version_, other->version_));
  }

 private:
  Version version_;
};

}  // namespace

Rows version_rows() {
  return {{"semver",
           {"s",
            [](const Items& a) -> Result<Value> {
              TRY(auto version, version_of(text(a[0])));
              return Value(std::static_pointer_cast<const Object>(std::make_shared<VersionObject>(std::move(version))));
            }}},
          {"semverCompare", {"ss", semver_compare}}};
}

}  // namespace slipway::gotemplate::sprig
