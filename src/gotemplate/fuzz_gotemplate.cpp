// A template, and after an empty line its data in YAML: it ends, whatever it says.
#include "base/text.h"
#include "doc/yaml.h"
#include "gotemplate/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  static const auto functions = [] {
    auto all = std::make_shared<gotemplate::Functions>(gotemplate::builtin_functions());
    all->insert(gotemplate::sprig_functions().begin(), gotemplate::sprig_functions().end());
    return all;
  }();
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto [source, yaml] = cut(text, "\n\n").value_or(std::pair{text, std::string_view("{}")});
  auto value = doc::parse_yaml(yaml, {.max_nodes = 1'000});
  gotemplate::Template parsed("fuzz", functions);
  if (!value || !parsed.parse(source)) return 0;
  parsed.limits({.steps = 5'000, .output = 1u << 16, .depth = 50});
  for (auto missing : {gotemplate::MissingKey::invalid, gotemplate::MissingKey::error}) {
    parsed.missing(missing);
    gotemplate::DictScope scope;
    (void)parsed.execute(gotemplate::from_doc(*value));
  }
  return 0;
}
