#include "ci/detail/lint.h"
#include "ci/detail/node.h"

namespace slipway::ci {
namespace {

using Op = Node::Op;
using Path = std::vector<std::string>;

// What a stranger can write: titles, messages, names of branches. "*" is any member.
constexpr std::string_view strangers_words[] = {
    "github.head_ref",
    "github.event.comment.body",
    "github.event.commits.*.author.email",
    "github.event.commits.*.author.name",
    "github.event.commits.*.message",
    "github.event.discussion.body",
    "github.event.discussion.title",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.head_commit.message",
    "github.event.issue.body",
    "github.event.issue.title",
    "github.event.pages.*.page_name",
    "github.event.pull_request.body",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.pull_request.title",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.workflow_run.display_title",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.head_commit.author.email",
    "github.event.workflow_run.head_commit.author.name",
    "github.event.workflow_run.head_commit.message",
};

// The members a chain of accesses names; empty when it does not start at a context.
Path path_of(const Node& node) {
  if (node.op == Op::name) return {lower(node.name)};
  if (node.op != Op::index) return {};
  auto path = path_of(node.children[0]);
  if (path.empty()) return path;
  auto& key = node.children[1];
  auto* text = key.op == Op::literal ? key.value.if_string() : nullptr;
  path.push_back(text != nullptr ? lower(*text) : key.op == Op::star ? "*" : "?");  // ?: one that is computed
  return path;
}

bool matches(const Path& path, std::string_view pattern) {
  auto words = split(pattern, '.');
  if (words.size() != path.size()) return false;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i] != "*" && path[i] != "*" && words[i] != path[i]) return false;
  return true;
}

// Functions that hand on the text they are given; of the others only truth or a digest comes out.
bool hands_on(std::string_view function) {
  for (auto* name : {"format", "join", "toJSON", "fromJSON", "case"})
    if (iequals(name, function)) return true;
  return false;
}

class Finder {
 public:
  Finder(Lint& lint, const std::function<Spot(std::size_t)>& at) : lint_(lint), at_(at) {}

  void look(const Node& node) {
    if (node.op == Op::index || node.op == Op::name) {
      chain(node);
      inside_keys(node);
    } else if (node.op == Op::call ? hands_on(node.name) : node.op == Op::and_ || node.op == Op::or_) {
      for (auto& child : node.children) look(child);
    }
  }

 private:
  void chain(const Node& node) {
    auto path = path_of(node);
    for (auto pattern : strangers_words)
      if (!path.empty() && matches(path, pattern)) {
        lint_.add(
            "expression", at_(node.position),
            fmt::format("'{}' is text that a stranger can write and becomes part of the script: hand it over in an "
                        "environment variable",
                        join(std::span<const std::string>(path), ".")));
        return;
      }
  }
  void inside_keys(const Node& node) {
    if (node.op != Op::index) return;
    inside_keys(node.children[0]);
    if (node.children[1].op == Op::index) look(node.children[1]);
  }

  Lint& lint_;
  const std::function<Spot(std::size_t)>& at_;
};

}  // namespace

void check_untrusted(Lint& lint, const Node& root, const std::function<Spot(std::size_t)>& at) {
  Finder(lint, at).look(root);
}

}  // namespace slipway::ci
