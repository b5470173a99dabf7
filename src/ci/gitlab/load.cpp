#include "ci/gitlab/load.h"

#include <set>

#include "base/text.h"
#include "ci/gitlab/inputs.h"
#include "doc/yaml.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::size_t max_files = 150;
constexpr int max_extends = 11, max_references = 10;
constexpr std::size_t max_values = 200'000;  // after extends and !reference: they copy
constexpr std::string_view reference_tag = "!reference";

void renumber(doc::Value& value, std::uint32_t file) {
  auto mark = value.mark();
  value.set_mark({mark.line, mark.column, file, 0});
  if (auto* list = value.if_list())
    for (auto& item : *list) renumber(item, file);
  if (auto* map = value.if_map())
    for (auto& [key, item] : *map) {
      auto at = map->key_mark(key);
      map->set_key_mark(key, {at.line, at.column, file, 0});
      renumber(item, file);
    }
}

bool is_reference(const doc::Value& value) {
  const auto* map = value.if_map();
  return map && map->size() == 1 && map->contains(reference_tag);
}

std::vector<std::string> names(const doc::Map& map) {
  std::vector<std::string> out;
  for (const auto& [key, value] : map) out.push_back(key);
  return out;
}

// "FILE:3:1: what" of a reader as a problem with its place.
Problem from_error(const Error& error, const std::string& file) {
  Problem out{{file, 0, 0}, error.what(), error.hint()};
  if (!out.message.starts_with(file + ":")) return out;
  auto rest = std::string_view(out.message).substr(file.size() + 1);
  auto parts = split(rest, ':');
  auto line = parts.empty() ? std::nullopt : to_int(parts[0]);
  auto column = parts.size() < 2 ? std::nullopt : to_int(parts[1]);
  if (!line || !column) return out;
  out.place.line = static_cast<int>(*line), out.place.column = static_cast<int>(*column);
  out.message = std::string(trim(rest.substr(parts[0].size() + parts[1].size() + 2)));
  return out;
}

class Loader {
 public:
  Loader(const LoadOptions& options, Problems& problems) : options_(options), problems_(problems) {}

  // given: include:inputs.
  doc::Map file(std::string_view text, const std::string& path, const doc::Map* given = nullptr, doc::Mark where = {}) {
    auto number = static_cast<std::uint32_t>(problems_.file(path));
    if (text.size() > std::size_t{1} << 20) {
      problems_.add({1, 1, number, 0}, "larger than 1 MiB");
      return {};
    }
    auto parts = split_spec(text);
    std::optional<doc::Map> inputs;
    if (parts) {
      auto head = read(parts->head, path, number);
      if (!head) return {};
      // Of the first file nobody gives any: its defaults count.
      if (where.line == 0) where = {1, 1, number, 0};
      inputs = read_inputs(*head, given, where, problems_);
    } else if (given && !given->empty()) {
      problems_.add(where, fmt::format("include:inputs: {} takes no inputs", path),
                    "it has no spec:inputs above a line ---");
    }
    auto top = read(parts ? std::string_view(parts->body) : text, path, number, inputs ? &*inputs : nullptr);
    if (!top) return {};
    doc::Map out;
    if (const auto* include = top->find("include")) {
      stack_.push_back(path);
      includes(*include, out);
      stack_.pop_back();
      top->erase("include");
    }
    merge_over(out, *top);
    return out;
  }
  // What trigger:include names.
  doc::Map child(const doc::Value& include) {
    doc::Map out;
    includes(include, out);
    return out;
  }

 private:
  // Whose files are meant by paths: of this repository (project ""), or of another one.
  struct Origin {
    std::string project, ref;
  };

  std::optional<doc::Map> read(std::string_view text, const std::string& path, std::uint32_t number,
                               const doc::Map* inputs = nullptr) {
    doc::ParseOptions reading;
    reading.source = path, reading.duplicate_keys = true, reading.local_tags = true;
    auto document = doc::parse_yaml(text, reading);
    if (!document) {
      problems_.add(from_error(document.error(), path));
      return {};
    }
    renumber(*document, number);
    if (inputs) fill_in(*document, *inputs, options_.expand, problems_);
    if (document->is_null()) return doc::Map();
    auto* top = document->if_map();
    if (!top) {
      problems_.add(document->mark(),
                    fmt::format("want a mapping of jobs, got a {}", doc::to_string(document->type())));
      return {};
    }
    return std::move(*top);
  }

  void includes(const doc::Value& value, doc::Map& out) {
    if (const auto* list = value.if_list())
      for (const auto& item : *list) includes(item, out);
    else if (const auto* text = value.if_string())
      local(*text, value.mark(), out, nullptr);
    else if (const auto* map = value.if_map())
      entry(*map, value.mark(), out);
    else
      problems_.add(value.mark(), "include: want a path or a mapping with local:");
  }

  void entry(const doc::Map& map, doc::Mark mark, doc::Map& out) {
    static const std::vector<std::string> known = {"local",  "rules", "remote", "template", "project", "component",
                                                   "inputs", "file",  "ref",    "artifact", "job",     "integrity"};
    for (const auto& [key, value] : map)
      if (std::find(known.begin(), known.end(), key) == known.end())
        problems_.unknown(map.key_mark(key), fmt::format("include: unknown key '{}'", key), key, known);
    if (map.contains("artifact"))
      return problems_.not_yet(map.key_mark("artifact"), "include:artifact",
                               "a pipeline that a job writes is not known before it ran: write it as a file, or let "
                               "rules choose among jobs");
    if (const auto* rules = map.find("rules"); rules && options_.counts && !options_.counts(*rules)) return;
    const doc::Map* inputs = nullptr;
    if (const auto* given = map.find("inputs")) {
      inputs = given->if_map();
      if (!inputs) return problems_.add(given->mark(), "include:inputs: want a mapping of names to values");
    }
    for (auto [key, take] : {std::pair{"local", &Loader::local},
                             {"remote", &Loader::remote},
                             {"template", &Loader::from_template},
                             {"component", &Loader::component}})
      if (const auto* value = map.find(key)) {
        if (!value->is_string()) return problems_.add(value->mark(), fmt::format("include:{}: want a text", key));
        return (this->*take)(*value->if_string(), value->mark(), out, inputs);
      }
    if (map.contains("project")) return project(map, mark, out, inputs);
    problems_.add(mark, "include: want local: PATH of this repository",
                  "or project: with file:, component:, remote:, template:");
  }

  std::string expanded(const std::string& written) const {
    return options_.expand ? options_.expand(written) : written;
  }

  // project: GROUP/NAME, ref, file: one or several.
  void project(const doc::Map& map, doc::Mark mark, doc::Map& out, const doc::Map* inputs) {
    auto text = [&](const char* key) {
      const auto* value = map.find(key);
      return value && value->is_string() ? expanded(*value->if_string()) : std::string();
    };
    Origin origin{text("project"), text("ref")};
    while (origin.project.starts_with('/')) origin.project.erase(0, 1);
    const auto* files = map.find("file");
    if (!files || origin.project.empty())
      return problems_.add(mark, "include:project: want project: GROUP/NAME and file: PATH");
    doc::List one{*files};
    for (const auto& file : files->if_list() ? *files->if_list() : one) {
      if (!file.is_string()) return problems_.add(file.mark(), "include:file: want a path or a list of paths");
      auto path = expanded(*file.if_string());
      while (path.starts_with('/')) path.erase(0, 1);
      at_origin(origin, path, file.mark(), out, inputs);
    }
  }

  // HOST/GROUP/NAME/COMPONENT@VERSION: whose host it is does not matter, places know projects by their paths.
  void component(const std::string& written, doc::Mark mark, doc::Map& out, const doc::Map* inputs) {
    auto whole = expanded(written);
    auto at = whole.rfind('@');
    auto address = std::string_view(whole).substr(0, at);
    auto first = address.find('/'), last = address.rfind('/');
    if (at == std::string::npos || first == std::string_view::npos || first == last ||
        address.find('/', first + 1) == last)
      return problems_.add(
          mark, fmt::format("include:component: \"{}\", want HOST/GROUP/PROJECT/COMPONENT@VERSION", written));
    Origin origin{std::string(address.substr(first + 1, last - first - 1)), whole.substr(at + 1)};
    auto name = std::string(address.substr(last + 1));
    auto path = fmt::format("templates/{}.yml", name);
    auto there = text_of(origin, path);
    if (there && !*there) path = fmt::format("templates/{}/template.yml", name);
    at_origin(origin, path, mark, out, inputs);
  }

  void from_template(const std::string& written, doc::Mark mark, doc::Map& out, const doc::Map* inputs) {
    at_origin({"gitlab-org/gitlab", ""}, "lib/gitlab/ci/templates/" + written, mark, out, inputs);
  }

  void remote(const std::string& written, doc::Mark mark, doc::Map& out, const doc::Map* inputs) {
    auto url = expanded(written);
    if (!url.starts_with("https://") && !url.starts_with("http://"))
      return problems_.add(mark, fmt::format("include:remote: \"{}\", want https://HOST/PATH", written));
    one(url, mark, out, true, inputs);
  }

  void at_origin(Origin origin, const std::string& path, doc::Mark mark, doc::Map& out, const doc::Map* inputs) {
    auto before = std::exchange(origin_, std::move(origin));
    one(path, mark, out, true, inputs);
    origin_ = std::move(before);
  }

  Result<std::optional<std::string>> text_of(const Origin& origin, const std::string& path) const {
    bool url = path.starts_with("https://") || path.starts_with("http://");
    std::optional<std::string> none;
    if (origin.project.empty() && !url) return options_.tree->read ? options_.tree->read(path) : none;
    if (!options_.tree->other)
      return Fail(Error(Kind::unavailable, "no places of other repositories are known here")
                      .with_hint("give --actions a folder of mirrors: GROUP/NAME.git, and HOST/PATH of files by URL"));
    return url ? options_.tree->other("", "", path) : options_.tree->other(origin.project, origin.ref, path);
  }

  void local(const std::string& written, doc::Mark mark, doc::Map& out, const doc::Map* inputs) {
    auto path = expanded(written);
    if (path.starts_with("http://") || path.starts_with("https://")) return remote(written, mark, out, inputs);
    while (path.starts_with('/')) path.erase(0, 1);
    if (!path.ends_with(".yml") && !path.ends_with(".yaml"))
      return problems_.add(mark, fmt::format("include: \"{}\" is no .yml or .yaml file", written));
    if (!path.contains('*')) return one(path, mark, out, true, inputs);
    if (!origin_.project.empty())
      return problems_.not_yet(mark, "include:local with * in a file of another project", "name the files");
    if (!options_.tree->files) return problems_.add(mark, "include: the files of this tree cannot be listed here");
    auto files = options_.tree->files();
    if (!files) return problems_.add(mark, files.error().what());
    std::sort(files->begin(), files->end());
    bool any = false;
    for (const auto& file : *files)
      if (glob_match(path, file)) any = true, one(file, mark, out, false, inputs);
    if (!any) problems_.add(mark, fmt::format("include: no file matches \"{}\"", written));
  }

  void one(const std::string& path, doc::Mark mark, doc::Map& out, bool named, const doc::Map* inputs) {
    bool url = path.starts_with("https://") || path.starts_with("http://");
    auto shown = origin_.project.empty() || url ? path : origin_.project + ":" + path;
    if (std::find(stack_.begin(), stack_.end(), shown) != stack_.end()) {
      if (!named) return;  // a pattern that matches its own file
      auto circle = stack_;
      circle.push_back(shown);
      return problems_.add(mark, fmt::format("include: files include each other in a circle: {}",
                                             join(std::span<const std::string>(circle), " -> ")));
    }
    if (++files_ > max_files) return problems_.add(mark, fmt::format("include: more than {} files", max_files));
    auto text = text_of(origin_, path);
    if (!text)
      return problems_.add(mark, fmt::format("include: {}: {}", shown, text.error().what()), text.error().hint());
    if (!*text && url)
      return problems_.add(mark, fmt::format("include: no place of this house has a copy of {}", path),
                           "nothing is fetched from other hosts: keep it as HOST/PATH in a folder of --actions");
    if (!*text)
      return problems_.add(mark,
                           origin_.project.empty() ? fmt::format("include: no file {} in this tree", path)
                                                   : fmt::format("include: {} has no file {}", origin_.project, path),
                           "paths start at the root of the repository");
    // Of a file by its URL, local paths mean nothing.
    auto before = url ? std::exchange(origin_, Origin{}) : origin_;
    merge_over(out, file(**text, shown, inputs, mark));
    origin_ = std::move(before);
  }

  const LoadOptions& options_;
  Problems& problems_;
  std::vector<std::string> stack_;
  Origin origin_;
  std::size_t files_ = 0;
};

// extends and !reference over the whole document.
class Resolver {
 public:
  Resolver(const doc::Map& top, Problems& problems) : top_(top), problems_(problems) {}

  doc::Map resolve() {
    doc::Map extended;
    for (const auto& [name, value] : top_) {
      std::vector<std::string> stack;
      extended.append(name, value.is_map() ? doc::Value(extend(name, stack)) : value);
      extended.set_key_mark(name, top_.key_mark(name));
      extended.find(name)->set_mark(value.mark());
    }
    top_ = std::move(extended);
    doc::Map out;
    for (const auto& [name, value] : top_) {
      std::vector<std::string> stack;
      out.append(name, references(value, stack));
      out.set_key_mark(name, top_.key_mark(name));
    }
    return out;
  }

 private:
  bool count(const doc::Value& value) {
    if (values_ > max_values) return false;
    if (++values_ > max_values)
      problems_.add(value.mark(), fmt::format("extends and !reference make more than {} values", max_values));
    return values_ <= max_values;
  }
  void count_all(const doc::Map& map) {
    for (const auto& [key, value] : map) {
      if (!count(value)) return;
      if (const auto* inner = value.if_map()) count_all(*inner);
      if (const auto* list = value.if_list()) values_ += list->size();
    }
  }

  doc::Map extend(const std::string& name, std::vector<std::string>& stack) {
    if (auto known = done_.find(name); known != done_.end()) return known->second;
    const auto& own = *top_.find(name)->if_map();
    const auto* parents = own.find("extends");
    if (!parents) return own;
    doc::Map out;
    stack.push_back(name);
    auto add = [&](const doc::Value& parent) {
      const auto* text = parent.if_string();
      if (!text) return problems_.add(parent.mark(), "extends: want a job's name or a list of names");
      if (std::find(stack.begin(), stack.end(), *text) != stack.end()) {
        auto circle = stack;
        circle.push_back(*text);
        return problems_.add(parent.mark(), fmt::format("extends: jobs extend each other in a circle: {}",
                                                        join(std::span<const std::string>(circle), " -> ")));
      }
      if (stack.size() >= static_cast<std::size_t>(max_extends))
        return problems_.add(parent.mark(), fmt::format("extends: more than {} levels", max_extends));
      const auto* found = top_.find(*text);
      if (!found || !found->is_map())
        return problems_.unknown(parent.mark(), fmt::format("extends: there is no job '{}'", *text), *text,
                                 names(top_));
      if (values_ > max_values) return;
      auto part = extend(*text, stack);
      count_all(part);
      merge_over(out, part);
    };
    if (const auto* list = parents->if_list())
      for (const auto& parent : *list) add(parent);
    else
      add(*parents);
    stack.pop_back();
    merge_over(out, own);
    out.erase("extends");
    done_[name] = out;
    return out;
  }

  doc::Value references(const doc::Value& value, std::vector<std::string>& stack) {
    if (!count(value)) return {};
    if (is_reference(value)) return referred(value, stack);
    if (const auto* list = value.if_list()) {
      doc::List out;
      for (const auto& item : *list) {
        auto made = references(item, stack);
        // A list that stands for an item goes into the list.
        if (is_reference(item) && made.is_list())
          for (auto& inner : *made.if_list()) out.push_back(std::move(inner));
        else
          out.push_back(std::move(made));
      }
      doc::Value made(std::move(out));
      made.set_mark(value.mark());
      return made;
    }
    if (const auto* map = value.if_map()) {
      doc::Map out;
      for (const auto& [key, item] : *map) {
        out.append(key, references(item, stack));
        out.set_key_mark(key, map->key_mark(key));
      }
      doc::Value made(std::move(out));
      made.set_mark(value.mark());
      return made;
    }
    return value;
  }

  doc::Value referred(const doc::Value& value, std::vector<std::string>& stack) {
    const auto& path = *value.if_map()->find(reference_tag);
    const auto* list = path.if_list();
    std::vector<std::string> words;
    if (list)
      for (const auto& item : *list) words.push_back(item.is_string() ? *item.if_string() : std::string());
    if (words.empty() || std::find(words.begin(), words.end(), "") != words.end()) {
      problems_.add(value.mark(), "!reference: want a list of names, like [.setup, script]");
      return {};
    }
    auto whole = join(std::span<const std::string>(words), ", ");
    if (std::find(stack.begin(), stack.end(), whole) != stack.end() ||
        stack.size() >= static_cast<std::size_t>(max_references)) {
      problems_.add(value.mark(), fmt::format("!reference [{}]: {}", whole,
                                              stack.size() >= static_cast<std::size_t>(max_references)
                                                  ? fmt::format("more than {} levels", max_references)
                                                  : std::string("it refers to itself")));
      return {};
    }
    const auto* now = top_.find(words[0]);
    const doc::Map* last = &top_;
    for (std::size_t i = 1; now && i < words.size(); ++i) {
      last = now->if_map();
      now = now->find(words[i]);
      if (!now) {
        problems_.unknown(value.mark(), fmt::format("!reference [{}]: '{}' has no '{}'", whole, words[i - 1], words[i]),
                          words[i], last ? names(*last) : std::vector<std::string>{});
        return {};
      }
    }
    if (!now) {
      problems_.unknown(value.mark(), fmt::format("!reference [{}]: there is no '{}'", whole, words[0]), words[0],
                        names(*last));
      return {};
    }
    stack.push_back(whole);
    auto out = references(*now, stack);
    stack.pop_back();
    return out;
  }

  doc::Map top_;
  Problems& problems_;
  std::map<std::string, doc::Map> done_;
  std::size_t values_ = 0;
};

}  // namespace

void merge_over(doc::Map& below, const doc::Map& above) {
  for (const auto& [key, value] : above) {
    auto* there = below.find(key);
    const auto* map = value.if_map();
    bool both = there && map && there->is_map() && !is_reference(value) && !is_reference(*there);
    if (both) {
      merge_over(*there->if_map(), *map);
      there->set_mark(value.mark());
    } else {
      below.set(key, value);
    }
    below.set_key_mark(key, above.key_mark(key));
  }
}

doc::Map load(std::string_view text, std::string_view source, const LoadOptions& options, Problems& problems) {
  auto top = Loader(options, problems).file(text, std::string(source));
  if (problems.any()) return top;
  return Resolver(top, problems).resolve();
}

doc::Map load_child(const doc::Value& include, const LoadOptions& options, Problems& problems) {
  auto top = Loader(options, problems).child(include);
  if (problems.any()) return top;
  return Resolver(top, problems).resolve();
}

}  // namespace slipway::ci::gitlab
