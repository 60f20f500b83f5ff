// Attaching the adapter of a PEFT folder to an opened base.
//
//   load_adapter(model, read_saved_adapter("adapter/"), how);   // adapter_config.json, adapter_model.safetensors
//
// Thread contract: [setup].
#pragma once

#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/saved_adapter.h"

namespace plumb {

// Attaches the adapter to a base that was fitted to it (fit_base), above the frozen adapters that are there. DoRA, rank
// and alpha patterns and rsLoRA become part of the layers' product; adapters of tables are folded into them; PiSSA's and
// OLoRA's share is taken out of the base's weights, as PEFT does when it loads one. Error(data) for tensors that do not
// fit.
void load_adapter(LanguageModel& model, const SavedAdapter& adapter, const OpenModel& how);

}  // namespace plumb
