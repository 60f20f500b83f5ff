// Expected failure in core: a value or an Error. The engine throws, and value() is the door between the two; CONTRIBUTING
// says where core throws itself.
//
//   Result<Manifest> manifest = read_manifest(folder);
//   if (!manifest) return manifest.error();
//   use(*manifest);
//   Manifest or_throw = read_manifest(folder).value();   // throws the Error: at a boundary
//
// Thread contract: a value type.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "plumb/error.h"

namespace plumb {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : data_(std::move(value)) {}      // NOLINT(google-explicit-constructor): `return value;` is the idiom
  Result(Error error) : data_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] explicit operator bool() const noexcept { return data_.index() == 0; }
  [[nodiscard]] T& operator*() & { return std::get<0>(data_); }
  [[nodiscard]] const T& operator*() const& { return std::get<0>(data_); }
  [[nodiscard]] T* operator->() { return &std::get<0>(data_); }
  [[nodiscard]] const T* operator->() const { return &std::get<0>(data_); }
  [[nodiscard]] const Error& error() const { return std::get<1>(data_); }
  [[nodiscard]] T value() && {
    if (!*this) throw error();
    return std::move(std::get<0>(data_));
  }

 private:
  std::variant<T, Error> data_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] explicit operator bool() const noexcept { return !error_; }
  [[nodiscard]] const Error& error() const { return *error_; }  // NOLINT(bugprone-unchecked-optional-access)
  void value() && {
    if (error_) throw *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace plumb
