// init: looks at a repository and writes what takes it to production, where that is not there yet.
#include <fcntl.h>

#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "starter/starter.h"

namespace slipway::cli {
namespace {

struct Planned {
  fs::path place;
  starter::File file;
  bool there = false;
};

std::vector<Planned> plan_of(const starter::Facts& facts, const fs::path& repository, const fs::path& config) {
  std::vector<Planned> planned;
  if (auto workflow = starter::workflow_file(facts)) planned.push_back({repository / workflow->path, *workflow});
  for (auto& file : starter::config_files(facts)) {
    auto place = config / file.path;
    planned.push_back({place, std::move(file)});
  }
  for (auto& one : planned) one.there = path_exists(one.place);
  return planned;
}

// Never over what is there, also when it came between the look and now.
Result<> write_new(const fs::path& place, std::string_view text) {
  TRY_OK(make_dirs(place.parent_path()));
  Fd fd(::open(place.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail_errno(errno, place.native());
  return write_all(fd.get(), text);
}

Result<Output> git(const Ctx& ctx, const fs::path& folder, std::vector<std::string> words) {
  words.insert(words.begin(), {"git", "-C", folder.native()});
  return run(ctx, {.argv = std::move(words)});
}

// A configuration folder that we made is a repository with one commit, ready to be pushed. Gives what is left to do.
std::string make_repository(const Ctx& ctx, const fs::path& config, const std::string& name) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"init", "-q", "-b", "main"},
                                             {"add", "-A"},
                                             {"commit", "-q", "-m", fmt::format("The environments of {}", name)}}) {
    auto done = git(ctx, config, words);
    if (!done) return fmt::format("{} is no repository yet: {}", config.native(), done.error().what());
    if (!done->ok()) return fmt::format("{}: git {}: {}", config.native(), words[0], trim(done->err));
  }
  return "";
}

// A file that git would pass over without a word.
std::vector<std::string> ignored(const Ctx& ctx, const fs::path& repository, const std::vector<Planned>& planned) {
  std::vector<std::string> paths;
  for (const auto& one : planned) {
    if (!one.place.native().starts_with(repository.native() + "/")) continue;
    auto asked = git(ctx, repository, {"check-ignore", "-q", one.place.native()});
    if (asked && asked->ok()) paths.push_back(fs::relative(one.place, repository).native());
  }
  return paths;
}

doc::Value document_of(const starter::Facts& facts, const std::vector<Planned>& planned, const fs::path& repository,
                       const fs::path& config, bool written) {
  doc::List reasons, files, bases;
  for (const auto& reason : facts.reasons)
    reasons.emplace_back(doc::Map{{"what", reason.what}, {"value", reason.value}, {"why", reason.why}});
  for (const auto& one : planned)
    files.emplace_back(doc::Map{{"path", one.place.native()},
                                {"state", one.there ? "kept"
                                          : written ? "written"
                                                    : "new"},
                                {"why", one.file.why},
                                {"text", one.file.text}});
  for (const auto& base : facts.bases) bases.emplace_back(base);
  return doc::Map{{"name", facts.name},         {"repository", repository.native()},
                  {"config", config.native()},  {"configRepository", starter::config_repository(facts)},
                  {"image", facts.image},       {"dockerfile", facts.dockerfile},
                  {"context", facts.context},   {"bases", std::move(bases)},
                  {"port", facts.port},         {"health", facts.health},
                  {"workflow", facts.workflow}, {"choices", std::move(reasons)},
                  {"files", std::move(files)}};
}

Result<int> init(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto repository = fs::weakly_canonical(fs::absolute(arguments.get("folder", ".")));
  if (!fs::is_directory(repository)) return fail(Kind::not_found, "{}: no such folder", repository.native());
  manifest::DiskSource source(repository);
  TRY(auto facts, starter::look(ctx, source, arguments.get("name", repository.filename().native())));
  auto config = arguments.has("config") ? fs::weakly_canonical(fs::absolute(arguments.get("config")))
                                        : repository.parent_path() / starter::config_repository(facts);
  auto planned = plan_of(facts, repository, config);
  bool write = arguments.has("write"), fresh = !path_exists(config);
  if (write)
    for (const auto& one : planned)
      if (!one.there) TRY_OK(write_new(one.place, one.file.text));
  if (write && fresh)
    if (auto left = make_repository(ctx, config, facts.name); !left.empty()) io.note(left);
  for (const auto& path : ignored(ctx, repository, planned))
    io.note(fmt::format("{}: git ignores it: git add --force {}", path, path));
  if (io.json()) {
    io.document(document_of(facts, planned, repository, config, write));
    return 0;
  }
  io.line(fmt::format("{} in {}\n", io.paint(Io::Paint::bold, facts.name), repository.native()));
  std::vector<std::vector<std::string>> rows;
  for (const auto& reason : facts.reasons)
    rows.push_back({reason.what, reason.value, io.paint(Io::Paint::dim, reason.why)});
  io.table({"CHOICE", "IS", "BECAUSE"}, rows);
  io.line("");
  for (const auto& one : planned) {
    auto state =
        one.there ? io.paint(Io::Paint::dim, "kept   ") : io.paint(Io::Paint::good, write ? "written" : "new    ");
    io.line(fmt::format("{}  {}  {}", state, one.place.native(),
                        io.paint(Io::Paint::dim, one.there ? "it is there already" : one.file.why)));
    if (arguments.has("show") && !one.there) io.print("\n" + one.file.text + "\n");
  }
  if (fresh)
    io.line(fmt::format("{}  {}  {}", io.paint(Io::Paint::good, write ? "written" : "new    "),
                        (config / ".git").native(),
                        io.paint(Io::Paint::dim, "a repository of its own, with one commit")));
  io.note(write ? fmt::format("\nnext: commit {} and push it as the repository {}, and {} as {}, to a running slipway; "
                              "then\n  slipway bootstrap http://slipway/git/{}.git --path apps",
                              repository.native(), facts.repository, config.native(), starter::config_repository(facts),
                              starter::config_repository(facts))
                : "\nnothing was written: --write writes the new ones, --show prints them");
  return 0;
}

}  // namespace

std::vector<Command> init_commands() {
  return {{"init",
           "looks at a repository and writes a starter workflow and its environments",
           "slipway init . --write --config ../shop-config",
           {{"--write", "write what is not there yet; nothing is ever overwritten", true},
            {"--config", "folder of the configuration repository (beside the repository: NAME-config)"},
            {"--name", "name of the service (the folder's)"},
            {"--show", "print the new files", true}},
           {{"folder", "the repository (.)", false}},
           init}};
}

}  // namespace slipway::cli
