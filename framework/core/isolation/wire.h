// What crosses between the framework and an isolated component, as bytes and back. Both ends are one build of one
// program on one machine, so numbers travel as they lie in memory: a double keeps every bit, a NaN's payload too.
//
//   std::string bytes = packed(group, random.key());            // any number of fields
//   WireReader in(bytes);
//   ResponseGroup group = in.take<ResponseGroup>();
//   auto judgement = unpacked<Judgement>(other_bytes);            // when it is one thing
//
// A record's fields are listed once, in `wire_fields`, for both directions. The component's end is not trusted: what is
// cut short, too deep or too long by its own account is Error(plugin), never a read beyond the bytes.
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plumb/evaluator.h"
#include "plumb/judge.h"
#include "plumb/language_models.h"
#include "plumb/selection_policy.h"

namespace plumb {

template <class T>
concept WireNumber = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class WireWriter {
 public:
  template <class... T>
  void operator()(const T&... fields) {
    (put(fields), ...);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  template <WireNumber T>
  void put(const T& number) {
    raw(&number, sizeof number);
  }
  void put(const std::string& text) {
    put(static_cast<std::uint64_t>(text.size()));
    raw(text.data(), text.size());
  }
  void put(const Value& value);
  template <class T>
  void put(const std::optional<T>& field) {
    put(field.has_value());
    if (field) put(*field);
  }
  template <class T>
  void put(const std::vector<T>& items) {
    put(static_cast<std::uint64_t>(items.size()));
    if constexpr (WireNumber<T>) {
      raw(items.data(), items.size() * sizeof(T));
    } else {
      for (const T& item : items) put(item);
    }
  }
  template <class T>
  void put(const std::map<std::string, T>& entries) {
    put(static_cast<std::uint64_t>(entries.size()));
    for (const auto& [key, value] : entries) (*this)(key, value);
  }
  template <class T>
  requires(!WireNumber<T>) void put(const T& record) {
    wire_fields(*this, const_cast<T&>(record));  // one list of fields serves both directions; a writer changes none
  }
  void raw(const void* from, std::size_t size) { bytes_.append(static_cast<const char*>(from), size); }

  std::string bytes_;
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}
  template <class... T>
  void operator()(T&... fields) {
    (get(fields), ...);
  }
  template <class T>
  [[nodiscard]] T take() {
    T out{};
    get(out);
    return out;
  }
  // Throws Error(plugin) unless everything was read.
  void end() const;

 private:
  template <WireNumber T>
  void get(T& number) {
    const std::string_view from = raw(sizeof number);
    std::memcpy(&number, from.data(), from.size());
  }
  void get(bool& flag) { flag = take<std::uint8_t>() != 0; }
  void get(std::string& text) { text = raw(take<std::uint64_t>()); }
  void get(Value& value) { value = read_value(0); }
  template <class T>
  void get(std::optional<T>& field) {
    field.reset();
    if (take<bool>()) get(field.emplace());
  }
  template <class T>
  void get(std::vector<T>& items) {
    const std::uint64_t count = counted(WireNumber<T> ? sizeof(T) : 1);
    items.clear();
    if constexpr (WireNumber<T>) {
      items.resize(count);
      const std::string_view from = raw(count * sizeof(T));
      if (count > 0) std::memcpy(items.data(), from.data(), from.size());
    } else {
      for (std::uint64_t i = 0; i < count; ++i) get(items.emplace_back());
    }
  }
  template <class T>
  void get(std::map<std::string, T>& entries) {
    const std::uint64_t count = counted(1);
    entries.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string key = take<std::string>();
      get(entries[std::move(key)]);
    }
  }
  template <class T>
  requires(!WireNumber<T>) void get(T& record) { wire_fields(*this, record); }
  Value read_value(int depth);
  std::uint64_t counted(std::uint64_t least_size);  // a number of items that the bytes left could hold
  std::string_view raw(std::uint64_t size);

  std::string_view left_;
};

template <class... T>
std::string packed(const T&... fields) {
  WireWriter out;
  out(fields...);
  return out.take();
}

// All of the bytes. Throws Error(plugin) when they are no T.
template <class T>
T unpacked(const std::string& bytes) {
  WireReader in(bytes);
  T out = in.take<T>();
  in.end();
  return out;
}

template <class Wire>
void wire_fields(Wire& wire, Mark& v) {
  wire(v.line, v.column);
}
template <class Wire>
void wire_fields(Wire& wire, Message& v) {
  wire(v.role, v.content);
}
template <class Wire>
void wire_fields(Wire& wire, Prompt& v) {
  wire(v.id, v.messages, v.extra);
}
template <class Wire>
void wire_fields(Wire& wire, Preference& v) {
  wire(v.id, v.prompt, v.chosen, v.rejected, v.chosen_reward, v.rejected_reward, v.margin);
}
template <class Wire>
void wire_fields(Wire& wire, Response& v) {
  wire(v.text, v.ids, v.finish, v.reward);
}
template <class Wire>
void wire_fields(Wire& wire, ResponseGroup& v) {
  wire(v.prompt, v.prompt_ids, v.responses, v.annotation);
}
template <class Wire>
void wire_fields(Wire& wire, PairChoice& v) {
  wire(v.chosen, v.rejected);
}
template <class Wire>
void wire_fields(Wire& wire, PairVerdict& v) {
  wire(v.pair, v.gap, v.kept, v.reason);
}
template <class Wire>
void wire_fields(Wire& wire, Selection& v) {
  wire(v.pairs, v.demonstrations, v.audit);
}
template <class Wire>
void wire_fields(Wire& wire, JudgeRequest& v) {
  wire(v.id, v.prompt, v.answer, v.other, v.reference, v.messages, v.temperature, v.anew);
}
template <class Wire>
void wire_fields(Wire& wire, Judgement& v) {
  wire(v.score, v.preference, v.text, v.failure, v.prompt_tokens, v.completion_tokens);
}
template <class Wire>
void wire_fields(Wire& wire, AnswerOptions& v) {
  wire(v.samples, v.max_new_tokens, v.temperature, v.top_k, v.top_p);
}
template <class Wire>
void wire_fields(Wire& wire, Metric& v) {
  wire(v.name, v.value, v.low, v.high, v.standard_error, v.count);
}
template <class Wire>
void wire_fields(Wire& wire, EvaluatedAnswer& v) {
  wire(v.prompt_id, v.model, v.prompt, v.answer, v.scores, v.extra);
}
template <class Wire>
void wire_fields(Wire& wire, Evaluation& v) {
  wire(v.metrics, v.answers, v.failures, v.files);
}
template <class Wire>
void wire_fields(Wire& wire, Sampling& v) {
  wire(v.responses, v.max_new_tokens, v.temperature, v.top_k, v.top_p, v.seed);
}
template <class Wire>
void wire_fields(Wire& wire, Placement& v) {
  wire(v.dtype, v.device, v.weights);
}
template <class Wire>
void wire_fields(Wire& wire, OpenOptions& v) {
  wire(v.placement, v.rows, v.batch_tokens, v.chat_format, v.truncate_left);
}

}  // namespace plumb
