// The folder of a run; that of an arm of a sweep is runs/NAME/ARM:
//
//   runs/NAME/recipe.yaml            as given
//   runs/NAME/recipe.resolved.yaml   every default written out
//   runs/NAME/recipe.lock.yaml       plugins with hashes and fingerprints, keys of the stages
//   runs/NAME/run.json               status, ranks when there are several, and per stage: status, key, seconds, peak memory, folder
//   runs/NAME/log.txt
//   runs/NAME/STAGE                  link to the stage's artifact, so that a model's is a model folder
//
// A run is running, finished, failed or stopped; its stages are waiting, running, done, cached, failed, stopped, or
// unneeded (left out by --until, and never made). A stage that --until leaves out keeps the link that an earlier
// command made: it stays done or cached, or is outdated when the recipe would make something else now. run.json is
// replaced as a whole whenever one of these changes. Nothing that no run made is replaced (pipeline/earlier_run.h).
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <string>

#include "framework/core/pipeline/earlier_run.h"

namespace plumb {

class RunRecord {
 public:
  // Creates the folder, writes the recipes and the lock, takes away the links of an earlier run that this one replaces,
  // and `plumb report`'s page when it will no longer be true. `store`: the folder of the artifacts. `ranks`: of a run
  // on several, else null. Throws Error(data).
  RunRecord(const std::filesystem::path& folder, const std::filesystem::path& store, const Recipe& recipe,
            const std::string& recipe_text, const Plan& plan, const Registry& registry, const Value& ranks = {});

  // What to tell of the earlier run.
  [[nodiscard]] const std::vector<std::string>& notes() const { return earlier_.notes; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return earlier_.warnings; }

  void set_running(const std::string& stage, const std::filesystem::path& partial);
  void set_complete(const std::string& stage, const Artifact& artifact, bool cached);
  void set_ended(const std::string& stage, const std::string& status);  // failed, stopped
  void finish(const std::string& status, double seconds, const std::string& error = {});

 private:
  Value& entry(const std::string& stage);
  void link(const std::string& stage, const std::filesystem::path& target);
  void save() const;
  void drop_page();

  std::filesystem::path folder_;
  TakenOver earlier_;
  Value run_;
};

}  // namespace plumb
