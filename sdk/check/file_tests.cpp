// What can be told from the file alone.
#include <elf.h>

#include <algorithm>
#include <regex>

#include "sdk/check/context.h"
#include "sdk/check/elf_symbols.h"
#include "sdk/check/schema_tests.h"

namespace plumb::check {
namespace {

void readable(Context& c) {
  require(c.subject.file_problem.empty(), c.subject.file_problem);
}

void manifest(Context& c) {
  require(c.subject.note_problem.empty(), c.subject.note_problem);
}

void version(Context& c) {
  static const std::regex semantic(R"((0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)");
  require(std::regex_match(c.subject.version, semantic),
          "version \"" + c.subject.version + "\" is no semantic version such as 1.0.0");
  require(!c.subject.licence.empty(), "no licence is given; wanted an SPDX identifier such as Apache-2.0");
  require(!c.subject.summary.empty(), "no summary is given");
}

void fingerprint(Context& c) {
  require(c.subject.fingerprint_problem.empty(), c.subject.fingerprint_problem);
}

void schema(Context& c) {
  require(c.subject.schema_problem.empty(), c.subject.schema_problem);
}

void exports(Context& c) {
  const ElfDynamic file = read_elf(c.subject.file);
  for (const std::string& name : file.exported) {
    if (std::find(file.unique.begin(), file.unique.end(), name) != file.unique.end()) continue;  // another test's
    require(name.starts_with("plumb_plugin_"),
            "it exports " + name + "; link with plumb_add_plugin, whose version script keeps other symbols local");
  }
}

// A unique symbol is one for the whole process, whatever RTLD_LOCAL says.
void unique(Context& c) {
  const auto names = read_elf(c.subject.file).unique;
  require(names.empty(), "unique symbol " + (names.empty() ? "" : names.front()) +
                             " would be shared with other plugins; compile with -fvisibility-inlines-hidden");
}

void stays(Context& c) {
  require((read_elf(c.subject.file).flags_1 & DF_1_NODELETE) != 0,
          "it may be unloaded while its types are in use; link with -Wl,-z,nodelete (plumb_add_plugin does)");
}

void binds_now(Context& c) {
  const ElfDynamic file = read_elf(c.subject.file);
  require((file.flags_1 & DF_1_NOW) != 0 || (file.flags & DF_BIND_NOW) != 0,
          "a missing symbol would show only when it is called; link with -Wl,-z,now (plumb_add_plugin does)");
}

// One copy of what has threads or registries of its own: the host's.
void libraries(Context& c) {
  static const std::regex second(
      R"(lib(gomp|iomp5|omp|tbb|tbbmalloc|nccl|torch_python|python3.*|plumb_core|plumb_engine)\.so.*)");
  for (const std::string& name : read_elf(c.subject.file).needed) {
    require(!std::regex_match(name, second), "it needs " + name + ", which the host has or does without");
    const bool torch = name.starts_with("libtorch") || name.starts_with("libc10");
    require(
        !torch || c.subject.fingerprint.find("torch=none") == std::string::npos,
        "it needs " + name + " but says torch=none; include a header of plumb/tensor in the file with PLUMB_PLUGIN");
  }
}

}  // namespace

std::vector<Test> file_tests() {
  return {
      {"file.readable", "a regular file with the right name that not everybody may change", readable, true},
      {"file.manifest", "an ELF library with one well-formed plugin note", manifest, true},
      {"file.fingerprint", "built for this SDK, machine, C++ library and LibTorch", fingerprint, true},
      {"file.schema", "NAME.schema.json is there and describes this build", schema, true},
      {"file.schema-compatible", "recipes for the earlier version (--against) stay valid and mean the same",
       schema_compatible},
      {"file.version", "semantic version, licence and summary are given", version},
      {"file.exports", "exports nothing but the plugin's entry", exports},
      {"file.unique", "has no symbols that are unique in the process", unique},
      {"file.stays", "is never unloaded", stays},
      {"file.binds-now", "missing symbols show when it is loaded", binds_now},
      {"file.libraries", "brings no second copy of a library that the host runs", libraries},
  };
}

}  // namespace plumb::check
