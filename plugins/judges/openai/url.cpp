#include "url.h"

#include <plumb/error.h>
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <string_view>

namespace openai {
namespace {

[[noreturn]] void fail(const std::string& what) {
  // The text itself is not repeated: it may hold what should not be shown.
  throw plumb::Error(plumb::ErrorCode::recipe, "openai-judge: url: " + what + "; wanted https://HOST[:PORT][/PATH]");
}

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text.remove_prefix(start.size());
  return true;
}

void split_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos)
    fail("holds a user name; a key comes from an environment variable");
  std::string_view rest;
  if (take(authority, "[")) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) fail("an IPv6 address lacks its ]");
    url.host = authority.substr(0, end);
    rest = authority.substr(end + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    rest = authority.substr(colon);
  }
  url.port = url.tls ? "443" : "80";
  if (take(rest, ":")) {
    url.port = rest;
    const bool digits = std::all_of(rest.begin(), rest.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (rest.empty() || rest.size() > 5 || !digits || std::stoi(url.port) > 65535)
      fail("the port is no number up to 65535");
  } else if (!rest.empty()) {
    fail("something follows the host");
  }
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':';
  };
  if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), allowed)) fail("no usable host");
}

}  // namespace

Url parse_url(const std::string& text) {
  Url url;
  std::string_view rest = text;
  if (take(rest, "http://")) {
    url.tls = false;
  } else if (!take(rest, "https://")) {
    fail("starts with neither https:// nor http://");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) fail("holds a query or a fragment");
  for (const char c : rest) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f)
      fail("holds a blank or a character beyond ASCII");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  split_authority(rest.substr(0, slash), url);
  url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

std::string authority(const Url& url) {
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  return url.port == (url.tls ? "443" : "80") ? host : host + ":" + url.port;
}

bool is_loopback(const Url& url) {
  if (url.host == "localhost") return true;
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(url.host, ec);
  return !ec && address.is_loopback();
}

}  // namespace openai
