#include "url.h"

#include <plumb/error.h>
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>
#include <cctype>
#include <string_view>

namespace server {
namespace {

[[noreturn]] void fail(const std::string& what) {
  // The text itself is not repeated: it may hold what should not be shown.
  throw plumb::Error(plumb::ErrorCode::recipe, "url: " + what + "; wanted https://HOST[:PORT][/PATH]");
}

// Names and addresses as they are sent: what is written in escapes is refused.
bool is_plain(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':';
  });
}

}  // namespace

Url parse_url(const std::string& text) {
  const auto parsed = boost::urls::parse_uri(text);
  if (parsed.has_error()) fail("is no absolute address");
  const boost::urls::url_view written = *parsed;
  Url url;
  url.tls = written.scheme_id() == boost::urls::scheme::https;
  if (!url.tls && written.scheme_id() != boost::urls::scheme::http) fail("starts with neither https:// nor http://");
  if (written.has_userinfo()) fail("holds a user name; a key comes from an environment variable");
  if (written.has_query() || written.has_fragment()) fail("holds a query or a fragment");
  url.host = std::string(written.encoded_host_address());
  if (!is_plain(url.host)) fail("no usable host");
  url.port = written.has_port() ? std::string(written.port()) : url.tls ? "443" : "80";
  if (url.port.empty() || url.port.size() > 5 || std::stoi(url.port) < 1 || std::stoi(url.port) > 65535)
    fail("the port is no number from 1 to 65535");
  url.path = std::string(written.encoded_path());
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

}  // namespace server
