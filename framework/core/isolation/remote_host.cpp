#include "framework/core/isolation/remote_host.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

namespace plumb {
namespace {

template <class T>
std::vector<T> copied(std::span<const T> items) {
  return {items.begin(), items.end()};
}

// A handle at the other end, closed there when this one goes.
class Opened {
 public:
  Opened(Connection& connection, std::uint64_t number) : connection_(connection), number_(number) {}
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() { connection_.tell(FrameKind::ask, 0, packed(Operation::close, number_)); }  // no answer is waited for
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  Connection& connection_;
  std::uint64_t number_;
};

class RemotePolicy final : public PolicyHandle {
 public:
  RemotePolicy(Connection& connection, std::uint64_t number) : connection_(connection), opened_(connection, number) {}
  void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    connection_.ask(Operation::generate, packed(opened_.number(), copied(prompts), sampling), [&](WireReader& part) {
      const auto prompt = part.take<std::uint64_t>();
      done(static_cast<std::size_t>(prompt), part.take<ResponseGroup>());
    });
  }

 private:
  Connection& connection_;
  Opened opened_;
};

class RemoteReward final : public RewardHandle {
 public:
  RemoteReward(Connection& connection, std::uint64_t number) : connection_(connection), opened_(connection, number) {}
  std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
    return unpacked<std::vector<std::vector<double>>>(
        connection_.ask(Operation::score, packed(opened_.number(), copied(groups))));
  }
  std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups) override {
    return unpacked<std::vector<std::vector<std::int64_t>>>(
        connection_.ask(Operation::excess, packed(opened_.number(), copied(groups))));
  }

 private:
  Connection& connection_;
  Opened opened_;
};

class RemoteModels final : public LanguageModels {
 public:
  explicit RemoteModels(Connection& connection) : connection_(connection) {}
  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& options) override {
    return std::make_unique<RemotePolicy>(connection_, open(Operation::open_policy, folder, options));
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions& options) override {
    return std::make_unique<RemoteReward>(connection_, open(Operation::open_reward, folder, options));
  }

 private:
  std::uint64_t open(Operation operation, const std::string& folder, const OpenOptions& options) {
    return unpacked<std::uint64_t>(connection_.ask(operation, packed(folder, options)));
  }
  Connection& connection_;
};

Judgement ask_judge(Connection& connection, const JudgeRequest& request) {
  return unpacked<Judgement>(connection.ask(Operation::context_judge, packed(request)));
}

class RemoteJudge final : public Judge {
 public:
  explicit RemoteJudge(Connection& connection) : connection_(connection) {}
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override { return ask_judge(connection_, request); }

 private:
  Connection& connection_;
};

class RemoteWaitingJudge final : public WaitingJudge {
 public:
  RemoteWaitingJudge(Connection& connection, std::uint64_t concurrency)
      : connection_(connection), concurrency_(concurrency) {}
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override { return ask_judge(connection_, request); }
  [[nodiscard]] std::size_t concurrency() const override { return static_cast<std::size_t>(concurrency_); }

 private:
  Connection& connection_;
  std::uint64_t concurrency_;
};

}  // namespace

RemoteHost::RemoteHost(Connection& connection, std::string recipe_folder)
    : connection_(connection), recipe_folder_(std::move(recipe_folder)) {}
RemoteHost::~RemoteHost() = default;

void RemoteHost::log(LogLevel level, std::string_view message) {
  connection_.tell(FrameKind::log, 0, packed(level, std::string(message)));
}

void RemoteHost::progress(std::string_view what, std::size_t done, std::size_t total) {
  connection_.tell(FrameKind::progress, 0,
                   packed(std::string(what), static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total)));
}

void RemoteHost::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count), [&](const tbb::blocked_range<std::size_t>& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) body(i);
  });
}

std::string RemoteHost::scratch_folder() {
  return unpacked<std::string>(connection_.ask(Operation::scratch_folder, {}));
}

void* RemoteHost::query(std::string_view service) {
  if (service != LanguageModels::service) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (models_ == nullptr && unpacked<bool>(connection_.ask(Operation::has_models, {}))) {
    models_ = std::make_unique<RemoteModels>(connection_);
  }
  return models_.get();
}

RemoteContext::RemoteContext(Connection& connection, WireReader& in) : connection_(connection) {
  bool has_judge = false;
  std::uint64_t concurrency = 0;
  in(models_, baseline_, prompts_, options_, seed_, has_judge, concurrency);
  if (has_judge && concurrency > 0) {
    judge_ = std::make_unique<RemoteWaitingJudge>(connection, concurrency);
  } else if (has_judge) {
    judge_ = std::make_unique<RemoteJudge>(connection);
  }
}
RemoteContext::~RemoteContext() = default;

std::vector<std::string> RemoteContext::answer(const std::string& model, std::span<const Prompt> prompts,
                                               const AnswerOptions& options) {
  return unpacked<std::vector<std::string>>(
      connection_.ask(Operation::answer, packed(model, copied(prompts), options)));
}

std::vector<double> RemoteContext::reward(std::span<const Prompt> prompts, std::span<const std::string> answers) {
  return unpacked<std::vector<double>>(connection_.ask(Operation::reward, packed(copied(prompts), copied(answers))));
}

}  // namespace plumb
