#include "framework/core/registry/loaded_plugin.h"

#include <cxxabi.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <system_error>
#include <vector>

#include "framework/core/registry/elf_note.h"
#include "plumb/abi.h"

namespace plumb {
namespace {

[[noreturn]] void fail(const PluginCandidate& candidate, const std::string& why) {
  throw Error(ErrorCode::plugin, "plugin " + candidate.id + " (" + candidate.file.string() + "): " + why);
}

// What the system's loader said of a file: without what Boost puts around it, symbols as C++ writes them.
std::string loader_message(const std::string& what, const std::filesystem::path& file) {
  constexpr std::string_view before = "(dlerror system message: ", symbol = "undefined symbol: ";
  std::string text = what;
  if (const auto start = text.find(before); start != std::string::npos) {
    text = text.substr(start + before.size(), text.rfind(')') - start - before.size());
  }
  if (text.starts_with(file.string() + ": ")) text.erase(0, file.string().size() + 2);
  const auto at = text.find(symbol);
  if (at == std::string::npos) return text;
  const std::size_t begin = at + symbol.size(), end = std::min(text.find_first_of(" ,", begin), text.size());
  const std::string mangled = text.substr(begin, end - begin);
  int status = 0;
  char* plain = __cxxabiv1::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  if (plain != nullptr && status == 0) text.replace(begin, end - begin, plain);
  std::free(plain);
  return text + "; it was built against other libraries than these, so build it again against this version";
}

// Libraries are never closed: a type, a thread's destructor or a callback of theirs may outlive every component.
boost::dll::shared_library& hold(boost::dll::shared_library library) {
  static std::mutex mutex;
  static auto& held = *new std::vector<std::unique_ptr<boost::dll::shared_library>>;
  const std::lock_guard lock(mutex);
  return *held.emplace_back(std::make_unique<boost::dll::shared_library>(std::move(library)));
}

boost::dll::shared_library& open_library(const PluginCandidate& candidate) {
  using boost::dll::load_mode::type;
  constexpr auto mode = static_cast<type>(boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  try {
    return hold(boost::dll::shared_library(std::filesystem::absolute(candidate.file), mode));
  } catch (const std::system_error& error) {
    fail(candidate, "it does not load: " + loader_message(error.what(), std::filesystem::absolute(candidate.file)));
  }
}

// The file may have been replaced since it was listed; the note is read again and must agree with what was loaded.
const abi::PluginEntry& checked_entry(boost::dll::shared_library& library, const PluginCandidate& candidate) {
  if (!library.has(abi::kEntrySymbol)) fail(candidate, std::string("it has no symbol ") + abi::kEntrySymbol);
  const auto* entry = library.get<const abi::PluginEntry*()>(abi::kEntrySymbol)();
  if (entry == nullptr || entry->magic != abi::kMagic || entry->struct_size < sizeof(abi::PluginEntry) ||
      entry->fingerprint == nullptr || entry->manifest == nullptr || entry->open == nullptr) {
    fail(candidate, "its entry is not one that PLUMB_PLUGIN wrote");
  }
  const PluginNote note = read_plugin_note(candidate.file).value();
  if (entry->fingerprint != note.fingerprint || candidate.fingerprint != note.fingerprint) {
    fail(candidate,
         "its entry says \"" + std::string(entry->fingerprint) + "\", its note \"" + note.fingerprint + "\"");
  }
  if (entry->manifest != note.manifest || candidate.id != note.id || candidate.version != note.version) {
    fail(candidate, "the manifests of its entry and of its note differ");
  }
  return *entry;
}

void require_description(const Registrar& registrar, const PluginCandidate& candidate) {
  const auto& entries = registrar.entries();
  bool same = entries.size() == candidate.components.size();
  for (std::size_t i = 0; same && i < entries.size(); ++i) {
    same = to_json(describe(entries[i]->info)) == to_json(describe(candidate.components[i]));
  }
  if (!same) {
    fail(candidate, "it registers other components than its schema says; run plumb-describe on it");
  }
}

}  // namespace

std::unique_ptr<Registrar> load_plugin(const PluginCandidate& candidate) {
  const abi::PluginEntry& entry = checked_entry(open_library(candidate), candidate);
  auto registrar = std::make_unique<Registrar>();
  char error[4096] = "";
  if (entry.open(registrar.get(), error, sizeof error) != 0) {
    fail(candidate, std::string("registration failed: ") + error);
  }
  require_description(*registrar, candidate);
  return registrar;
}

}  // namespace plumb
