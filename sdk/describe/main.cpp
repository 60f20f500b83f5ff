// plumb-describe PLUGIN.plumb.so [OUT.schema.json]
//
// Loads one plugin, lets it register, and writes what it provides: the file that stands beside the library so that
// recipes are checked without running the plugin's code. Without OUT it goes to standard output.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>

#include "plumb/description.h"
#include "plumb/error.h"
#include "plumb/plugin.h"

namespace {

using plumb::Error;
using plumb::ErrorCode;
using plumb::Value;

struct Plugin {
  void* handle;
  const plumb::abi::PluginEntry* entry;
};

Plugin load(const std::string& file) {
  const std::string path = std::filesystem::absolute(file).string();  // a bare name would be searched for
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw Error(ErrorCode::plugin, dlerror());
  void* symbol = dlsym(handle, plumb::abi::kEntrySymbol);
  if (symbol == nullptr) {
    throw Error(ErrorCode::plugin, file + ": no symbol " + plumb::abi::kEntrySymbol +
                                       "; one source file of a plugin must hold PLUMB_PLUGIN(...)");
  }
  const auto* entry = reinterpret_cast<const plumb::abi::PluginEntry* (*)()>(symbol)();
  if (entry == nullptr || entry->magic != plumb::abi::kMagic || entry->struct_size < sizeof(plumb::abi::PluginEntry)) {
    throw Error(ErrorCode::plugin, file + ": its entry is not one that PLUMB_PLUGIN wrote");
  }
  return {handle, entry};
}

// The linker's own fingerprint of the file. It ties the description to the very build that it describes.
struct BuildIdSearch {
  ElfW(Addr) base;
  std::string id;
};

int find_build_id(dl_phdr_info* object, std::size_t, void* data) {
  auto* search = static_cast<BuildIdSearch*>(data);
  if (object->dlpi_addr != search->base) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* at = reinterpret_cast<const unsigned char*>(object->dlpi_addr + segment.p_vaddr);
    const auto* end = at + segment.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const auto* name = at + sizeof note;
      const auto* text = name + (note.n_namesz + 3) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        constexpr char digits[] = "0123456789abcdef";
        for (std::size_t k = 0; k < note.n_descsz; ++k) {
          search->id += digits[text[k] >> 4];
          search->id += digits[text[k] & 15];
        }
        return 1;
      }
      at = text + (note.n_descsz + 3) / 4 * 4;
    }
  }
  return 0;
}

std::string build_id(void* handle) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return {};
  BuildIdSearch search{map->l_addr, {}};
  dl_iterate_phdr(find_build_id, &search);
  return search.id;
}

Value describe(const std::string& file) {
  const auto [handle, entry] = load(file);
  plumb::Registrar registrar;
  char error[4096] = "";
  if (entry->open(&registrar, error, sizeof error) != 0) {
    throw Error(ErrorCode::plugin, file + ": registration failed: " + error);
  }
  Value out = Value::map({{"schema", 1}});
  std::istringstream manifest(entry->manifest);
  for (std::string line; std::getline(manifest, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) out.set(line.substr(0, equals), line.substr(equals + 1));
  }
  out.set("fingerprint", entry->fingerprint);
  out.set("build_id", build_id(handle));
  Value::List components;
  for (const auto& component : registrar.entries()) {
    const plumb::ComponentInfo& info = component->info;
    if (const std::string wrong = plumb::wrong_description(info); !wrong.empty()) {
      throw Error(ErrorCode::plugin, file + ": " + info.kind + " " + info.name + ": " + wrong);
    }
    components.push_back(plumb::describe(info));
  }
  out.set("components", components);
  return out;
}

void write(const std::string& text, const std::string& file) {
  const std::string temporary = file + ".tmp";
  std::FILE* out = std::fopen(temporary.c_str(), "we");
  const bool written = out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size();
  if (out == nullptr || std::fclose(out) != 0 || !written || std::rename(temporary.c_str(), file.c_str()) != 0) {
    throw Error(ErrorCode::data, file + ": " + std::strerror(errno));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || argv[1][0] == '-') {
    std::cerr << "usage: plumb-describe PLUGIN.plumb.so [OUT.schema.json]\n";
    return static_cast<int>(ErrorCode::recipe);
  }
  try {
    const std::string text = plumb::to_json(describe(argv[1]), false, 1) + "\n";
    if (argc == 3) {
      write(text, argv[2]);
    } else if (!(std::cout << text << std::flush)) {
      throw Error(ErrorCode::data, "standard output: " + std::string(std::strerror(errno)));
    }
    return 0;
  } catch (const Error& error) {
    std::cerr << "plumb-describe: " << error.what() << "\n";
    return static_cast<int>(error.code());
  }
}
