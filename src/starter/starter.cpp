#include "starter/starter.h"

#include "base/text.h"
#include "starter/detail/look.h"

namespace slipway::starter {
namespace {

// A name as Kubernetes takes it: lower-case letters, digits and dashes, a letter first, at most 40 (suffixes follow).
Result<std::string> label_of(const std::string& name) {
  std::string label;
  for (char c : lower(name)) {
    bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (good)
      label += c;
    else if (!label.empty() && label.back() != '-')
      label += '-';
  }
  while (!label.empty() && !(label.front() >= 'a' && label.front() <= 'z')) label.erase(0, 1);
  label = label.substr(0, 40);
  while (label.ends_with('-')) label.pop_back();
  if (label.empty())
    return Fail(Error(Kind::invalid, fmt::format("name \"{}\": want one with a letter", name))
                    .with_hint("give one: --name NAME"));
  return label;
}

}  // namespace

std::string_view to_string(Language language) {
  switch (language) {
    case Language::c:
      return "C/C++";
    case Language::go:
      return "Go";
    case Language::java:
      return "Java";
    case Language::node:
      return "Node";
    case Language::python:
      return "Python";
    case Language::rust:
      return "Rust";
  }
  return "";
}

Result<Facts> look(const Ctx& ctx, manifest::FileSource& source, const std::string& name) {
  Facts facts;
  TRY(facts.name, label_of(name));
  facts.repository = facts.name;
  facts.image = "apps/" + facts.name;
  TRY(auto tree, detail::Tree::read(ctx, source));
  int port = 0;
  std::string health;
  TRY_OK(detail::look_at_dockerfile(tree, facts, port, health));
  detail::look_at_probes(tree, facts, port, health);
  if (port == 0)
    facts.reasons.push_back({"port", "8080", "nothing says which: EXPOSE one in " + facts.dockerfile});
  else
    facts.port = port;
  facts.health = health;
  if (health.empty())
    facts.reasons.push_back({"health", fmt::format("a connection to port {}", facts.port),
                             "no HEALTHCHECK, no probe of a manifest and no route like /healthz was found"});
  detail::look_at_modules(tree, facts);
  detail::look_at_workflows(tree, facts);
  return facts;
}

}  // namespace slipway::starter
