// peter-evans/create-pull-request against the embedded host: what changed in the workspace becomes a commit that is
// pushed to refs/for/BRANCH, which opens a pull request or continues the one of the same branch.
#include "base/encode.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/toolchain.h"

namespace slipway::ci {
namespace {

constexpr std::string_view trailer = "Pull-Request-Branch: ";

struct Person {
  std::string name, email;
};
// "Name <mail@example.org>".
Result<Person> person(const ActionUse& use, std::string_view input, const Person& fallback) {
  auto text = use.input(input);
  if (text.empty()) return fallback;
  auto open = text.find('<'), close = text.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open)
    return fail(Kind::invalid, "{}: got \"{}\", want Name <mail@example.org>", input, text);
  return Person{std::string(trim(text.substr(0, open))), text.substr(open + 1, close - open - 1)};
}

struct Wish {
  std::string branch, base, message, url;
  Person author, committer;
};

// The host shows the commit's subject as the title: the title is what the commit starts with.
Result<std::string> message_of(ActionUse& use, const Wish& wish) {
  auto title = use.input("title"), commit = use.input("commit-message"), body = use.input("body");
  if (auto file = use.input("body-path"); !file.empty()) {
    TRY(auto relative, use.job.relative_of(file));
    if (!use.job.folder().has_file(relative)) return fail(Kind::not_found, "body-path: no such file {}", file);
    TRY(body, use.job.folder().read(relative, 1 << 20));
  }
  if (commit.empty()) commit = title.empty() ? "[create-pull-request] automated change" : title;
  auto out = title.empty() || commit.starts_with(title) ? commit : title + "\n\n" + commit;
  if (!body.empty()) out += "\n\n" + std::string(trim(body));
  out += fmt::format("\n\n{}{}\n", trailer, wish.branch);
  if (use.flag("signoff", false))
    out += fmt::format("Signed-off-by: {} <{}>\n", wish.committer.name, wish.committer.email);
  return out;
}

// The open request of the same branch: its head carries the trailer and is not in the base yet.
Result<int> number_of_branch(const git::Repository& repository, const Wish& wish) {
  int newest = 0;
  TRY(auto base, repository.resolve("refs/heads/" + wish.base));
  if (!base) return fail(Kind::not_found, "base '{}' is not a branch of the repository", wish.base);
  TRY(auto refs, repository.refs("refs/pull/"));
  for (auto& [ref, id] : refs) {
    auto parts = split(ref, '/');
    if (parts.size() != 4 || parts[3] != "head") continue;
    auto commit = repository.commit(id);
    if (!commit || !commit->message.contains(fmt::format("{}{}\n", trailer, wish.branch))) continue;
    auto merged = repository.is_ancestor(id, *base);
    if (merged && *merged) continue;
    newest = std::max(newest, static_cast<int>(to_int(parts[2]).value_or(0)));
  }
  return newest;
}

Result<Wish> wish_of(ActionUse& use) {
  auto& job = use.job;
  auto& event = job.plan().event;
  Wish out;
  if (!job.options().repository)
    return Fail(Error(Kind::unavailable, "this run works on a folder: there is no host to ask for a pull request")
                    .with_hint("push to a repository of `slipway up`, and let the workflow run there"));
  if (!use.input("push-to-fork").empty())
    return fail(Kind::unavailable, "push-to-fork: the host opens requests by refs/for/BRANCH, forks are not needed");
  out.branch = use.input("branch", "create-pull-request/patch");
  auto own = event.ref.starts_with("refs/heads/") ? event.ref.substr(11) : event.base_ref;
  out.base = use.input("base", own.empty() ? event.default_branch : own);
  if (out.branch == out.base)
    return fail(Kind::invalid, "The 'base' and 'branch' for a pull request must be different branches, both are {}",
                out.base);
  auto suffix = use.input("branch-suffix");
  if (suffix == "short-commit-hash") out.branch += "-" + event.sha.substr(0, 7);
  if (suffix == "random" || suffix == "timestamp") out.branch += "-" + job.options().run_id;
  Person bot{"slipway", "slipway@localhost"};
  TRY(out.committer, person(use, "committer", bot));
  TRY(out.author, person(use, "author", {event.actor, event.actor + "@localhost"}));
  TRY(out.message, message_of(use, out));
  bool house_owned = event.owner == "local" && event.repository.starts_with("local/");
  out.url = fmt::format("{}/git/{}.git", job.options().server_url,
                        house_owned ? event.repository.substr(6) : event.repository);
  return out;
}

std::string paths_of(ActionUse& use) {
  std::string out;
  for (auto& line : use.list("add-paths"))
    for (auto part : split(line, ','))
      if (!trim(part).empty()) out += " " + shell_quoted(trim(part));
  return out.empty() ? " ." : out;
}

// By an index of its own: the workspace and its HEAD stay as the steps left them.
constexpr std::string_view commit_script = R"S(
export GIT_INDEX_FILE="$RUNNER_TEMP/create-pull-request.index"
rm -f "$GIT_INDEX_FILE"
git -c safe.directory='*' read-tree HEAD || exit 3
git -c safe.directory='*' add -A -- PATHS >&2 || exit 4
tree=$(git -c safe.directory='*' write-tree) || exit 5
rm -f "$GIT_INDEX_FILE"
if [ "$tree" = "$(git -c safe.directory='*' rev-parse 'HEAD^{tree}')" ]; then
  head=$(git -c safe.directory='*' rev-parse HEAD)
  [ "$head" = "$START" ] || echo "$head"
else
  git -c safe.directory='*' commit-tree "$tree" -p HEAD -F "$MESSAGE_FILE"
fi
)S";

struct Answer {
  std::string number, url;
  bool opened = false;
};
// "remote: pull request 7 opened: http://..."
Answer read_answer(std::string_view text) {
  Answer out;
  for (auto line : lines(text)) {
    auto at = line.find("pull request ");
    if (at == std::string_view::npos) continue;
    auto words = split(trim(line.substr(at + 13)), ' ');
    if (words.size() < 3 || !to_int(words[0])) continue;
    out.number = words[0], out.opened = words[1].starts_with("opened"), out.url = words[2];
  }
  return out;
}

void tell_none(ActionUse& use, const Wish& wish) {
  use.say(fmt::format("Nothing changed against {}: there is no pull request to make", wish.base));
  use.output("pull-request-operation", "none");
  use.output("pull-request-branch", wish.branch);
}

}  // namespace

Result<> create_pull_request(const Ctx& ctx, ActionUse& use) {
  TRY(auto wish, wish_of(use));
  auto& job = use.job;
  auto token = use.input("token", job.token());
  if (token.empty())
    return Fail(Error(Kind::denied,
                      "Input 'token' not supplied, and the job has no GITHUB_TOKEN: the host takes no push "
                      "without one")
                    .with_hint("keep a user's token as the secret GITHUB_TOKEN of the repository's runs"));
  job.add_mask(token);
  auto file = job.folder().temp() + "/create-pull-request.message";
  TRY_OK(job.folder().write(file, wish.message));
  Environment env = {{"GIT_AUTHOR_NAME", wish.author.name},       {"GIT_AUTHOR_EMAIL", wish.author.email},
                     {"GIT_COMMITTER_NAME", wish.committer.name}, {"GIT_COMMITTER_EMAIL", wish.committer.email},
                     {"MESSAGE_FILE", job.inside(file)},          {"START", job.options().commit}};
  auto folder = use.input("path");
  TRY(auto made, output_of(ctx, use, replace_all(std::string(commit_script), "PATHS", paths_of(use)), env, folder));
  if (!made)
    return Fail(Error(Kind::invalid, "the changes could not be made a commit: is the workspace a git repository?")
                    .with_hint("is there an actions/checkout step before?"));
  auto commit = std::string(trim(*made));
  if (commit.empty()) return tell_none(use, wish), Result<>{};
  TRY(auto number, number_of_branch(*job.options().repository, wish));
  auto basic = to_base64("x-access-token:" + token);
  job.add_mask(basic);
  env.insert({{"GIT_CONFIG_COUNT", "1"},
              {"GIT_CONFIG_KEY_0", "http.extraHeader"},
              {"GIT_CONFIG_VALUE_0", "AUTHORIZATION: basic " + basic},
              {"GIT_TERMINAL_PROMPT", "0"}});
  auto push = [&](int pr) {
    return output_of(
        ctx, use,
        fmt::format("git -c safe.directory='*' push --no-verify {}{} {}:refs/for/{} 2>&1 || {{ echo push-failed; }}",
                    pr > 0 ? fmt::format("-o pr={} ", pr) : "", shell_quoted(wish.url), commit,
                    shell_quoted(wish.base)),
        env, folder);
  };
  TRY(auto said, push(number));
  if (number > 0 && said && said->contains("push-failed") && said->contains("is closed")) {
    TRY(said, push(0));
  }
  if (!said || said->contains("push-failed"))
    return fail(Kind::unavailable, "push to {} refs/for/{}: {}", wish.url, wish.base,
                trim(replace_all(said.value_or(""), "push-failed", "")));
  auto answer = read_answer(*said);
  use.output("pull-request-number", answer.number);
  use.output("pull-request-url", answer.url);
  use.output("pull-request-operation", answer.opened ? "created" : "updated");
  use.output("pull-request-head-sha", commit);
  use.output("pull-request-branch", wish.branch);
  use.output("pull-request-commits-verified", "false");
  use.say(fmt::format("Pull request {} {}: {}", answer.number, answer.opened ? "opened" : "updated", answer.url));
  return {};
}

}  // namespace slipway::ci
