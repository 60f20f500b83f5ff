// The address of a server.
//
//   const Url url = parse_url("https://api.example.org/v1");      // url.host, url.port, url.path
//
// Thread contract: functions are [any].
#pragma once

#include <string>

namespace server {

struct Url {
  bool tls = true;
  std::string host;  // a name or an address; without the brackets of IPv6
  std::string port;
  std::string path;  // without a slash at its end; empty for the root
};

// Error(recipe) for anything but http://HOST[:PORT][/PATH] and https://…; a user name, a query or a fragment is
// refused, because those are where keys hide.
Url parse_url(const std::string& text);

// What stands in the Host header.
std::string authority(const Url& url);

// An address of this machine: nobody else reads what goes there.
bool is_loopback(const Url& url);

}  // namespace server
