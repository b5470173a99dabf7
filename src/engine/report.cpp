#include "engine/report.h"
#include "engine/config_repository.h"

#include "engine/house.h"
#include "engine/promotions.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/rendered_changes.h"
#include "manifest/edit.h"

namespace slipway::engine {
namespace {

// A cell of a Markdown table: one line, and nothing in it that ends the cell or begins markup.
std::string cell(std::string_view text, std::size_t most = 300) {
  std::string out;
  std::size_t taken = 0;
  for (char c : text) {
    bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (begins && taken++ == most) {
      out += "…";
      break;
    }
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    if (std::string_view("|\\`*[]<~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string checks_table(const std::vector<kube::Object>& runs) {
  std::string text = "| check | result | |\n| --- | --- | --- |\n";
  for (const auto& run : runs) {
    for (const auto& job : run["status"]["jobs"].items())
      text += fmt::format("| {} / {} | {} | {} |\n", cell(run["spec"]["name"].text()), cell(job["name"].text()),
                          job["phase"].text(), cell(job["message"].text()));
    if (run["status"]["jobs"].items().empty())
      text += fmt::format("| {} | {} | {} |\n", cell(run["spec"]["name"].text()), run["status"]["phase"].text(),
                          cell(run["status"]["message"].text()));
  }
  return text;
}

struct Built {
  std::string image, tag;
  Digest digest;
};

std::vector<Built> images_of(const std::vector<kube::Object>& runs) {
  std::vector<Built> images;
  for (const auto& run : runs)
    for (const auto& job : run["status"]["jobs"].items())
      for (const auto& image : job["result"]["images"].items())
        if (auto digest = Digest::parse(image["digest"].text())) {
          auto tags = image["tags"].items();
          images.push_back({image["image"].text(), tags.empty() ? "" : tags[0].text(), *digest});
        }
  return images;
}

std::string findings_list(const std::vector<kube::Object>& runs) {
  std::string text;
  for (const auto& run : runs)
    for (const auto& job : run["status"]["jobs"].items())
      for (const auto& finding : job["result"]["findings"].items())
        text += fmt::format("- {} {} {}: {}\n", finding["severity"].text(), cell(finding["rule"].text()),
                            cell(finding["package"].text()), cell(finding["message"].text(), 1000));
  return text.empty() ? "" : "\n## Findings\n\n" + text;
}

// The difference that the images make in one environment, as rendered manifests.
Result<RenderedChange> environment_difference(const Ctx& ctx, git::Repository& repository, const git::Oid& tip,
                                              const path::Environment& environment, const std::vector<Built>& images) {
  auto file = environment.path + "/kustomization.yaml";
  TRY(auto text, repository.read(tip, file));
  if (!text) return RenderedChange{environment.name, {}, {}, {}};
  auto edited = *text;
  for (const auto& built : images) {
    TRY(edited,
        manifest::set_kustomize_image(
            edited, {.name = built.image, .new_name = "", .tag = built.tag, .digest = built.digest.str()}, file));
  }
  if (edited == *text) return RenderedChange{environment.name, {}, {}, {}};
  TRY(auto base, repository.tree_of(tip));
  TRY(auto tree, repository.write_tree(base, {{file, edited, 0}}));
  TRY(auto before, render_at(ctx, repository, tip, environment.path));
  TRY(auto after, render_at(ctx, repository, tree, environment.path));
  return rendered_change(environment.name, before, after);
}

// Comments of forges end at 65,536 characters.
constexpr std::size_t longest_difference = 20'000, longest_comment = 60'000;

std::string section(const RenderedChange& change) {
  auto text = fmt::format("\n### {}\n\n", cell(change.name));
  if (!change.error.empty()) return text + fmt::format("cannot be rendered: {}\n", cell(change.error, 1000));
  if (change.difference.empty()) return text + "nothing\n";
  auto difference = change.difference;
  if (difference.size() > longest_difference) {
    auto cut_at = difference.rfind('\n', longest_difference);
    difference.resize(cut_at == std::string::npos ? longest_difference : cut_at + 1);
    difference += fmt::format("... {} bytes more\n", change.difference.size() - difference.size());
  }
  auto fence = std::string(difference.contains("```") ? "````````" : "```");
  text += fmt::format("{}diff\n{}{}\n", fence, difference, fence);
  if (change.findings.empty()) return text;
  text += "\nWhat the policies find in it and did not before:\n\n";
  for (const auto& finding : change.findings)
    text += fmt::format("- {} {}: {}\n", to_string(finding.severity), cell(finding.rule), cell(finding.message, 1000));
  return text;
}

}  // namespace

Result<std::string> pull_request_comment(const Ctx& ctx, House& house, const path::Change& change,
                                         const std::string& change_name) {
  TRY(auto runs, all(ctx, *house.client, "WorkflowRun", "slipway.dev/change=" + change_name));
  auto images = images_of(runs);
  auto text = fmt::format("## Checks of {}\n\n{}", change.after.substr(0, 12),
                          runs.empty() ? "No workflow runs for it.\n" : checks_table(runs)) +
              findings_list(runs);
  std::vector<RenderedChange> changes;
  if (auto rendered = rendered_changes(ctx, house, change))
    changes = *std::move(rendered);
  else
    return Fail(std::move(rendered).error());
  if (images.empty() && changes.empty()) return text;
  text += "\n## What merging changes\n";
  for (const auto& built : images) {
    auto image = house.registry->image(built.image, built.digest.str());
    std::uint64_t bytes = 0;
    if (image)
      for (const auto& layer : image->manifest.layers) bytes += layer.size;
    text += fmt::format("\n{}@{} ({:.1f} MB in the registry)\n", built.image, built.digest.str(),
                        static_cast<double>(bytes) / 1e6);
  }
  TRY(auto known, pipelines(ctx, house));
  for (const auto& pipeline : known) {
    TRY(auto repository, config_repository(ctx, house, pipeline));
    TRY(auto tip, repository.resolve("refs/heads/" + config_branch(pipeline, repository)));
    if (!tip) continue;
    for (const auto& environment : pipeline.environments) {
      if (images.empty()) break;
      auto one = environment_difference(ctx, repository, *tip, environment, images);
      changes.push_back(one ? *std::move(one) : RenderedChange{environment.name, {}, {}, one.error().what()});
    }
  }
  for (const auto& one : changes) {
    auto next = section(one);
    if (text.size() + next.size() > longest_comment) {
      text += "\nMore environments are changed than fit here.\n";
      break;
    }
    text += next;
  }
  return text;
}

}  // namespace slipway::engine
