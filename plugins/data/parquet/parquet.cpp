// The entry of this plugin.
#include "file_source.h"
#include "plumb/plugin.h"

PLUMB_PLUGIN(registrar, "org.plumbline.data-parquet", "1.0.0", "Apache-2.0",
             "conversations and preferences in Parquet files" PLUMB_STATUS("experimental")) {
  plumb::files::register_trl_columns(registrar, "parquet");
  plumb::files::register_hh_rlhf(registrar, "parquet-hh-rlhf");
  plumb::files::register_oasst(registrar, "parquet-oasst");
  plumb::files::register_webgpt(registrar, "parquet-webgpt");
  plumb::files::register_alpaca(registrar, "parquet-alpaca");
  plumb::files::register_sharegpt(registrar, "parquet-sharegpt");
  plumb::files::register_shp(registrar, "parquet-shp");
  plumb::files::register_hellaswag(registrar, "parquet-hellaswag");
  plumb::files::register_summaries(registrar, "parquet-summaries");
}
