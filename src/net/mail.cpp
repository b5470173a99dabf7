#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "net/client.h"
#include "net/detail/curl.h"

namespace slipway::net {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

bool one_line(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

// RFC 2047 encoded words of at most 75 characters, never splitting a UTF-8 sequence.
std::string encode_word(std::string_view text) {
  if (is_ascii(text) && text.find("=?") == text.npos) return std::string(text);
  std::string result;
  while (!text.empty()) {
    std::size_t take = std::min<std::size_t>(45, text.size());
    while (take < text.size() && take > 1 && (static_cast<unsigned char>(text[take]) & 0xc0) == 0x80) --take;
    if (!result.empty()) result += "\r\n ";
    result += "=?UTF-8?B?" + to_base64(text.substr(0, take)) + "?=";
    text.remove_prefix(take);
  }
  return result;
}

std::string wrapped_base64(std::string_view text) {
  auto all = to_base64(text);
  std::string result;
  for (std::size_t at = 0; at < all.size(); at += 76) result += all.substr(at, 76) + "\r\n";
  return result;
}

std::string part(std::string_view type, std::string_view text) {
  return fmt::format("Content-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", type,
                     wrapped_base64(text));
}

// The bare address of "Name <address>".
std::string_view address_of(std::string_view text) {
  auto open = text.rfind('<'), close = text.rfind('>');
  return trim(open != text.npos && close != text.npos && open < close ? text.substr(open + 1, close - open - 1) : text);
}

std::string print_address(std::string_view text) {
  auto address = address_of(text);
  auto open = text.rfind('<');
  if (open == text.npos || address == trim(text)) return std::string(address);
  auto name = trim(text.substr(0, open));
  return name.empty() ? fmt::format("<{}>", address) : fmt::format("{} <{}>", encode_word(name), address);
}

Result<> check(const Mail& mail) {
  if (mail.to.empty()) return fail(Kind::invalid, "mail: want at least one recipient");
  auto good = [](std::string_view text) {
    auto address = address_of(text);
    return one_line(text) && address.find('@') != address.npos && address.find_first_of(" <>") == address.npos;
  };
  if (!good(mail.from)) return fail(Kind::invalid, "mail: sender \"{}\": want name@host", mail.from);
  for (const auto& to : mail.to)
    if (!good(to)) return fail(Kind::invalid, "mail: recipient \"{}\": want name@host", to);
  if (!one_line(mail.subject)) return fail(Kind::invalid, "mail: the subject has a line break");
  for (const auto& [name, value] : mail.headers)
    if (!one_line(name) || !one_line(value) || name.find_first_of(": ") != std::string::npos)
      return fail(Kind::invalid, "mail: header \"{}\" is no header", name.substr(0, 100));
  return {};
}

std::string print_mail(const Mail& mail, WallTime when) {
  std::vector<std::string> to;
  for (const auto& address : mail.to) to.push_back(print_address(address));
  auto seconds = std::chrono::system_clock::to_time_t(when);
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  char date[64];
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
  auto from = address_of(mail.from);
  std::string text = fmt::format("From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMIME-Version: 1.0\r\n",
                                 print_address(mail.from), join(to, ",\r\n "), encode_word(mail.subject), date);
  bool named = false;
  for (const auto& [name, value] : mail.headers) {
    text += fmt::format("{}: {}\r\n", name, encode_word(value));
    named |= iequals(name, "Message-ID");
  }
  if (!named) text += fmt::format("Message-ID: <{}{}>\r\n", random_hex(16), from.substr(from.find('@')));
  if (mail.html.empty()) return text + part("text/plain", mail.text);
  auto border = "=_" + random_hex(16);
  text += fmt::format("Content-Type: multipart/alternative; boundary=\"{}\"\r\n\r\n", border);
  text += fmt::format("--{0}\r\n{1}--{0}\r\n{2}--{0}--\r\n", border, part("text/plain", mail.text),
                      part("text/html", mail.html));
  return text;
}

struct Upload {
  std::string_view left;
};
std::size_t on_upload(char* data, std::size_t, std::size_t size, void* user) {
  auto& upload = *static_cast<Upload*>(user);
  auto take = std::min(size, upload.left.size());
  std::memcpy(data, upload.left.data(), take);
  upload.left.remove_prefix(take);
  return take;
}

}  // namespace

Result<> send_mail(const Ctx& ctx, const SmtpServer& server, const Mail& mail) {
  TRY_OK(check(mail));
  auto text = print_mail(mail, ctx.clock->wall());
  Upload upload{text};
  CurlLine line;
  CURL* easy = line.easy();
  set_common(easy);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_URL, server.url.c_str());
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(server.require_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
  if (!server.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, server.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, server.password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, fmt::format("<{}>", address_of(mail.from)).c_str());
  CurlList recipients;
  for (const auto& to : mail.to) {
    auto* longer = curl_slist_append(recipients.get(), fmt::format("<{}>", address_of(to)).c_str());
    SLP_ASSERT(longer != nullptr);
    (void)recipients.release();
    recipients.reset(longer);
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
  curl_easy_setopt(easy, CURLOPT_READDATA, &upload);
  auto sent = line.perform(ctx.within(Millis(60000)));
  auto url = parse_url(server.url);  // printed without credentials
  if (!sent) return Fail(std::move(sent).error().in(fmt::format("mail by {}", url ? url->print() : "a server")));
  return {};
}

}  // namespace slipway::net
