// The framework as an isolated component sees it: a host, language models and the context of an evaluation whose work
// is done at the other end of the connection.
//
//   RemoteHost host(connection, recipe_folder);
//   auto component = entry.make(params, host, nullptr);
//   RemoteContext context(connection, in);                       // of an evaluate call
//
// Thread contract: as of what they stand for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/core/isolation/connection.h"
#include "plumb/evaluator.h"
#include "plumb/host.h"
#include "plumb/language_models.h"

namespace plumb {

class RemoteHost final : public Host {
 public:
  RemoteHost(Connection& connection, std::string recipe_folder);
  ~RemoteHost() override;

  void log(LogLevel level, std::string_view message) override;
  void progress(std::string_view what, std::size_t done, std::size_t total) override;
  [[nodiscard]] bool cancelled() const override { return connection_.cancelled(); }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override;
  [[nodiscard]] std::string scratch_folder() override;
  [[nodiscard]] std::string recipe_folder() const override { return recipe_folder_; }
  [[nodiscard]] void* query(std::string_view service) override;

 private:
  Connection& connection_;
  std::string recipe_folder_;
  std::mutex mutex_;
  std::unique_ptr<LanguageModels> models_;
};

class RemoteContext final : public EvaluationContext {
 public:
  RemoteContext(Connection& connection, WireReader& in);
  ~RemoteContext() override;

  [[nodiscard]] const std::vector<std::string>& models() const override { return models_; }
  [[nodiscard]] std::string baseline() const override { return baseline_; }
  [[nodiscard]] const std::vector<Prompt>& prompts() const override { return prompts_; }
  [[nodiscard]] AnswerOptions options() const override { return options_; }
  std::vector<std::string> answer(const std::string& model, std::span<const Prompt> prompts,
                                  const AnswerOptions& options) override;
  std::vector<double> reward(std::span<const Prompt> prompts, std::span<const std::string> answers) override;
  [[nodiscard]] Judge* judge() override { return judge_.get(); }
  [[nodiscard]] std::uint64_t seed() const override { return seed_; }

 private:
  Connection& connection_;
  std::vector<std::string> models_;
  std::string baseline_;
  std::vector<Prompt> prompts_;
  AnswerOptions options_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<Judge> judge_;
};

}  // namespace plumb
