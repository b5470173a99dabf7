#include "notify/detail/payloads.h"

#include "base/text.h"
#include "doc/json.h"
#include "path/findings.h"
#include "path/objects.h"

namespace slipway::notify::detail {
namespace {

// Cut at a character border, with an ellipsis.
std::string limited(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  most -= 3;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
  return text + "…";
}

std::string slack_escaped(std::string text) {
  return replace_all(replace_all(replace_all(std::move(text), "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
}

std::string_view color_of(path::Severity severity) {
  auto rank = path::severity_rank(severity);
  return rank >= 4 ? "Attention" : rank == 3 ? "Warning" : "Good";
}

doc::Value mrkdwn(std::string text) { return doc::Map{{"type", "mrkdwn"}, {"text", std::move(text)}}; }

}  // namespace

doc::Value slack_message(const Rendered& message, const path::Notice& notice) {
  doc::List blocks;
  blocks.push_back(doc::Map{
      {"type", "section"},
      {"text",
       mrkdwn(limited(fmt::format("*{}*\n{}", slack_escaped(message.title), slack_escaped(message.text)), 3000))}});
  doc::List fields;
  for (const auto& [name, value] : notice.facts)
    if (!value.empty() && fields.size() < 10)
      fields.push_back(mrkdwn(limited(fmt::format("*{}*\n{}", slack_escaped(name), slack_escaped(value)), 2000)));
  if (!fields.empty()) blocks.push_back(doc::Map{{"type", "section"}, {"fields", std::move(fields)}});
  if (!notice.link.empty()) {
    doc::Map button{{"type", "button"},
                    {"text", doc::Map{{"type", "plain_text"}, {"text", "Open"}}},
                    {"url", limited(notice.link, 3000)}};
    blocks.push_back(doc::Map{{"type", "actions"}, {"elements", doc::List{std::move(button)}}});
  }
  // `text` is what notifications and screen readers show.
  return doc::Map{{"text", limited(slack_escaped(message.title), 3000)}, {"blocks", std::move(blocks)}};
}

doc::Value teams_message(const Rendered& message, const path::Notice& notice) {
  doc::List body;
  body.push_back(doc::Map{{"type", "TextBlock"},
                          {"text", limited(message.title, 500)},
                          {"size", "Large"},
                          {"weight", "Bolder"},
                          {"color", std::string(color_of(notice.severity))},
                          {"wrap", true}});
  if (!message.text.empty())
    body.push_back(doc::Map{{"type", "TextBlock"}, {"text", limited(message.text, 8000)}, {"wrap", true}});
  doc::List facts;
  for (const auto& [name, value] : notice.facts)
    if (!value.empty() && facts.size() < 20) facts.push_back(doc::Map{{"title", name}, {"value", limited(value, 500)}});
  if (!facts.empty()) body.push_back(doc::Map{{"type", "FactSet"}, {"facts", std::move(facts)}});
  doc::Map card{{"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
                {"type", "AdaptiveCard"},
                {"version", "1.4"},
                {"body", std::move(body)}};
  if (!notice.link.empty())
    card.set("actions", doc::List{doc::Map{{"type", "Action.OpenUrl"}, {"title", "Open"}, {"url", notice.link}}});
  doc::Map attachment{{"contentType", "application/vnd.microsoft.card.adaptive"},
                      {"contentUrl", nullptr},
                      {"content", std::move(card)}};
  return doc::Map{{"type", "message"}, {"attachments", doc::List{std::move(attachment)}}};
}

doc::Value webhook_message(const Rendered& message, const path::Notice& notice) {
  auto body = path::to_doc(notice);
  body.map().set("title", message.title);
  body.map().set("text", message.text);
  return body;
}

net::Mail mail_message(const Rendered& message, const path::Notice& notice, const Target& target) {
  net::Mail mail;
  mail.from = target.from, mail.to = target.to;
  auto one_line = message.title;
  for (char& c : one_line)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  mail.subject = limited(std::move(one_line), 200);
  mail.text = message.text;
  std::string facts;
  for (const auto& [name, value] : notice.facts)
    if (!value.empty()) facts += fmt::format("{}: {}\n", name, value);
  if (!facts.empty()) mail.text += "\n\n" + facts;
  if (!notice.link.empty()) mail.text += "\n" + notice.link + "\n";
  mail.headers.emplace_back("X-Slipway-Event", notice.event);
  mail.headers.emplace_back("Auto-Submitted", "auto-generated");  // RFC 3834: no out-of-office answers
  return mail;
}

}  // namespace slipway::notify::detail
