// Parameters, declared once. A plain struct holds the settings; its initialisers are the defaults; one declaration adds
// names, documentation and limits. That declaration feeds recipe validation, `plumb plugins show`, the JSON Schema,
// sweep axes and the run record.
//
//   struct Settings { double eta = 0.85; double tau = 1.0; };
//   static plumb::Params<Settings> params() {
//     plumb::Params<Settings> p{"keep pairs whose reward gap passes a threshold", "arXiv:2402.10038, Algorithm 1"};
//     p.add(&Settings::eta, "eta", "threshold on sigmoid(gap / tau)").at_least(0.5).below(1);
//     p.add(&Settings::tau, "tau", "temperature of the gap").above(0);
//     return p;
//   }
//
// Thread contract: build a Params in one thread; a finished one may be read from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plumb/error.h"
#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

// A component chosen by name with its own parameters. In a recipe: `policy: reward-gap`, or
// `policy: {name: reward-gap, eta: 0.9}`.
struct ComponentRef {
  std::string name;
  Value params;  // a map without `name`
};

enum class ParamType {
  boolean,
  integer,
  real,
  string,
  path,
  choice,
  strings,
  integers,
  reals,
  component,
  components,
  stage_input,
  stage_inputs,
  value
};

const char* param_type_name(ParamType type);  // "integer", "stage-input" …

// One parameter as data: what validation, documentation and schemas read. `path` is a file or folder relative to the
// recipe. `stage_input` names another stage, a dataset or a model, `stage_inputs` a list of them; `accepts` lists the
// artifact types they may have.
struct ParamInfo {
  std::string name;
  ParamType type = ParamType::value;
  std::string doc;
  Value default_value;  // null when required or when an optional is unset
  bool required = false;
  bool nullable = false;  // std::optional members
  std::optional<double> min, max;
  bool min_open = false, max_open = false;
  std::string unit;
  std::vector<std::string> choices;  // ParamType::choice; strings: of every item
  std::string component_kind;        // ParamType::component, e.g. "selection-policy"
  std::vector<std::string> accepts;  // ParamType::stage_input, e.g. {"pairs", "preferences"}
  std::vector<ParamInfo> fields;     // ParamType::value with declared fields: a nested map; empty: any value
};

// One thing wrong with a value. `path` is dotted, items of a list are counted from 0 ("policy.eta", "models[2]").
struct ParamIssue {
  std::string path;
  Mark mark;               // of the key for unknown keys, else of the value
  std::string message;     // what was found and what is allowed
  std::string suggestion;  // nearest name, or empty
};

// Checks `value` (a map or null) against the declarations and returns every problem: unknown key, wrong type, out of
// range, missing. Components inside are checked by the caller, who knows the registry. Also the one place where
// defaults are filled in: `resolved`, when given, receives the complete map in declaration order and in one spelling: a
// real is a real even when written `1`, a component is a map with `name` first.
std::vector<ParamIssue> check_params(const std::vector<ParamInfo>& infos, const Value& value,
                                     Value* resolved = nullptr);

// The candidate nearest to `word` by edit distance, or empty when none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates);

// ParamInfo lists as data and back: what NAME.schema.json holds.
Value describe(const std::vector<ParamInfo>& infos);
std::vector<ParamInfo> parse_description(const Value& value);

namespace detail {
template <class T>
struct ParamTraits;  // type, read, write; specialised below
[[noreturn]] void throw_issues(const std::string& what, const std::vector<ParamIssue>& issues);
}  // namespace detail

template <class S>
class Params {
 public:
  explicit Params(std::string doc, std::string source = {}) : doc_(std::move(doc)), source_(std::move(source)) {}

  class Added;

  // Declares a member. Its type decides the parameter's type: bool, std::int64_t, double, std::string,
  // std::optional of these, std::vector of string, integer or double, ComponentRef, Value.
  template <class T>
  Added add(T S::*member, std::string name, std::string doc) {
    using Traits = detail::ParamTraits<T>;
    ParamInfo info;
    info.name = std::move(name);
    info.doc = std::move(doc);
    info.type = Traits::type;
    info.nullable = Traits::nullable;
    const S defaults{};
    info.default_value = Traits::write(defaults.*member);
    infos_.push_back(std::move(info));
    writers_.push_back([member](const S& settings) { return Traits::write(settings.*member); });
    readers_.push_back([member](S& settings, const Value& value) { settings.*member = Traits::read(value); });
    return Added(*this, infos_.size() - 1);
  }

  // Splices another declaration's parameters in, flat: settings shared by several components.
  template <class Inner>
  void include(Inner S::*member, const Params<Inner>& inner) {
    const S defaults{};
    for (std::size_t i = 0; i < inner.infos_.size(); ++i) {
      infos_.push_back(inner.infos_[i]);
      infos_.back().default_value = inner.infos_[i].required ? Value() : inner.writers_[i](defaults.*member);
      readers_.push_back([member, read = inner.readers_[i]](S& s, const Value& v) { read(s.*member, v); });
      writers_.push_back([member, write = inner.writers_[i]](const S& s) { return write(s.*member); });
    }
    for (const auto& rule : inner.rules_) rules_.push_back([member, rule](const S& s) { return rule(s.*member); });
  }

  // A rule between parameters; returns an empty string, or what is wrong. Runs after every single check passed.
  void check(std::function<std::string(const S&)> rule) { rules_.push_back(std::move(rule)); }

  // Throws Error(recipe) that lists every problem.
  [[nodiscard]] S parse(const Value& value) const {
    Value resolved;
    auto issues = check_params(infos_, value, &resolved);
    if (!issues.empty()) detail::throw_issues(doc_, issues);
    S settings{};
    for (std::size_t i = 0; i < infos_.size(); ++i) {
      const Value* field = resolved.find(infos_[i].name);
      if (field != nullptr && (infos_[i].nullable || !field->is_null())) readers_[i](settings, *field);
    }
    for (const auto& rule : rules_) {
      std::string problem = rule(settings);
      if (!problem.empty()) detail::throw_issues(doc_, {{"", value.mark, problem, ""}});
    }
    return settings;
  }

  [[nodiscard]] const std::vector<ParamInfo>& infos() const { return infos_; }
  [[nodiscard]] const std::string& doc() const { return doc_; }
  [[nodiscard]] const std::string& source() const { return source_; }

 private:
  std::string doc_, source_;
  std::vector<ParamInfo> infos_;
  template <class>
  friend class Params;
  std::vector<std::function<void(S&, const Value&)>> readers_;
  std::vector<std::function<Value(const S&)>> writers_;
  std::vector<std::function<std::string(const S&)>> rules_;
};

// Returned by add(): limits in a chain. Bounds apply to numbers and to every number of a list.
template <class S>
class Params<S>::Added {
 public:
  Added(Params& params, std::size_t index) : params_(&params), index_(index) {}
  Added& at_least(double v) {
    info().min = v;
    info().min_open = false;
    return *this;
  }
  Added& above(double v) {
    info().min = v;
    info().min_open = true;
    return *this;
  }
  Added& at_most(double v) {
    info().max = v;
    info().max_open = false;
    return *this;
  }
  Added& below(double v) {
    info().max = v;
    info().max_open = true;
    return *this;
  }
  Added& unit(std::string v) {
    info().unit = std::move(v);
    return *this;
  }
  Added& required() {
    info().required = true;
    info().default_value = Value();
    return *this;
  }
  // Of a vector of strings: every item is one of these.
  Added& choices(std::vector<std::string> v) {
    if (info().type == ParamType::string) info().type = ParamType::choice;
    info().choices = std::move(v);
    return *this;
  }
  Added& path() {
    info().type = ParamType::path;
    return *this;
  }
  // The member is a ComponentRef (or an optional one), or a vector of them.
  Added& component(std::string kind) {
    info().component_kind = std::move(kind);
    return *this;
  }
  // The member is a std::string (or an optional one), or a vector of them: names of stages, datasets or models.
  Added& accepts(std::vector<std::string> types) {
    info().type = info().type == ParamType::strings ? ParamType::stage_inputs : ParamType::stage_input;
    info().accepts = std::move(types);
    return *this;
  }
  Added& fields(std::vector<ParamInfo> v) {
    info().fields = std::move(v);
    return *this;
  }

 private:
  ParamInfo& info() { return params_->infos_[index_]; }
  Params* params_;
  std::size_t index_;
};

namespace detail {

template <>
struct ParamTraits<bool> {
  static constexpr auto type = ParamType::boolean;
  static constexpr bool nullable = false;
  static bool read(const Value& v) { return v.as_bool(); }
  static Value write(bool v) { return v; }
};
template <>
struct ParamTraits<std::int64_t> {
  static constexpr auto type = ParamType::integer;
  static constexpr bool nullable = false;
  static std::int64_t read(const Value& v) { return v.as_int(); }
  static Value write(std::int64_t v) { return v; }
};
template <>
struct ParamTraits<double> {
  static constexpr auto type = ParamType::real;
  static constexpr bool nullable = false;
  static double read(const Value& v) { return v.as_double(); }
  static Value write(double v) { return v; }
};
template <>
struct ParamTraits<std::string> {
  static constexpr auto type = ParamType::string;
  static constexpr bool nullable = false;
  static std::string read(const Value& v) { return v.as_string(); }
  static Value write(const std::string& v) { return v; }
};
template <>
struct ParamTraits<Value> {
  static constexpr auto type = ParamType::value;
  static constexpr bool nullable = true;
  static Value read(const Value& v) { return v; }
  static Value write(const Value& v) { return v; }
};
template <>
struct ParamTraits<ComponentRef> {
  static constexpr auto type = ParamType::component;
  static constexpr bool nullable = false;
  static ComponentRef read(const Value& v);
  static Value write(const ComponentRef& v);
};
template <class T>
struct ParamTraits<std::optional<T>> {
  static constexpr auto type = ParamTraits<T>::type;
  static constexpr bool nullable = true;
  static std::optional<T> read(const Value& v) {
    return v.is_null() ? std::nullopt : std::optional<T>(ParamTraits<T>::read(v));
  }
  static Value write(const std::optional<T>& v) { return v ? ParamTraits<T>::write(*v) : Value(); }
};
template <class T>
struct ParamTraits<std::vector<T>> {
  static constexpr auto type = std::is_same_v<T, std::string>    ? ParamType::strings
                               : std::is_same_v<T, std::int64_t> ? ParamType::integers
                               : std::is_same_v<T, ComponentRef> ? ParamType::components
                                                                 : ParamType::reals;
  static constexpr bool nullable = false;
  static std::vector<T> read(const Value& v) {
    std::vector<T> out;
    for (const Value& item : v.as_list()) out.push_back(ParamTraits<T>::read(item));
    return out;
  }
  static Value write(const std::vector<T>& v) {
    Value::List out;
    for (const T& item : v) out.push_back(ParamTraits<T>::write(item));
    return out;
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace plumb
