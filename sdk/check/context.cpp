#include "sdk/check/context.h"

#include <cxxabi.h>
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <typeinfo>

#include "plumb/description.h"
#include "plumb/error.h"
#include "plumb/stage.h"
#include "sdk/debug_host/debug_host.h"

namespace plumb::check {
namespace {

// A value for a parameter that must be given and is not: inside its limits.
Value made_up(const ParamInfo& info) {
  const double low = info.min.value_or(info.max ? *info.max - 1 : 1);
  switch (info.type) {
    case ParamType::boolean:
      return true;
    case ParamType::integer:
      return static_cast<std::int64_t>(info.min_open ? low + 1 : low);
    case ParamType::real:
      return info.min_open && info.max ? (low + *info.max) / 2 : info.min_open ? low + 1 : low;
    case ParamType::choice:
      return info.choices.empty() ? Value("") : Value(info.choices.front());
    case ParamType::string:
      return "text";
    case ParamType::strings:
    case ParamType::integers:
    case ParamType::reals:
    case ParamType::components:
      return Value::List();
    default:
      return {};  // a file, a stage: nobody can guess
  }
}

// A name for what a stage reads; the kit gives it rows under that name.
Value named_input(const ParamInfo& info) {
  if (info.type == ParamType::stage_inputs) return Value::List{info.name + "-1", info.name + "-2"};
  return info.type == ParamType::stage_input ? Value(info.name + "-1") : Value();
}

ComponentEntry behind_the_debug_host(const ComponentEntry& entry) {
  ComponentEntry out = entry;
  out.make = [&entry](const Value& params, Host& host, void* extra) {
    const std::string title = entry.info.kind.substr(0, entry.info.kind.find('/')) + " `" + entry.info.name + "`";
    return debug_host::watch({entry.info, title, ""}, host, [&](Host& to) { return entry.make(params, to, extra); });
  };
  return out;
}

bool is_path(const ParamInfo& info) {
  return info.type == ParamType::path;
}

}  // namespace

Context::Context(const Subject& about, const Options& chosen, const Kind* of_kind, const ComponentInfo* tested)
    : subject(about), options(chosen), kind(of_kind), component(tested) {
  host.folder = options.params_folder.empty() ? "." : options.params_folder.string();
  if (component == nullptr) return;
  if (const Value* given = options.params.find(component->name)) params_ = *given;
  if (const Value* config = kind == nullptr ? nullptr : params_.find("config");
      config != nullptr && component->params.empty()) {
    config_ = *config;
    params_ = Value::map();
  }
  for (const ParamInfo& info : component->params) {
    Value* value = params_.find(info.name);
    if (value != nullptr && value->is_string() && is_path(info) && !value->as_string().empty()) {
      *value = (options.params_folder / value->as_string()).lexically_normal().string();
    } else if (value == nullptr && info.required) {
      const Value guess =
          component->kind == Stage::kind && !named_input(info).is_null() ? named_input(info) : made_up(info);
      if (!guess.is_null()) params_.set(info.name, guess);
    }
  }
}

void* Context::library() {
  if (library_ == nullptr) {
    library_ = dlopen(std::filesystem::absolute(subject.file).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_ == nullptr) throw Failure{dlerror()};
  }
  return library_;
}

const abi::PluginEntry& Context::entry() {
  if (entry_ != nullptr) return *entry_;
  void* symbol = dlsym(library(), abi::kEntrySymbol);
  require(symbol != nullptr, std::string("it has no symbol ") + abi::kEntrySymbol);
  const abi::PluginEntry* found = reinterpret_cast<const abi::PluginEntry* (*)()>(symbol)();
  require(found != nullptr, "its entry is null");
  require(found->magic == abi::kMagic && found->struct_size >= sizeof(abi::PluginEntry) &&
              found->fingerprint != nullptr && found->manifest != nullptr && found->open != nullptr,
          "its entry is not one that PLUMB_PLUGIN wrote");
  return *(entry_ = found);
}

std::unique_ptr<Registrar> register_components(const abi::PluginEntry& entry) {
  auto registrar = std::make_unique<Registrar>();
  std::array<char, 4096> error{};
  const int status = entry.open(registrar.get(), error.data(), error.size());
  const bool silent = error[0] == '\0';
  require(status == 0,
          silent ? "registration failed and says nothing of why" : "registration failed: " + std::string(error.data()));
  return registrar;
}

Registrar& Context::registrar() {
  if (registrar_ == nullptr) registrar_ = register_components(entry());
  return *registrar_;
}

const ComponentEntry& Context::component_entry() {
  for (const auto& known : registrar().entries()) {
    if (known->info.kind == component->kind && known->info.name == component->name) return *known;
  }
  throw Failure{"the plugin does not register it"};
}

Made Context::make(const Value& params) {
  const ComponentEntry& known = component_entry();
  if (watched) return make_from(behind_the_debug_host(known), params);
  return make_from(known, params);
}

Made Context::make_from(const ComponentEntry& entry, const Value& params) {
  if (kind != nullptr && kind->make != nullptr) return kind->make(*this, entry, params);
  return {nullptr, entry.make(params, host, nullptr)};
}

std::string Context::make_and_use() {
  Made made = make();
  return use(made);
}

bool Context::needs(const std::string& what) const {
  for (const std::string& one : component->needs) {
    if (parse_need(one).what == what) return true;
  }
  return false;
}

std::string caught() {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure.message;
  } catch (const Error& error) {
    return std::string("threw plumb::Error: ") + error.what();
  } catch (const std::exception& error) {
    int status = 0;
    char* name = ::abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status);
    std::string out = "threw " + std::string(status == 0 ? name : typeid(error).name()) + ": " + error.what();
    std::free(name);
    const std::size_t frames = out.find("\nException raised from ");
    return frames == std::string::npos ? out : out.substr(0, frames);
  } catch (...) {
    return "threw something that is no std::exception";
  }
}

std::string exact(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", value);
  return text.data();
}

}  // namespace plumb::check
