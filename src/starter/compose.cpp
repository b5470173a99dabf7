// A Compose file: how people run the service on their own machine.
#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "manifest/source.h"
#include "starter/detail/look.h"

namespace slipway::starter::detail {
namespace {

// "127.0.0.1:8000:80/tcp", "8000:80", "80", {target: 80}: the port in the container.
int container_port(doc::View port) {
  auto text = port["target"].exists() ? port["target"].text() : port.text();
  text = text.substr(0, text.find('/'));
  auto number = to_int(text.substr(text.rfind(':') + 1));
  return number && *number > 0 && *number < 65536 ? static_cast<int>(*number) : 0;
}

std::string words_of(doc::View command) {
  auto text = command.text();
  for (const auto& word : command.items()) text += " " + word.text();
  return text;
}

}  // namespace

Composed look_at_compose(const Tree& tree, const std::string& dockerfile) {
  for (const char* name : {"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}) {
    if (!tree.has(name)) continue;
    auto parsed = doc::parse_yaml(tree.text(name), {.source = name});
    if (!parsed) continue;
    for (const auto& [key, service] : doc::View(*parsed)["services"].members()) {
      auto build = service["build"];
      auto given = build.text().empty() ? build["context"].str_or(build.present() ? "." : "") : build.text();
      if (given.empty()) continue;
      auto context = manifest::join_path("", given);
      auto file = context ? manifest::join_path(*context, build["dockerfile"].str_or("Dockerfile")) : std::nullopt;
      if (!file || *file != dockerfile) continue;
      Composed composed{.file = name,
                        .context = context->empty() ? "." : *context,
                        .target = build["target"].text(),
                        .healthcheck = words_of(service["healthcheck"]["test"])};
      composed.port = container_port(service["ports"][0]);
      return composed;
    }
  }
  return {};
}

}  // namespace slipway::starter::detail
