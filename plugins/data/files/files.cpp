// The entry of this plugin.
#include "file_source.h"
#include "plumb/plugin.h"

PLUMB_PLUGIN(registrar, "org.plumbline.data-files", "1.0.0", "Apache-2.0",
             "conversations and preferences in JSON files" PLUMB_STATUS("stable")) {
  plumb::files::register_trl_columns(registrar, "jsonl");
  plumb::files::register_hh_rlhf(registrar, "hh-rlhf");
  plumb::files::register_oasst(registrar, "oasst");
  plumb::files::register_webgpt(registrar, "webgpt");
  plumb::files::register_alpaca(registrar, "alpaca");
  plumb::files::register_sharegpt(registrar, "sharegpt");
  plumb::files::register_shp(registrar, "shp");
  plumb::files::register_hellaswag(registrar, "hellaswag");
  plumb::files::register_summaries(registrar, "summaries");
  plumb::files::register_benchmark_prompts(registrar);
}
