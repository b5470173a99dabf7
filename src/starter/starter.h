#pragma once
// From a repository to a path: what it is, how it is tested and built, and the texts that take it to production.
#include <string>
#include <vector>

#include "base/ctx.h"
#include "manifest/source.h"

namespace slipway::starter {

enum class Language { c, go, java, node, python, rust };
std::string_view to_string(Language language);  // "C/C++", "Go" ...

// Why something is as it is: "port", "8080", "EXPOSE in Dockerfile:17".
struct Reason {
  std::string what, value, why;
};

// A part of the repository with a manifest of its own, and how it is tested.
struct Module {
  Language language = Language::c;
  std::string folder;    // "" the root
  std::string manifest;  // "go.mod", with its folder
  std::string setup;     // an action that brings the tool: "actions/setup-go@v5"; "" none
  std::vector<std::pair<std::string, std::string>> with;
  std::vector<std::string> commands;  // empty: it has no tests
};

struct Facts {
  std::string name;                 // of the service: a DNS label
  std::string repository;           // of the source, on the embedded host
  std::string image;                // in the registry: "apps/NAME"
  std::string dockerfile, context;  // relative to the repository; context "." the root
  std::string target;               // the stage that is built; "" the last
  std::vector<std::string> bases;   // images that it starts or copies from
  bool takes_version = false;       // the Dockerfile has an ARG VERSION
  int port = 8080;
  std::string health;           // path of a check by HTTP; "": none, a connection must do
  std::vector<Module> modules;  // at most one a language
  std::string workflow;         // file that builds the image
  bool has_workflow = false;    // it is the repository's own
  std::vector<Reason> reasons;  // in the order in which a reader asks
};

// `name` is what the repository is called; it becomes a DNS label. Errors: not_found (no Dockerfile), invalid (the
// Dockerfile, with its place; a name without a letter).
Result<Facts> look(const Ctx& ctx, manifest::FileSource& source, const std::string& name);

struct File {
  std::string path, text, why;
};
// The starter workflow; nothing when the repository has one that does.
std::optional<File> workflow_file(const Facts& facts);
// The configuration repository: base, overlays of dev, staging and production, Applications, the Pipeline.
std::vector<File> config_files(const Facts& facts);
std::string config_repository(const Facts& facts);  // its name: NAME-config

}  // namespace slipway::starter
