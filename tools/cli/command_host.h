// What a verb that runs a component by itself offers it: messages on standard error, paths from where the user stands.
// Thread contract: as Host's; loops run in the calling thread.
#pragma once

#include <filesystem>
#include <iostream>
#include <string>

#include "plumb/host.h"

namespace plumb::cli {

class CommandHost : public Host {
 public:
  void log(LogLevel level, std::string_view message) override {
    if (level >= LogLevel::warning) std::cerr << "plumb: " + std::string(message) + "\n";
  }
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return false; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return std::filesystem::temp_directory_path().string(); }
  [[nodiscard]] std::string recipe_folder() const override { return std::filesystem::current_path().string(); }
  [[nodiscard]] void* query(std::string_view) override { return nullptr; }
};

}  // namespace plumb::cli
