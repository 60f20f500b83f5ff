#include "framework/core/pipeline/stage_of_run.h"

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include "framework/core/components/hand_over.h"
#include "framework/core/door/engine.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/recipe/dotted_value.h"
#include "plumb/policy_texts.h"

namespace plumb {

namespace {

// A component's own inputs reach it as the folders of their artifacts; names mean nothing to it.
Value with_folders(const StageSpec& spec, const std::map<std::string, Artifact>& artifacts) {
  Value params = spec.params;
  for (const StageInput& input : spec.inputs) {
    const std::string param = input.param.substr(0, input.param.find('/'));
    if (param.find('.') == std::string::npos) continue;
    Value* named = find_dotted(params, param);
    if (named == nullptr) continue;
    const std::string folder = artifacts.at(input.stage).folder.string();
    if (!named->is_list()) {
      *named = folder;
    } else {
      for (Value& item : named->as_list()) {
        if (item == Value(input.stage)) item = folder;
      }
    }
  }
  return params;
}

// A thread of a parallel loop shares the cores with the others, so LibTorch must not start its own threads in it.
class OneThread {
 public:
  OneThread() : engine_(Engine::if_open()) {
    if (engine_ != nullptr) engine_->compute_in_one_thread(true);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (engine_ != nullptr) engine_->compute_in_one_thread(false);
  }

 private:
  const Engine* engine_;
};

}  // namespace

StageOfRun::StageOfRun(const Recipe& recipe, const StageSpec& spec, const Registry& registry,
                       const std::map<std::string, Artifact>& artifacts)
    : recipe_(recipe), spec_(spec), registry_(registry), artifacts_(artifacts), params_(with_folders(spec, artifacts)) {
  const auto folder = [&](const std::string& param) -> std::optional<std::string> {
    const Artifact* given = StageOfRun::optional_input(param);
    return given == nullptr ? std::nullopt : std::optional(given->folder.string());
  };
  hand_over(*spec.kind, registry, folder, params_);
}

bool StageOfRun::cancelled() const {
  return interruption() != 0;
}

void StageOfRun::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count), [&](const tbb::blocked_range<std::size_t>& range) {
    const OneThread alone;
    for (std::size_t i = range.begin(); i != range.end(); ++i) body(i);
  });
}

std::string StageOfRun::recipe_folder() const {
  return recipe_.file.parent_path().string();
}

void* StageOfRun::query(std::string_view service) {
  if (service != LanguageModels::service && service != PolicyTexts::service) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (models_ == nullptr) models_ = Engine::open().language_models(registry_, *this);
  if (service == PolicyTexts::service) return dynamic_cast<PolicyTexts*>(models_.get());
  return models_.get();
}

const std::string& StageOfRun::name() const {
  return spec_.name;
}
const Value& StageOfRun::params() const {
  return params_;
}

const Artifact* StageOfRun::optional_input(const std::string& param) const {
  for (const StageInput& input : spec_.inputs) {
    if (input.param == param) return &artifacts_.at(input.stage);
  }
  return nullptr;
}

const Artifact& StageOfRun::input(const std::string& param) const {
  const Artifact* found = optional_input(param);
  if (found == nullptr) {
    throw Error(ErrorCode::recipe, fmt::format("the input `{}` is not given; name a stage, dataset or model", param));
  }
  return *found;
}

std::vector<std::pair<std::string, const Artifact*>> StageOfRun::inputs(const std::string& param) const {
  std::vector<std::pair<std::string, const Artifact*>> found;
  for (const StageInput& input : spec_.inputs) {
    if (input.param.starts_with(param + "/")) found.emplace_back(input.stage, &artifacts_.at(input.stage));
  }
  return found;
}

const Registry& StageOfRun::registry() const {
  return registry_;
}
Random StageOfRun::random() const {
  return Random(recipe_.seed);
}
std::uint64_t StageOfRun::seed() const {
  return recipe_.seed;
}

}  // namespace plumb
