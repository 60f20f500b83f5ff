// For a plugin that was renamed: recipes that name it in full by its old id go on working.
//
//   PLUMB_PLUGIN(registrar, "org.example.new-name", "2.0.0", "Apache-2.0",
//                "pairs by length" PLUMB_REPLACES("org.example.old-name")) { /* … */ }
//
// A plugin that still has the old id, where one is found, keeps it.
// Thread contract: a literal.
#pragma once

#define PLUMB_REPLACES(id) "\nreplaces=" id
