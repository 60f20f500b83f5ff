// What the sample stage does beside where another program's engine draws (plumb/served_generator.h): each prompt's
// answers are kept as they come, and the manifest says who drew.
//
//   ServedSampling served(generator.as<ServedGenerator>(), context);   // of any other generator nothing happens
//   if (auto group = served.take(prompt.id)) …                         // answered in an earlier attempt
//   served.keep(group);                                                // on the disk on return
//   served.finish_block();                                             // the block is in responses.jsonl
//   summarise_engines(context);                                        // all attempts' engines, at the end
//
// Thread contract: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/components/made.h"
#include "framework/engine/stages/arrived_groups.h"
#include "plumb/served_generator.h"

namespace plumb {

class ServedSampling {
 public:
  ServedSampling(Made<ServedGenerator> generator, StageContext& context);

  std::optional<ResponseGroup> take(const std::string& prompt);
  void keep(const ResponseGroup& group);
  void finish_block();

 private:
  Made<ServedGenerator> generator_;  // empty: another one draws
  StageContext& context_;
  std::unique_ptr<ArrivedGroups> arrived_;
  std::string engine_;  // on the disk already
};

// `engine` (a text, with all of them) and `bit_reproducible: false` in the summary, where an engine was written down.
void summarise_engines(StageContext& context);

}  // namespace plumb
